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

Json merged(Json into, const Json& hints, const char* name) {
  if (const Json given = member(hints, name); given.is_object()) into.merge_patch(given);
  return into;
}

Json vectors_of(const CollectionParams& params) {
  const Json given = member(params.hints, "vectors");
  if (params.dense.size() == 1 && params.dense.begin()->first.empty()) {
    const Json hint = given.is_object() && given.contains("") ? given.at("") : given;
    return of_dense(params.dense.begin()->second, hint);
  }
  Json all = Json::object();
  for (const auto& [name, dense] : params.dense) all[name] = of_dense(dense, member(given, name.c_str()));
  return all;
}

Json sparse_of(const CollectionParams& params) {
  Json all = Json::object();
  for (const auto& [name, modifier] : params.sparse) {
    Json one = member(member(params.hints, "sparse_vectors"), name.c_str());
    if (!one.is_object()) one = Json::object();
    if (modifier == SparseModifier::kIdf) one["modifier"] = "idf";
    all[name] = std::move(one);
  }
  return all;
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
  for (const char* name :
       {"shard_number", "replication_factor", "write_consistency_factor", "read_fan_out_factor", "on_disk_payload"})
    if (const Json given = member(hints, name); !given.is_null()) of_params[name] = given;
  of_params = merged(std::move(of_params), hints, "params");
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

}  // namespace pandora::qdrant
