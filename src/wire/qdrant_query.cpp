#include "wire/qdrant_query.h"

#include <fmt/format.h>

#include "wire/qdrant_read.h"
#include "wire/qdrant_settings.h"

namespace pandora::qdrant {
namespace {

Fault no_query() { return bad_format("Expected some form of vector, id, or a type of query"); }

Fault too_small(const std::string& place) {
  return bad_value(fmt::format("{}: value 0 invalid, must be 1 or larger", place));
}

Outcome<std::size_t> read_limit(JsonNode given, const std::string& place) {
  if (!given) return kDefaultLimit;
  PANDORA_TRY(limit, read_size(given));
  if (limit == 0) return fail(too_small(place + ".limit"));
  return limit;
}

// Of a search; they change no answer here.
Outcome<void> check_params(JsonNode body, const std::string& place) {
  const JsonNode params = optional_member(body, "params");
  if (!params) return {};
  Objections objections;
  PANDORA_CHECK(read_settings(SettingsOf::kSearch, params, place + ".params", objections));
  return objections.verdict();
}

Outcome<std::optional<Filter>> read_optional_filter(JsonNode body, const std::string& place) {
  std::optional<Filter> filter;
  if (const JsonNode given = optional_member(body, "filter")) {
    PANDORA_TRY(read, read_filter(given, place + ".filter"));
    filter = std::move(read);
  }
  return filter;
}

Outcome<void> read_payload_selector(JsonNode body, PayloadSelector& selector) {
  using enum PayloadSelector::Kind;
  const JsonNode given = optional_member(body, "with_payload");
  if (!given) return {};
  if (given.is_bool()) {
    selector.kind = given.kind() == JsonKind::kTrue ? kAll : kNone;
    return {};
  }
  JsonNode list = given;
  selector.kind = kInclude;
  if (given.is_object()) {
    list = given.find("include");
    if (!list) {
      list = given.find("exclude");
      selector.kind = kExclude;
    }
    if (given.size() != 1) list = JsonNode();  // one of the two, and nothing beside it
  }
  if (!list || !list.is_array())
    return fail(bad_format("data did not match any variant of untagged enum WithPayloadInterface"));
  PANDORA_TRY(paths, read_paths(list));
  selector.paths = std::move(paths);
  return {};
}

Outcome<void> read_vector_selector(JsonNode body, VectorSelector& selector) {
  using enum VectorSelector::Kind;
  const JsonNode first = optional_member(body, "with_vector"),
                 given = first ? first : optional_member(body, "with_vectors");
  if (!given) return {};
  if (given.is_bool()) {
    selector.kind = given.kind() == JsonKind::kTrue ? kAll : kNone;
    return {};
  }
  if (!given.is_array()) return fail(bad_format("data did not match any variant of untagged enum WithVector"));
  selector.kind = kNamed;
  for (JsonNode item = given.first(); item; item = item.next()) {
    PANDORA_TRY(name, read_string(item));
    selector.names.push_back(std::move(name));
  }
  return {};
}

Outcome<OrderBy> read_order_by(JsonNode node) {
  OrderBy order;
  if (node.is_string()) {
    PANDORA_TRY(path, read_path(node));
    order.path = std::move(path);
    return order;
  }
  if (!node.is_object()) return fail(bad_format("data did not match any variant of untagged enum OrderByInterface"));
  PANDORA_TRY(key, required(node, "key"));
  PANDORA_TRY(path, read_path(key));
  order.path = std::move(path);
  if (const JsonNode direction = optional_member(node, "direction")) {
    PANDORA_TRY(name, read_string(direction));
    if (name != "asc" && name != "desc")
      return fail(bad_format(fmt::format("unknown variant `{}`, expected `asc` or `desc`", name)));
    order.descending = name == "desc";
  }
  if (const JsonNode start = optional_member(node, "start_from")) {
    if (start.is_number()) {
      order.start_from = start.number();
    } else {
      PANDORA_TRY(time, read_time(start));
      order.start_from = time;
    }
  }
  return order;
}

Outcome<RankFusion> read_rank_fusion(JsonNode node) {
  RankFusion fusion;
  if (!node.is_object()) return fail(no_query());
  if (const JsonNode k = optional_member(node, "k")) {
    const auto value = read_size(k);
    if (!value) return fail(no_query());
    if (*value == 0) return fail(too_small("internal.query.rrf.k"));
    fusion.k = static_cast<float>(*value);
  }
  if (const JsonNode weights = optional_member(node, "weights")) {
    if (!weights.is_array()) return fail(no_query());
    fusion.weights.emplace();
    for (JsonNode item = weights.first(); item; item = item.next()) {
      if (!item.is_number()) return fail(no_query());
      fusion.weights->push_back(static_cast<float>(item.number()));
    }
  }
  return fusion;
}

Outcome<Nearest> read_target(JsonNode node) {
  if (node.is_string() || node.is_number()) {
    auto id = read_point_id(node);
    if (!id) return fail(no_query());
    return Nearest{*id};
  }
  if (!node.is_array() && !node.is_object()) return fail(no_query());
  auto vector = read_vector(node, "internal.query");
  if (!vector && vector.error().status == 400 && vector.error().text.starts_with("Format")) return fail(no_query());
  if (!vector) return fail(std::move(vector).error());
  return Nearest{*std::move(vector)};
}

Outcome<QueryKind> read_query_kind(JsonNode node) {
  if (!node.is_object() || is_sparse(node)) {
    PANDORA_TRY(nearest, read_target(node));
    return QueryKind(std::move(nearest));
  }
  if (const JsonNode target = node.find("nearest")) {
    if (optional_member(node, "mmr")) return fail(not_served("maximal marginal relevance (`mmr`)"));
    PANDORA_TRY(nearest, read_target(target));
    return QueryKind(std::move(nearest));
  }
  if (const JsonNode order = node.find("order_by")) {
    PANDORA_TRY(read, read_order_by(order));
    return QueryKind(std::move(read));
  }
  if (const JsonNode fusion = node.find("fusion")) {
    if (fusion.text_is("rrf")) return QueryKind(RankFusion{});
    if (fusion.text_is("dbsf")) return QueryKind(DistributionFusion{});
    return fail(no_query());
  }
  if (const JsonNode rrf = node.find("rrf")) {
    PANDORA_TRY(read, read_rank_fusion(rrf));
    return QueryKind(std::move(read));
  }
  for (const char* name : {"recommend", "discover", "context", "formula", "sample", "relevance_feedback"})
    if (node.find(name)) return fail(not_served(fmt::format("the query `{}`", name)));
  for (const char* name : {"text", "image", "object"})
    if (node.find(name)) return fail(not_served("vectors made here from texts and images"));
  return fail(no_query());
}

Outcome<QueryStep> read_step(JsonNode body, const std::string& place, std::size_t depth) {
  if (!body.is_object()) return fail(invalid_type(body, "struct QueryRequest"));
  if (depth > kMaxPrefetchDepth)
    return fail(wrong_input(
        fmt::format("Validation failed: {}: prefetches are nested more than {} deep", place, kMaxPrefetchDepth)));
  QueryStep step;
  if (const JsonNode prefetch = optional_member(body, "prefetch")) {
    const bool one = prefetch.is_object();
    if (!one && !prefetch.is_array()) return fail(invalid_type(prefetch, "null, array or map"));
    for (JsonNode item = one ? prefetch : prefetch.first(); item; item = one ? JsonNode() : item.next()) {
      if (step.prefetch.size() == kMaxPrefetches)
        return fail(bad_value(fmt::format("{}.prefetch: more than {}", place, kMaxPrefetches)));
      PANDORA_TRY(read, read_step(item, place + ".prefetch", depth + 1));
      step.prefetch.push_back(std::move(read));
    }
  }
  if (const JsonNode query = optional_member(body, "query")) {
    PANDORA_TRY(read, read_query_kind(query));
    step.query = std::move(read);
  }
  if (const JsonNode name = optional_member(body, "using")) {
    PANDORA_TRY(read, read_string(name));
    step.vector_name = std::move(read);
  }
  if (optional_member(body, "lookup_from")) return fail(not_served("`lookup_from`"));
  PANDORA_TRY(filter, read_optional_filter(body, place));
  step.filter = std::move(filter);
  if (const JsonNode threshold = optional_member(body, "score_threshold")) {
    PANDORA_TRY(read, read_float(threshold));
    step.score_threshold = read;
  }
  PANDORA_CHECK(check_params(body, place));
  PANDORA_TRY(limit, read_limit(optional_member(body, "limit"), place));
  step.limit = limit;
  return step;
}

Outcome<void> read_rest(JsonNode body, QueryRequest& request) {
  PANDORA_CHECK(refuse_shard_key(body));
  if (const JsonNode offset = optional_member(body, "offset")) {
    PANDORA_TRY(read, read_size(offset));
    request.offset = read;
  }
  PANDORA_CHECK(read_payload_selector(body, request.payload));
  return read_vector_selector(body, request.vectors);
}

template <class Read>
Outcome<std::vector<QueryRequest>> read_searches(JsonNode body, Read read) {
  PANDORA_TRY(list, required(body, "searches"));
  if (!list.is_array()) return fail(invalid_type(list, "a sequence"));
  std::vector<QueryRequest> requests;
  for (JsonNode item = list.first(); item; item = item.next()) {
    if (requests.size() == kMaxBatchQueries)
      return fail(bad_value(fmt::format("searches: more than {}", kMaxBatchQueries)));
    PANDORA_TRY(request, read(item));
    requests.push_back(std::move(request));
  }
  return requests;
}

}  // namespace

Outcome<QueryRequest> read_query(JsonNode body) {
  QueryRequest request;
  PANDORA_TRY(step, read_step(body, "internal", 0));
  request.step = std::move(step);
  PANDORA_CHECK(read_rest(body, request));
  return request;
}

Outcome<std::vector<QueryRequest>> read_query_batch(JsonNode body) { return read_searches(body, read_query); }

Outcome<QueryRequest> read_search(JsonNode body) {
  QueryRequest request;
  PANDORA_TRY(given, required(body, "vector"));
  JsonNode vector = given;
  if (given.is_object()) {
    PANDORA_TRY(name, required_string(given, "name"));
    PANDORA_TRY(inner, required(given, "vector"));
    request.step.vector_name = std::move(name);
    vector = inner;
  }
  PANDORA_TRY(input, read_vector(vector, "search_request.vector"));
  request.step.query = Nearest{std::move(input)};
  const JsonNode top = body.find("top");
  PANDORA_TRY(most, required(body, top ? "top" : "limit"));
  PANDORA_TRY(limit, read_limit(most, "search_request"));
  PANDORA_CHECK(check_params(body, "search_request"));
  request.step.limit = limit;
  PANDORA_TRY(filter, read_optional_filter(body, "search_request"));
  request.step.filter = std::move(filter);
  if (const JsonNode threshold = optional_member(body, "score_threshold")) {
    PANDORA_TRY(read, read_float(threshold));
    request.step.score_threshold = read;
  }
  PANDORA_CHECK(read_rest(body, request));
  return request;
}

Outcome<std::vector<QueryRequest>> read_search_batch(JsonNode body) { return read_searches(body, read_search); }

Outcome<ScrollRequest> read_scroll(JsonNode body) {
  ScrollRequest request;
  if (!body.is_object()) return fail(invalid_type(body, "struct ScrollRequest"));
  PANDORA_CHECK(refuse_shard_key(body));
  if (const JsonNode offset = optional_member(body, "offset")) {
    PANDORA_TRY(id, read_point_id(offset));
    request.offset = id;
  }
  PANDORA_TRY(limit, read_limit(optional_member(body, "limit"), "scroll_request"));
  request.limit = limit;
  PANDORA_TRY(filter, read_optional_filter(body, "scroll_request"));
  request.filter = std::move(filter);
  if (const JsonNode order = optional_member(body, "order_by")) {
    PANDORA_TRY(read, read_order_by(order));
    request.order_by = std::move(read);
  }
  PANDORA_CHECK(read_payload_selector(body, request.payload));
  PANDORA_CHECK(read_vector_selector(body, request.vectors));
  return request;
}

Outcome<RetrieveRequest> read_retrieve(JsonNode body) {
  RetrieveRequest request;
  PANDORA_TRY(ids, required(body, "ids"));
  if (!ids.is_array()) return fail(invalid_type(ids, "a sequence"));
  PANDORA_CHECK(refuse_shard_key(body));
  for (JsonNode item = ids.first(); item; item = item.next()) {
    PANDORA_TRY(id, read_point_id(item));
    request.ids.push_back(id);
  }
  PANDORA_CHECK(read_payload_selector(body, request.payload));
  PANDORA_CHECK(read_vector_selector(body, request.vectors));
  return request;
}

Outcome<std::optional<Filter>> read_count(JsonNode body) {
  if (!body.is_object()) return fail(invalid_type(body, "struct CountRequest"));
  if (const JsonNode exact = body.find("exact")) PANDORA_CHECK(read_bool(exact));
  PANDORA_CHECK(refuse_shard_key(body));
  return read_optional_filter(body, "count_request");
}

}  // namespace pandora::qdrant
