#include "wire/qdrant_collection.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "wire/qdrant_read.h"
#include "wire/qdrant_settings.h"
#include "wire/qdrant_vectors.h"

namespace pandora::qdrant {
namespace {

constexpr std::string_view kForbidden = "<>:\"/\\|?*";

Fault no_schema() { return bad_format("data did not match any variant of untagged enum PayloadFieldSchema"); }
Fault no_vectors() { return bad_format("data did not match any variant of untagged enum VectorsConfig"); }

JsonNode either(JsonNode body, const char* name, const char* alias) {
  const JsonNode found = optional_member(body, name);
  return found ? found : optional_member(body, alias);
}

// The bodies that make and change a collection, and what its file keeps of them. That was read once: a setting of it
// that is refused today is left out rather than lost with the whole collection.
class CollectionReader {
 public:
  enum class From { kRequest, kFile };
  explicit CollectionReader(From from) : from_(from) {}

  Outcome<CollectionParams> create(JsonNode body) {
    if (!body.is_object()) return fail(invalid_type(body, "struct CreateCollection"));
    CollectionParams params;
    if (const JsonNode vectors = body.find("vectors")) PANDORA_CHECK(dense_all(vectors, params));
    if (const JsonNode sparse = optional_member(body, "sparse_vectors")) PANDORA_CHECK(sparse_all(sparse, params));
    PANDORA_CHECK(blocks(body, Disabling::kRefused, params.hints));
    if (const JsonNode log = optional_member(body, "wal_config"))
      PANDORA_CHECK(keep(params.hints, "wal_config", read_settings(SettingsOf::kLog, log, "wal_config", objections_)));
    for (const char* name : {"shard_number", "replication_factor", "write_consistency_factor"})
      if (const JsonNode given = optional_member(body, name))
        PANDORA_CHECK(keep(params.hints, name, read_factor(given, name, objections_)));
    if (const JsonNode given = optional_member(body, "on_disk_payload"))
      PANDORA_CHECK(keep(params.hints, "on_disk_payload", read_bool(given)));
    if (const JsonNode sharding = optional_member(body, "sharding_method")) {
      if (sharding.text_is("custom"))
        objections_.not_served(not_served("shards by key"));
      else if (!sharding.text_is("auto"))
        return fail(bad_format("unknown variant of ShardingMethod, expected `auto` or `custom`"));
    }
    if (from_ == From::kFile) {
      for (const JsonNode changed : {optional_member(body, "params"), body})
        if (changed) PANDORA_CHECK(changed_params(changed, params.hints));
      return params;
    }
    PANDORA_CHECK(objections_.verdict());
    if (params.sparse.contains("")) return fail(wrong_input("Sparse vector name cannot be empty"));
    for (const auto& [name, modifier] : params.sparse)
      if (params.dense.contains(name))
        return fail(
            wrong_input(fmt::format("Dense and sparse vector names must be unique - duplicate found with '{}'", name)));
    if (params.dense.size() + params.sparse.size() > kMaxNamedVectors)
      return fail(bad_value(fmt::format("vectors: more than {}", kMaxNamedVectors)));
    return params;
  }

  Outcome<Json> update(JsonNode body) {
    if (!body.is_object()) return fail(invalid_type(body, "struct UpdateCollection"));
    Json hints = Json::object();
    if (const JsonNode vectors = optional_member(body, "vectors")) {
      if (!vectors.is_object()) return fail(invalid_type(vectors, "a map"));
      for (JsonNode key = vectors.first(); key; key = key.next().next())
        PANDORA_CHECK(of_vector(key.next(), "vectors." + key.text(), Disabling::kTaken, hints["vectors"][key.text()]));
    }
    if (const JsonNode sparse = optional_member(body, "sparse_vectors")) {
      CollectionParams params;
      PANDORA_CHECK(sparse_all(sparse, params));
      hints.update(params.hints);
    }
    PANDORA_CHECK(blocks(body, Disabling::kTaken, hints));
    if (const JsonNode changed = optional_member(body, "params")) PANDORA_CHECK(changed_params(changed, hints));
    PANDORA_CHECK(objections_.verdict());
    return hints;
  }

 private:
  template <class T>
  Outcome<void> keep(Json& hints, const std::string& name, Outcome<T> read) {
    if (read)
      hints[name] = *std::move(read);
    else if (from_ == From::kRequest)
      return fail(std::move(read).error());
    return {};
  }

