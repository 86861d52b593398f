#include "wire/qdrant_collection.h"

#include <fmt/format.h>

#include "base/text.h"
#include "wire/qdrant_read.h"
#include "wire/qdrant_vectors.h"

namespace pandora::qdrant {
namespace {

constexpr std::string_view kForbidden = "<>:\"/\\|?*";

// Kept and given back; they change no answer.
constexpr const char* kHints[] = {"hnsw_config",
                                  "optimizers_config",
                                  "wal_config",
                                  "quantization_config",
                                  "shard_number",
                                  "replication_factor",
                                  "write_consistency_factor",
                                  "read_fan_out_factor",
                                  "on_disk_payload",
                                  "strict_mode_config",
                                  "metadata",
                                  "params",
                                  "vectors",
                                  "sparse_vectors"};

Json to_json(JsonNode node) { return Json::parse(node.raw(), nullptr, false); }

Fault no_vectors() { return bad_format("data did not match any variant of untagged enum VectorsConfig"); }

Outcome<DenseParams> read_dense_params(JsonNode node, const std::string& place) {
  const JsonNode size = node.find("size"), distance = node.find("distance");
  const auto given = size ? size.unsigned_integer() : std::nullopt;
  if (!given || *given == 0 || !distance || !distance.is_string()) return fail(no_vectors());
  DenseParams params;
  const auto name = distance.text();
  if (name == "Cosine")
    params.distance = Distance::kCosine;
  else if (name == "Dot")
    params.distance = Distance::kDot;
  else if (name == "Euclid")
    params.distance = Distance::kEuclid;
  else if (name == "Manhattan")
    params.distance = Distance::kManhattan;
  else
    return fail(no_vectors());
  if (*given > kMaxVectorSize)
    return fail(
        bad_value(fmt::format("{}.size: value {} invalid, must be from 1 to {}", place, *given, kMaxVectorSize)));
  params.size = static_cast<std::size_t>(*given);
  if (optional_member(node, "multivector_config")) return fail(not_served("multivectors"));
  if (const JsonNode type = optional_member(node, "datatype"); type && !type.text_is("float32"))
    return fail(not_served("vectors of another type than float32"));
  return params;
}

Outcome<void> read_dense_all(JsonNode node, CollectionParams& params) {
  if (!node.is_object()) return fail(no_vectors());
  if (node.find("size") || node.find("distance")) {
    PANDORA_TRY(one, read_dense_params(node, "vectors"));
    params.dense[""] = one;
    return {};
  }
  for (JsonNode key = node.first(); key; key = key.next().next()) {
    if (!key.next().is_object()) return fail(no_vectors());
    PANDORA_TRY(one, read_dense_params(key.next(), "vectors." + key.text()));
    params.dense[key.text()] = one;
  }
  return {};
}

Outcome<void> read_sparse_all(JsonNode node, CollectionParams& params) {
  if (!node.is_object()) return fail(invalid_type(node, "a map"));
  for (JsonNode key = node.first(); key; key = key.next().next()) {
    SparseModifier modifier = SparseModifier::kNone;
    if (!key.next().is_object()) return fail(invalid_type(key.next(), "struct SparseVectorParams"));
    if (const JsonNode given = optional_member(key.next(), "modifier")) {
      if (given.text_is("idf"))
        modifier = SparseModifier::kIdf;
      else if (!given.text_is("none"))
        return fail(bad_format(fmt::format("unknown variant `{}`, expected `none` or `idf`",
                                           given.is_string() ? given.text() : std::string(given.raw()))));
    }
    params.sparse[key.text()] = modifier;
  }
  if (params.sparse.contains("")) return fail(wrong_input("Sparse vector name cannot be empty"));
  return {};
}

Outcome<void> check_hints(JsonNode body) {
  for (const char* name : {"hnsw_config", "optimizers_config", "wal_config", "params", "strict_mode_config"})
    if (const JsonNode given = optional_member(body, name); given && !given.is_object())
      return fail(invalid_type(given, fmt::format("struct {}", name)));
  for (const char* name : {"shard_number", "replication_factor", "write_consistency_factor"})
    if (const JsonNode given = optional_member(body, name)) {
      PANDORA_TRY(number, read_size(given));
      if (number == 0) return fail(bad_value(fmt::format("{}: value 0 invalid, must be 1 or larger", name)));
    }
  if (const JsonNode strict = optional_member(body, "strict_mode_config"))
    if (const JsonNode enabled = strict.find("enabled"); enabled && enabled.kind() == JsonKind::kTrue)
      return fail(not_served("the strict mode"));
  return {};
}

Json hints_of(JsonNode body) {
  Json hints = Json::object();
  for (const char* name : kHints)
    if (const JsonNode given = optional_member(body, name)) hints[name] = to_json(given);
  return hints;
}

}  // namespace

std::string_view to_string(Distance distance) {
  constexpr std::string_view kNames[] = {"Cosine", "Dot", "Euclid", "Manhattan"};
  return kNames[static_cast<std::size_t>(distance)];
}
std::string_view to_string(FieldType type) {
  constexpr std::string_view kNames[] = {"keyword", "integer", "float", "bool", "datetime", "uuid", "text"};
  return kNames[static_cast<std::size_t>(type)];
}

Outcome<void> check_collection_name(std::string_view name) {
  const auto refuse = [](const std::string& why) {
    return fail(Fault{422, fmt::format("Validation error in path parameters: [collection_name: {}]", why)});
  };
  if (name.empty() || name.size() > kMaxCollectionName)
    return refuse(
        fmt::format("value \"{}\" invalid, must be from 1 to {} characters", ellipsize(name, 300), kMaxCollectionName));
  if (name == "." || name == "..") return refuse(fmt::format("collection name cannot be \"{}\"", name));
  for (const char c : name)
    if (static_cast<unsigned char>(c) < 0x20 || kForbidden.find(c) != std::string_view::npos)
      return refuse(fmt::format("collection name cannot contain {} char", Json(std::string(1, c)).dump()));
  if (!is_valid_utf8(name)) return refuse("collection name is no UTF-8");
  return {};
}

Outcome<CollectionParams> read_create_collection(JsonNode body) {
  if (!body.is_object()) return fail(invalid_type(body, "struct CreateCollection"));
  CollectionParams params;
  if (const JsonNode vectors = optional_member(body, "vectors")) PANDORA_CHECK(read_dense_all(vectors, params));
  if (const JsonNode sparse = optional_member(body, "sparse_vectors")) PANDORA_CHECK(read_sparse_all(sparse, params));
  for (const auto& [name, modifier] : params.sparse)
    if (params.dense.contains(name))
      return fail(
          wrong_input(fmt::format("Dense and sparse vector names must be unique - duplicate found with '{}'", name)));
  if (params.dense.size() + params.sparse.size() > kMaxNamedVectors)
    return fail(bad_value(fmt::format("vectors: more than {}", kMaxNamedVectors)));
  if (const JsonNode sharding = optional_member(body, "sharding_method"); sharding && !sharding.text_is("auto"))
    return fail(not_served("shards by key"));
  if (optional_member(body, "init_from")) return fail(not_served("`init_from`"));
  PANDORA_CHECK(check_hints(body));
  params.hints = hints_of(body);
  return params;
}

Outcome<Json> read_update_collection(JsonNode body) {
  if (!body.is_object()) return fail(invalid_type(body, "struct UpdateCollection"));
  PANDORA_CHECK(check_hints(body));
  return hints_of(body);
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
  const Fault none = bad_format("data did not match any variant of untagged enum PayloadFieldSchema");
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
  return IndexRequest{std::move(path), std::move(schema)};
}

}  // namespace pandora::qdrant
