#include "store_server/collection_copy.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "wire/json_reader.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxInfoBytes = 64 << 20;
constexpr const char* kFormatName = "pandora collection";
constexpr std::int64_t kFormat = 1;
// What makes a collection what it is. Shards, replicas and optimizers are the other server's own.
constexpr const char* kCarriedParams[] = {"vectors", "sparse_vectors", "on_disk_payload"};
constexpr const char* kCarriedConfig[] = {"hnsw_config", "quantization_config", "metadata"};

std::string path_of(const std::string& name) { return "/collections/" + path_segment(name); }
std::string points_of(const std::string& name) { return path_of(name) + "/points"; }

Error of(const std::string& name, Error error) { return std::move(error).with_context("collection " + name); }

Result<Json> result_of(const QdrantAnswer& answer, const std::string& name) {
  return parse_json(answer.result().raw(), kMaxInfoBytes, "collection " + name);
}

Json member(const Json& json, const char* name) {
  return json.is_object() && json.contains(name) ? json[name] : Json();
}

// Name, size, distance and the like of every vector; what only says how it is kept is left out.
Json shape_of(const Json& create) {
  Json shape = Json::object();
  const Json dense = member(create, "vectors");
  const Json named = dense.is_object() && dense.contains("size") ? Json{{"", dense}} : dense;
  const auto keep = [&](const Json& vectors, std::initializer_list<const char*> words) {
    if (!vectors.is_object()) return;
    for (const auto& [name, params] : vectors.items()) {
      Json kept = Json::object();
      for (const char* word : words)
        if (const Json value = member(params, word); !value.is_null() && value != "none") kept[word] = value;
      shape[name] = kept;
    }
  };
  keep(named, {"size", "distance", "multivector_config"});
  keep(member(create, "sparse_vectors"), {"modifier"});
  return shape;
}

std::string point_json(JsonNode point) {
  const auto raw = [&](const char* name, std::string_view otherwise) {
    const JsonNode node = point.find(name);
    return node && !node.is_null() ? node.raw() : otherwise;
  };
  return fmt::format(R"({{"id":{},"vector":{},"payload":{}}})", raw("id", "0"), raw("vector", "{}"),
                     raw("payload", "{}"));
}

}  // namespace

Result<std::vector<std::string>> collection_names(QdrantApi& api, const Deadline& deadline) {
  PANDORA_TRY(answer, api.get("/collections", deadline));
  std::vector<std::string> names;
  const JsonNode list = answer.result().find("collections");
  for (JsonNode one = list ? list.first() : JsonNode(); one; one = one.next())
    if (const JsonNode name = one.find("name")) names.push_back(name.text());
  std::ranges::sort(names);
  return names;
}

Result<CollectionPicture> picture_of(QdrantApi& api, const std::string& name, const Deadline& deadline) {
  auto answer = api.get(path_of(name), deadline);
  if (!answer) return fail(of(name, std::move(answer).error()));
  PANDORA_TRY(info, result_of(*answer, name));
  const Json config = member(info, "config"), params = member(config, "params");
  Json create = Json::object();
  for (const char* word : kCarriedParams)
    if (Json value = member(params, word); !value.is_null()) create[word] = std::move(value);
  for (const char* word : kCarriedConfig)
    if (Json value = member(config, word); !value.is_null()) create[word] = std::move(value);
  CollectionPicture picture{name, dump_json(create), {}, {}};
  const Json schema = member(info, "payload_schema");
  if (schema.is_object())
    for (const auto& [field, index] : schema.items()) {
      const Json given = member(index, "params");
      picture.indexes.emplace_back(field, dump_json(given.is_object() ? given : member(index, "data_type")));
    }
  PANDORA_TRY(listed, api.get(path_of(name) + "/aliases", deadline));
  const JsonNode aliases = listed.result().find("aliases");
  for (JsonNode one = aliases ? aliases.first() : JsonNode(); one; one = one.next())
    if (const JsonNode alias = one.find("alias_name")) picture.aliases.push_back(alias.text());
  return picture;
}

Result<std::int64_t> count_points(QdrantApi& api, const std::string& name, const Deadline& deadline) {
  auto answer = api.ask(points_of(name) + "/count", R"({"exact":true})", deadline);
  if (!answer) return fail(of(name, std::move(answer).error()));
  const JsonNode count = answer->result().find("count");
  return count ? count.integer().value_or(0) : 0;
}