  // What both bodies may have.
  Outcome<void> blocks(JsonNode body, Disabling disabling, Json& hints) {
    if (const JsonNode given = optional_member(body, "hnsw_config"))
      PANDORA_CHECK(keep(hints, "hnsw_config", read_settings(SettingsOf::kGraph, given, "hnsw_config", objections_)));
    if (const JsonNode given = either(body, "optimizers_config", "optimizer_config"))
      PANDORA_CHECK(keep(hints, "optimizers_config",
                         read_settings(SettingsOf::kOptimizers, given, "optimizers_config", objections_)));
    if (const JsonNode given = either(body, "quantization_config", "quantization"))
      PANDORA_CHECK(
          keep(hints, "quantization_config", read_quantization(given, "quantization_config", disabling, objections_)));
    if (const JsonNode given = optional_member(body, "strict_mode_config")) {
      PANDORA_CHECK(keep(hints, "strict_mode_config",
                         read_settings(SettingsOf::kStrictMode, given, "strict_mode_config", objections_)));
      if (const JsonNode enabled = given.find("enabled"); enabled && enabled.kind() == JsonKind::kTrue)
        objections_.not_served(not_served("the strict mode"));
    }
    if (const JsonNode given = optional_member(body, "metadata"))
      PANDORA_CHECK(keep(hints, "metadata", read_metadata(given)));
    return {};
  }

  // They stand beside what a collection was made with.
  Outcome<void> changed_params(JsonNode node, Json& hints) {
    auto read = read_settings(SettingsOf::kChangedParams, node, "params", objections_);
    if (!read) return from_ == From::kFile ? Outcome<void>() : fail(std::move(read).error());
    for (const char* name : {"replication_factor", "write_consistency_factor"})
      if (read->value(name, 1) == 0)
        return fail(bad_format(fmt::format("invalid value: integer `0`, expected a nonzero u32 for `{}`", name)));
    hints.update(*read);
    return {};
  }

  Outcome<void> of_vector(JsonNode node, const std::string& place, Disabling disabling, Json& hints) {
    hints = Json::object();
    if (!node.is_object()) return fail(invalid_type(node, "struct VectorParamsDiff"));
    if (const JsonNode given = optional_member(node, "hnsw_config"))
      PANDORA_CHECK(
          keep(hints, "hnsw_config", read_settings(SettingsOf::kGraph, given, place + ".hnsw_config", objections_)));
    if (const JsonNode given = either(node, "quantization_config", "quantization"))
      PANDORA_CHECK(keep(hints, "quantization_config",
                         read_quantization(given, place + ".quantization_config", disabling, objections_)));
    if (const JsonNode given = optional_member(node, "on_disk"))
      PANDORA_CHECK(keep(hints, "on_disk", read_bool(given)));
    return {};
  }

  Outcome<void> dense(const std::string& name, JsonNode node, const std::string& place, CollectionParams& params) {
    const JsonNode size = node.find("size"), distance = node.find("distance");
    const auto given = size ? size.unsigned_integer() : std::nullopt;
    if (!given || *given == 0 || !distance) return fail(no_vectors());
    constexpr Distance kAll[] = {Distance::kCosine, Distance::kDot, Distance::kEuclid, Distance::kManhattan};
    const auto* named = std::ranges::find_if(kAll, [&](Distance one) { return distance.text_is(to_string(one)); });
    if (named == std::end(kAll)) return fail(no_vectors());
    if (*given > kMaxVectorSize)
      objections_.out_of_bounds(
          bad_value(fmt::format("{}.size: value {} invalid, must be from 1 to {}", place, *given, kMaxVectorSize)));
    Json& hints = params.hints["vectors"][name];
    PANDORA_CHECK(of_vector(node, place, Disabling::kRefused, hints));
    if (const JsonNode type = optional_member(node, "datatype")) {
      if (type.text_is("uint8") || type.text_is("float16"))
        objections_.not_served(not_served("vectors of another type than float32"));
      else if (!type.text_is("float32"))
        return fail(no_vectors());
      hints["datatype"] = type.text();
    }
    if (const JsonNode several = optional_member(node, "multivector_config")) {
      const JsonNode comparator = several.is_object() ? several.find("comparator") : JsonNode();
      if (!comparator || !comparator.text_is("max_sim")) return fail(no_vectors());
      objections_.not_served(not_served("multivectors"));
    }
    params.dense[name] = {static_cast<std::size_t>(*given), *named};
    return {};
  }

