// How a collection describes itself: in its file, and to whoever asks for its info.
#include "wire/qdrant_collection.h"

namespace pandora::qdrant {
namespace {

Json of_dense(const DenseParams& params, const Json& given) {
  Json json = given.is_object() ? given : Json::object();
  json["size"] = params.size;
  json["distance"] = to_string(params.distance);
  return json;
}

Json member(const Json& object, const char* name) {
  return object.is_object() && object.contains(name) ? object.at(name) : Json();
}

// Its members replace those of the same name.
Json merged(Json into, const Json& changes) {
  if (!into.is_object()) into = Json::object();
  if (changes.is_object()) into.update(changes);
  return into;
}
Json merged(Json into, const Json& hints, const char* name) { return merged(std::move(into), member(hints, name)); }

Json vectors_of(const CollectionParams& params) {
  const Json hints = member(params.hints, "vectors");
  if (params.dense.size() == 1 && params.dense.begin()->first.empty())
    return of_dense(params.dense.begin()->second, member(hints, ""));
  Json all = Json::object();
  for (const auto& [name, dense] : params.dense) all[name] = of_dense(dense, member(hints, name.c_str()));
  return all;
}

Json sparse_of(const CollectionParams& params) {
  const Json hints = member(params.hints, "sparse_vectors");
  Json all = Json::object();
  for (const auto& [name, modifier] : params.sparse) {
    Json one = member(hints, name.c_str());
    if (!one.is_object()) one = Json::object();
    if (modifier == SparseModifier::kIdf) one["modifier"] = "idf";
    all[name] = std::move(one);
  }
  return all;
}

void replace_quantization(Json& hints, const Json& update) {
  if (!update.contains("quantization_config")) return;
  hints.erase("quantization_config");
  if (const Json& given = update.at("quantization_config"); !given.is_null()) hints["quantization_config"] = given;
}

}  // namespace

std::string params_to_json(const CollectionParams& params) {
  Json json = params.hints;
  json["vectors"] = vectors_of(params);
  json["sparse_vectors"] = sparse_of(params);
  return json.dump();
}

Json config_of(const CollectionParams& params) {
  const Json& hints = params.hints;
  Json of_params = {{"vectors", vectors_of(params)},
                    {"shard_number", 1},
                    {"replication_factor", 1},
                    {"write_consistency_factor", 1},
                    {"on_disk_payload", true}};
  for (const char* name : {"shard_number", "replication_factor", "write_consistency_factor", "read_fan_out_factor",
                           "read_fan_out_delay_ms", "on_disk_payload"})
    if (const Json given = member(hints, name); !given.is_null()) of_params[name] = given;
  if (!params.sparse.empty()) of_params["sparse_vectors"] = sparse_of(params);
  Json config = {{"params", std::move(of_params)},
                 {"hnsw_config", merged({{"m", 16},
                                         {"ef_construct", 100},
                                         {"full_scan_threshold", 10000},
                                         {"max_indexing_threads", 0},
                                         {"on_disk", false}},
                                        hints, "hnsw_config")},
                 {"optimizer_config", merged({{"deleted_threshold", 0.2},
                                              {"vacuum_min_vector_number", 1000},
                                              {"default_segment_number", 0},
                                              {"max_segment_size", nullptr},
                                              {"memmap_threshold", nullptr},
                                              {"indexing_threshold", 10000},
                                              {"flush_interval_sec", 5},
                                              {"max_optimization_threads", nullptr},
                                              {"prevent_unoptimized", nullptr}},
                                             hints, "optimizers_config")},
                 {"wal_config", merged({{"wal_capacity_mb", 32}, {"wal_segments_ahead", 0}, {"wal_retain_closed", 1}},
                                       hints, "wal_config")},
                 {"quantization_config", member(hints, "quantization_config")}};
  for (const char* name : {"strict_mode_config", "metadata"})
    if (const Json given = member(hints, name); !given.is_null()) config[name] = given;
  return config;
}

CollectionParams with_update(CollectionParams params, const Json& update) {
  Json& hints = params.hints;
  for (const auto& [name, given] : update.items()) {
    if (name == "hnsw_config" || name == "optimizers_config" || name == "strict_mode_config") {
      hints[name] = merged(member(hints, name.c_str()), given);
    } else if (name == "metadata") {
      Json& kept = hints[name] = merged(member(hints, "metadata"), given);
      for (const auto& [key, value] : given.items())
        if (value.is_null()) kept.erase(key);
    } else if (name == "vectors") {
      for (const auto& [vector, changes] : given.items()) {
        Json& kept = hints[name][vector];
        kept = merged(std::move(kept), Json::object());
        if (changes.contains("hnsw_config"))
          kept["hnsw_config"] = merged(member(kept, "hnsw_config"), changes.at("hnsw_config"));
        if (changes.contains("on_disk")) kept["on_disk"] = changes.at("on_disk");
        replace_quantization(kept, changes);
      }
    } else if (name == "sparse_vectors") {
      for (const auto& [vector, changes] : given.items()) {
        Json& kept = hints[name][vector];
        kept = merged(std::move(kept), Json::object());
        if (changes.contains("index")) kept["index"] = merged(member(kept, "index"), changes.at("index"));
        if (!changes.contains("modifier")) continue;
        kept["modifier"] = changes.at("modifier");
        params.sparse.at(vector) = kept["modifier"] == "idf" ? SparseModifier::kIdf : SparseModifier::kNone;
      }
    } else if (name != "quantization_config") {
      hints[name] = given;
    }
  }
  replace_quantization(hints, update);
  return params;
}

}  // namespace pandora::qdrant