Result<std::vector<std::string>> make_collection(QdrantApi& api, const CollectionPicture& picture,
                                                 const Deadline& deadline) {
  PANDORA_TRY(create, parse_json(picture.create, kMaxInfoBytes, "collection " + picture.name));
  const auto existing = picture_of(api, picture.name, deadline);
  if (existing) {
    PANDORA_TRY(there, parse_json(existing->create, kMaxInfoBytes, "collection " + picture.name));
    if (shape_of(there) != shape_of(create))
      return fail(ErrorCode::kConflict,
                  fmt::format("{} has a collection {} of another shape: {} instead of {}", api.shown(), picture.name,
                              dump_json(shape_of(there)), dump_json(shape_of(create))),
                  "remove it there, or import into another server");
  } else if (existing.error().code == ErrorCode::kNotFound) {
    auto made = api.send("PUT", path_of(picture.name), picture.create, Repeatable::kNo, deadline);
    if (!made) return fail(of(picture.name, std::move(made).error()));
  } else {
    return fail(existing.error());
  }
  std::vector<std::string> left_out;
  for (const auto& [field, schema] : picture.indexes) {
    std::string body = R"({"field_name":)";
    append_json_text(body, field);
    body += R"(,"field_schema":)" + schema + '}';
    auto made =
        api.send("PUT", path_of(picture.name) + "/index?wait=true", std::move(body), Repeatable::kYes, deadline);
    if (!made && made.error().code == ErrorCode::kIncompatible)
      left_out.push_back(fmt::format("index of {}: {}", field, made.error().message));
    else if (!made)
      return fail(of(picture.name, std::move(made).error()).with_context("index of " + field));
  }
  return left_out;
}

Status make_aliases(QdrantApi& api, const CollectionPicture& picture, const Deadline& deadline) {
  if (picture.aliases.empty()) return {};
  PANDORA_TRY(listed, api.get("/aliases", deadline));
  const JsonNode aliases = listed.result().find("aliases");
  Json actions = Json::array();
  for (const std::string& alias : picture.aliases) {
    for (JsonNode one = aliases ? aliases.first() : JsonNode(); one; one = one.next())
      if (one.find("alias_name").text_is(alias) && !one.find("collection_name").text_is(picture.name))
        return fail(ErrorCode::kConflict,
                    fmt::format("{}: the alias {} means {} there, not {}", api.shown(), alias,
                                one.find("collection_name").text(), picture.name),
                    "remove that alias, or import into another server");
    actions.push_back({{"create_alias", {{"alias_name", alias}, {"collection_name", picture.name}}}});
  }
  return api.ask("/collections/aliases", dump_json({{"actions", actions}}), deadline).map([](auto&&) {});
}

Result<PointPage> read_page(QdrantApi& api, const std::string& name, const std::string& from,
                            const Deadline& deadline) {
  const std::string offset = from.empty() ? "" : R"(,"offset":)" + from;
  auto answer = api.ask(
      points_of(name) + "/scroll",
      fmt::format(R"({{"limit":{},"with_payload":true,"with_vector":true{}}})", kCopiedAtOnce, offset), deadline);
  if (!answer) return fail(of(name, std::move(answer).error()));
  PointPage page;
  const JsonNode points = answer->result().find("points"), next = answer->result().find("next_page_offset");
  for (JsonNode point = points ? points.first() : JsonNode(); point; point = point.next())
    page.points.push_back(point_json(point));
  if (next && !next.is_null()) page.next = next.raw();
  return page;
}

Status write_points(QdrantApi& api, const std::string& name, std::span<const std::string> points,
                    const Deadline& deadline) {
  while (!points.empty()) {
    std::string body = R"({"points":[)";
    std::size_t n = 0;
    for (; n < points.size() && (n == 0 || body.size() + points[n].size() < kMaxCopiedBatchBytes); ++n)
      body += (n == 0 ? "" : ",") + points[n];
    body += "]}";
    auto written = api.send("PUT", points_of(name) + "?wait=true", std::move(body), Repeatable::kYes, deadline);
    if (!written) return fail(of(name, std::move(written).error()));
    points = points.subspan(n);
  }
  return {};
}