  Outcome<void> dense_all(JsonNode node, CollectionParams& params) {
    if (!node.is_object()) return fail(no_vectors());
    const JsonNode size = node.find("size"), distance = node.find("distance");
    if ((size && !size.is_object()) || (distance && !distance.is_object())) return dense("", node, "vectors", params);
    for (JsonNode key = node.first(); key; key = key.next().next()) {
      if (!key.next().is_object()) return fail(no_vectors());
      PANDORA_CHECK(dense(key.text(), key.next(), "vectors." + key.text(), params));
    }
    return {};
  }

  Outcome<void> sparse_all(JsonNode node, CollectionParams& params) {
    if (!node.is_object()) return fail(invalid_type(node, "a map"));
    Json& all = params.hints["sparse_vectors"] = Json::object();
    for (JsonNode key = node.first(); key; key = key.next().next()) {
      const std::string name = key.text();
      SparseModifier modifier = SparseModifier::kNone;
      if (!key.next().is_object()) return fail(invalid_type(key.next(), "struct SparseVectorParams"));
      Json& hints = all[name] = Json::object();
      if (const JsonNode index = optional_member(key.next(), "index")) {
        PANDORA_CHECK(keep(
            hints, "index",
            read_settings(SettingsOf::kSparseIndex, index, fmt::format("sparse_vectors.{}.index", name), objections_)));
        if (hints.contains("index") && hints["index"].value("datatype", "float32") != "float32")
          objections_.not_served(not_served("sparse vectors of another type than float32"));
      }
      if (const JsonNode given = optional_member(key.next(), "modifier")) {
        if (given.text_is("idf"))
          modifier = SparseModifier::kIdf;
        else if (!given.text_is("none"))
          return fail(bad_format(fmt::format("unknown variant `{}`, expected `none` or `idf`",
                                             given.is_string() ? given.text() : std::string(given.raw()))));
        hints["modifier"] = given.text();
      }
      params.sparse[name] = modifier;
    }
    return {};
  }

  const From from_;
  Objections objections_;
};

}  // namespace

std::string_view to_string(Distance distance) {
  constexpr std::string_view kNames[] = {"Cosine", "Dot", "Euclid", "Manhattan"};
  return kNames[static_cast<std::size_t>(distance)];
}
std::string_view to_string(FieldType type) {
  constexpr std::string_view kNames[] = {"keyword", "integer", "float", "bool", "datetime", "uuid", "text"};
  return kNames[static_cast<std::size_t>(type)];
}

namespace {

Fault bad_name(const std::string& why) {
  return {422, fmt::format("Validation error in path parameters: [collection_name: {}]", why)};
}

}  // namespace

Outcome<void> check_name_length(std::string_view name) {
  const auto begins = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; };  // a character
  if (!name.empty() && std::ranges::count_if(name, begins) <= static_cast<std::ptrdiff_t>(kMaxCollectionName))
    return {};
  return fail(bad_name(
      fmt::format("value \"{}\" invalid, must be from 1 to {} characters", ellipsize(name, 300), kMaxCollectionName)));
}

Outcome<void> check_collection_name(std::string_view name) {
  PANDORA_CHECK(check_name_length(name));
  if (name == "." || name == "..") return fail(bad_name(fmt::format("collection name cannot be \"{}\"", name)));
  for (const char c : name)
    if (static_cast<unsigned char>(c) < 0x20 || kForbidden.find(c) != std::string_view::npos)
      return fail(bad_name(fmt::format("collection name cannot contain {} char", Json(std::string(1, c)).dump())));
  if (!is_valid_utf8(name)) return fail(bad_name("collection name is no UTF-8"));
  return {};
}

Outcome<CollectionParams> read_create_collection(JsonNode body) {
  return CollectionReader(CollectionReader::From::kRequest).create(body);
}

Outcome<CollectionParams> read_kept_collection(JsonNode json) {
  return CollectionReader(CollectionReader::From::kFile).create(json);
}

Outcome<Json> read_update_collection(JsonNode body) {
  return CollectionReader(CollectionReader::From::kRequest).update(body);
}

