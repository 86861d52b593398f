#include "store_server/collection_json.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "wire/json_reader.h"

namespace pandora {
namespace {

constexpr const char* kOurs = "pandora";
constexpr std::int64_t kFormat = 1;
constexpr std::size_t kMaxInfoBytes = 4 << 20;

constexpr std::array<std::pair<PayloadType, std::string_view>, 7> kTypes = {{{PayloadType::kKeyword, "keyword"},
                                                                             {PayloadType::kInteger, "integer"},
                                                                             {PayloadType::kFloat, "float"},
                                                                             {PayloadType::kBool, "bool"},
                                                                             {PayloadType::kDatetime, "datetime"},
                                                                             {PayloadType::kText, "text"},
                                                                             {PayloadType::kUuid, "uuid"}}};

std::string name_of(PayloadType type) {
  return std::string(std::ranges::find(kTypes, type, &decltype(kTypes)::value_type::first)->second);
}

Json metadata_of(const CollectionSpec& spec) {
  Json indexes = Json::object();
  for (const auto& [field, type] : spec.indexes) indexes[field] = name_of(type);
  return {
      {"format", kFormat},  {"name", spec.name},         {"dimension", spec.dimension},      {"sparse", spec.sparse},
      {"indexes", indexes}, {"embedder", spec.embedder}, {"analyzer", spec.analyzer_version}};
}

Result<CollectionSpec> read_metadata(const Json& json, const std::string& shown) {
  JsonReader in(json, shown);
  const std::int64_t format = in.integer("format");
  if (in.ok() && format > kFormat)
    return fail(ErrorCode::kIncompatible, fmt::format("{} was made by a newer Pandora (form {})", shown, format),
                "use that program");
  CollectionSpec spec;
  spec.name = in.text("name");
  spec.dimension = static_cast<std::size_t>(in.integer("dimension"));
  spec.sparse = in.texts("sparse");
  spec.embedder = in.text("embedder");
  spec.analyzer_version = static_cast<int>(in.integer("analyzer"));
  if (const Json* indexes = in.object("indexes"))
    for (const auto& [field, type] : indexes->items()) {
      const auto known = std::ranges::find_if(kTypes, [&](const auto& one) { return type == one.second; });
      if (known == kTypes.end())
        in.fault("indexes", field + " has no type that is known");
      else
        spec.indexes[field] = known->first;
    }
  PANDORA_CHECK(in.finish());
  return spec;
}

Json at(const Json& json, std::initializer_list<const char*> path) {
  const Json* here = &json;
  for (const char* name : path) {
    if (!here->is_object() || !here->contains(name)) return nullptr;
    here = &(*here)[name];
  }
  return *here;
}

// What the server says that it is, against what its metadata says.
Status check_shape(const CollectionSpec& spec, const Json& info, const std::string& shown) {
  const auto wrong = [&](std::string what) {
    return fail(ErrorCode::kIncompatible, fmt::format("{} {}", shown, what),
                "remove that collection and run `pandora reconcile --apply`; its points are made again from the rows");
  };
  const Json vectors = at(info, {"config", "params", "vectors"});
  if (at(vectors, {"size"}) != spec.dimension)
    return wrong(fmt::format("should have {} dimensions, but its vectors are {}", spec.dimension, dump_json(vectors)));
  if (at(vectors, {"distance"}) != "Cosine")
    return wrong(fmt::format("should compare by Cosine, but its vectors are {}", dump_json(vectors)));
  const Json sparse = at(info, {"config", "params", "sparse_vectors"});
  for (const auto& name : spec.sparse)
    if (at(sparse, {name.c_str(), "modifier"}) != "idf")
      return wrong(fmt::format("should have a sparse vector {} with the modifier idf", name));
  return {};
}

}  // namespace

std::string create_json(const CollectionSpec& spec, const CollectionSpread& spread) {
  Json body = {{"vectors", {{"size", spec.dimension}, {"distance", "Cosine"}}},
               {"metadata", {{kOurs, metadata_of(spec)}}}};
  for (const auto& name : spec.sparse) body["sparse_vectors"][name] = {{"modifier", "idf"}};
  if (spread.shards > 0) body["shard_number"] = spread.shards;
  if (spread.replicas > 0) body["replication_factor"] = spread.replicas;
  if (spread.write_consistency > 0) body["write_consistency_factor"] = spread.write_consistency;
  return dump_json(body);
}

std::string index_json(const std::string& field, PayloadType type) {
  return dump_json({{"field_name", field}, {"field_schema", name_of(type)}});
}

Result<std::optional<KnownCollection>> read_collection(JsonNode result, const std::string& shown) {
  PANDORA_TRY(info, parse_json(result.raw(), kMaxInfoBytes, shown));
  const Json ours = at(info, {"config", "metadata", kOurs});
  if (ours.is_null()) return std::optional<KnownCollection>();
  PANDORA_TRY(spec, read_metadata(ours, shown));
  PANDORA_CHECK(check_shape(spec, info, shown));
  KnownCollection known{std::move(spec), {}};
  known.lacking = known.spec.indexes;
  for (const char* field : {"user_id", "scope"}) known.lacking.emplace(field, PayloadType::kKeyword);
  const Json schema = at(info, {"payload_schema"});
  std::erase_if(known.lacking, [&](const auto& index) {
    return at(schema, {index.first.c_str(), "data_type"}) == name_of(index.second);
  });
  return std::optional(std::move(known));
}

}  // namespace pandora