Result<std::int64_t> copy_points(QdrantApi& from, QdrantApi& to, const std::string& name, const std::string& begin,
                                 const CopyProgress& progress, const Deadline& deadline) {
  std::int64_t done = 0;
  for (std::string next = begin;;) {
    PANDORA_TRY(page, read_page(from, name, next, deadline));
    PANDORA_CHECK(write_points(to, name, page.points, deadline));
    done += static_cast<std::int64_t>(page.points.size());
    next = page.next;
    PANDORA_CHECK(progress(done, next));
    if (next.empty()) return done;
  }
}

Result<std::int64_t> export_collection(QdrantApi& api, const std::string& name, const LineSink& sink,
                                       const CopyProgress& progress, const Deadline& deadline) {
  PANDORA_TRY(picture, picture_of(api, name, deadline));
  PANDORA_TRY(create, parse_json(picture.create, kMaxInfoBytes, name));
  Json indexes = Json::object();
  for (const auto& [field, schema] : picture.indexes) {
    PANDORA_TRY(parsed, parse_json(schema, kMaxInfoBytes, field));
    indexes[field] = std::move(parsed);
  }
  PANDORA_CHECK(sink(dump_json({{"format", kFormatName},
                                {"version", kFormat},
                                {"collection", name},
                                {"create", create},
                                {"indexes", indexes},
                                {"aliases", picture.aliases}})));
  std::int64_t done = 0;
  for (std::string next;;) {
    PANDORA_TRY(page, read_page(api, name, next, deadline));
    for (const auto& point : page.points) PANDORA_CHECK(sink(point));
    done += static_cast<std::int64_t>(page.points.size());
    next = page.next;
    PANDORA_CHECK(progress(done, next));
    if (next.empty()) break;
  }
  PANDORA_CHECK(sink(dump_json({{"points", done}})));
  return done;
}

Result<std::optional<std::string>> LineImporter::line() {
  for (;;) {
    PANDORA_TRY(read, source_());
    if (read) ++at_;
    if (!read || !trim(*read).empty()) return read;
  }
}

tl::unexpected<Error> LineImporter::wrong(std::string_view why) const {
  return fail(ErrorCode::kDataCorrupt, fmt::format("line {}: {}", at_, why),
              "it should come from `pandora vectors export`");
}

Result<std::optional<ImportedCollection>> LineImporter::next(const CopyProgress& progress, const Deadline& deadline) {
  PANDORA_TRY(head, line());
  if (!head) return std::optional<ImportedCollection>();
  const auto json = parse_json(*head, kMaxInfoBytes, "a collection");
  if (!json || member(*json, "format") != kFormatName) return wrong("this does not begin a collection");
  JsonReader in(*json, fmt::format("line {}", at_));
  in.text("format");
  if (const std::int64_t version = in.integer("version"); in.ok() && version > kFormat)
    return fail(ErrorCode::kIncompatible, fmt::format("line {}: it is of version {}", at_, version),
                "use the program that wrote it, or a newer one");
  CollectionPicture picture;
  picture.name = in.text("collection");
  if (const Json* create = in.object("create")) picture.create = dump_json(*create);
  if (const Json* indexes = in.object("indexes"))
    for (const auto& [field, schema] : indexes->items()) picture.indexes.emplace_back(field, dump_json(schema));
  picture.aliases = in.texts("aliases");
  PANDORA_CHECK(in.finish());
  ImportedCollection imported{picture.name, 0, {}};
  PANDORA_TRY(left_out, make_collection(api_, picture, deadline));
  imported.left_out = std::move(left_out);
  std::vector<std::string> points;
  for (;;) {
    PANDORA_TRY(text, line());
    if (!text) return wrong("the collection does not end: something is missing behind it");
    const auto tape = JsonTape::parse(*text);
    if (!tape || !tape->root().is_object()) return wrong("this is no point");
    const JsonNode end = tape->root().find("points");
    const bool whole = tape->root().find("id") && tape->root().find("vector");
    if (!end && !whole) return wrong("this is no point");
    if (!end) points.push_back(*std::move(text));
    if (points.size() == kCopiedAtOnce || end) {
      PANDORA_CHECK(write_points(api_, picture.name, points, deadline));
      imported.points += static_cast<std::int64_t>(points.size());
      points.clear();
      PANDORA_CHECK(progress(imported.points, ""));
    }
    if (!end) continue;
    if (end.integer() != imported.points)
      return wrong(fmt::format("{} points stand before it, it says {}", imported.points, end.raw()));
    PANDORA_CHECK(make_aliases(api_, picture, deadline));
    return std::optional(std::move(imported));
  }
}

}  // namespace pandora