Outcome<std::vector<AliasAction>> read_alias_actions(JsonNode body) {
  PANDORA_TRY(list, required(body, "actions"));
  if (!list.is_array()) return fail(invalid_type(list, "a sequence"));
  std::vector<AliasAction> actions;
  for (JsonNode item = list.first(); item; item = item.next()) {
    if (actions.size() == kMaxAliasActions)
      return fail(bad_value(fmt::format("actions: more than {}", kMaxAliasActions)));
    AliasAction action;
    if (const JsonNode create = item.find("create_alias")) {
      PANDORA_TRY(collection, required_string(create, "collection_name"));
      PANDORA_TRY(alias, required_string(create, "alias_name"));
      action = {AliasAction::Kind::kCreate, std::move(alias), std::move(collection), ""};
    } else if (const JsonNode remove = item.find("delete_alias")) {
      PANDORA_TRY(alias, required_string(remove, "alias_name"));
      action = {AliasAction::Kind::kDelete, std::move(alias), "", ""};
    } else if (const JsonNode rename = item.find("rename_alias")) {
      PANDORA_TRY(alias, required_string(rename, "old_alias_name"));
      PANDORA_TRY(renamed, required_string(rename, "new_alias_name"));
      action = {AliasAction::Kind::kRename, std::move(alias), "", std::move(renamed)};
    } else {
      return fail(bad_format("data did not match any variant of untagged enum AliasOperations"));
    }
    actions.push_back(std::move(action));
  }
  return actions;
}

Outcome<FieldSchema> read_field_schema(JsonNode node) {
  const Fault none = no_schema();
  FieldSchema schema;
  JsonNode type = node;
  if (node.is_object()) {
    type = node.find("type");
    append_compact(schema.given, node);
  }
  if (!type || !type.is_string()) return fail(none);
  if (type.text_is("geo")) return fail(not_served("geographical indexes"));
  constexpr FieldType kTypes[] = {FieldType::kKeyword,  FieldType::kInteger, FieldType::kFloat, FieldType::kBool,
                                  FieldType::kDatetime, FieldType::kUuid,    FieldType::kText};
  const auto* found = std::begin(kTypes);
  while (found != std::end(kTypes) && !type.text_is(to_string(*found))) ++found;
  if (found == std::end(kTypes)) return fail(none);
  schema.type = *found;
  if (!node.is_object()) return schema;
  for (const auto& [name, flag] : {std::pair{"lookup", &schema.lookup},
                                   {"range", &schema.range},
                                   {"lowercase", &schema.text.lowercase},
                                   {"phrase_matching", &schema.text.phrases}})
    if (const JsonNode given = optional_member(node, name)) {
      if (!given.is_bool()) return fail(none);
      *flag = given.kind() == JsonKind::kTrue;
    }
  if (schema.type != FieldType::kText) return schema;
  for (const auto& [name, size] :
       {std::pair{"min_token_len", &schema.text.min_length}, {"max_token_len", &schema.text.max_length}})
    if (const JsonNode given = optional_member(node, name)) {
      if (!given.unsigned_integer()) return fail(none);
      *size = static_cast<std::size_t>(*given.unsigned_integer());
    }
  for (const char* name : {"stopwords", "stemmer"})
    if (optional_member(node, name)) return fail(not_served(fmt::format("`{}` of a text index", name)));
  if (const JsonNode folding = optional_member(node, "ascii_folding"); folding && folding.kind() == JsonKind::kTrue)
    return fail(not_served("`ascii_folding` of a text index"));
  if (const JsonNode tokenizer = optional_member(node, "tokenizer")) {
    using enum TextOptions::Tokenizer;
    if (tokenizer.text_is("word"))
      schema.text.tokenizer = kWord;
    else if (tokenizer.text_is("whitespace"))
      schema.text.tokenizer = kWhitespace;
    else if (tokenizer.text_is("prefix"))
      schema.text.tokenizer = kPrefix;
    else if (tokenizer.text_is("multilingual"))
      return fail(not_served("the tokenizer `multilingual`"));
    else
      return fail(none);
  }
  return schema;
}

Outcome<IndexRequest> read_create_index(JsonNode body) {
  PANDORA_TRY(name, required(body, "field_name"));
  PANDORA_TRY(path, read_path(name));
  const JsonNode first = optional_member(body, "field_schema"),
                 given = first ? first : optional_member(body, "field_type");
  if (!given) return fail(bad_request("Can't auto-detect field type, please specify `field_schema` in the request"));
  PANDORA_TRY(schema, read_field_schema(given));
  if (given.is_object())
    for (const char* flag : {"is_tenant", "is_principal", "on_disk", "enable_hnsw"})
      if (const JsonNode value = optional_member(given, flag); value && !value.is_bool()) return fail(no_schema());
  if (schema.type == FieldType::kInteger && !schema.lookup && !schema.range)
    return fail(bad_value("field_schema.lookup: the 'lookup' and 'range' capabilities can't be both disabled"));
  return IndexRequest{std::move(path), std::move(schema)};
}

}  // namespace pandora::qdrant
