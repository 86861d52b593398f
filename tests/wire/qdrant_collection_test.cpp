#include "wire/qdrant_collection.h"

#include <gtest/gtest.h>

#include "wire/qdrant_settings.h"

namespace pandora::qdrant {
namespace {

CollectionParams kept(const std::string& json) {
  return read_kept_collection(JsonTape::parse(json).value().root()).value();
}

TEST(QdrantCollection, what_its_file_keeps_of_it_is_what_it_was_made_with) {
  const std::string body =
      R"({"vectors":{"a":{"size":2,"distance":"Dot","on_disk":true},"b":{"size":3,"distance":"Euclid"}},
      "sparse_vectors":{"s":{"modifier":"idf","index":{"on_disk":true}}},"hnsw_config":{"m":8},"metadata":{"k":[1,null]},
      "quantization_config":{"turbo":{"bits":"bits2"}},"replication_factor":2})";
  const auto made = read_create_collection(JsonTape::parse(body).value().root()).value();
  const auto again = kept(params_to_json(made));
  EXPECT_EQ(again.dense, made.dense);
  EXPECT_EQ(again.sparse, made.sparse);
  EXPECT_EQ(again.hints, made.hints);
  EXPECT_EQ(config_of(again), config_of(made));
  const Json update{{"params", {{"read_fan_out_factor", 3}, {"read_fan_out_delay_ms", 9}}},
                    {"sparse_vectors", {{"s", {{"modifier", "none"}}}}}};
  const std::string text = update.dump();
  const auto changed = with_update(made, read_update_collection(JsonTape::parse(text).value().root()).value());
  EXPECT_EQ(changed.sparse.at("s"), SparseModifier::kNone);
  EXPECT_EQ(config_of(kept(params_to_json(changed))), config_of(changed));
  EXPECT_EQ(config_of(changed)["params"]["read_fan_out_delay_ms"], 9);
}

// Settings were once kept unread.
TEST(QdrantCollection, a_setting_of_its_file_that_is_refused_today_is_left_out_and_nothing_else_is) {
  const auto params = kept(R"({"vectors":{"size":4,"distance":"Dot","on_disk":"x","hnsw_config":{"m":-1}},
      "sparse_vectors":{"s":{"index":{"on_disk":1},"modifier":"idf"}},"quantization_config":"x","metadata":7,
      "hnsw_config":{"ef_construct":1},"wal_config":{"wal_capacity_mb":"x"},"params":{"replication_factor":3},
      "shard_number":-1,"strict_mode_config":{"enabled":"x"}})");
  EXPECT_EQ(params.dense.at("").size, 4U);
  EXPECT_EQ(params.sparse.at("s"), SparseModifier::kIdf);
  const Json config = config_of(params);
  EXPECT_EQ(config["params"]["vectors"], (Json{{"size", 4}, {"distance", "Dot"}}));
  EXPECT_EQ(config["params"]["sparse_vectors"], (Json{{"s", {{"modifier", "idf"}}}}));
  EXPECT_EQ(config["params"]["replication_factor"], 3);
  EXPECT_TRUE(config["quantization_config"].is_null());
  EXPECT_FALSE(config.contains("metadata"));
}

TEST(QdrantCollection, metadata_with_a_number_that_nothing_holds_is_refused) {
  const auto status = [](const char* number) {
    const std::string body = std::string(R"({"metadata":{"k":[)") + number + "]}}";
    const JsonTape tape = JsonTape::parse(body).value();
    const auto made = read_create_collection(tape.root());
    const auto changed = read_update_collection(tape.root());
    EXPECT_EQ(made.has_value(), changed.has_value()) << number;
    return made ? 200 : made.error().status;
  };
  EXPECT_EQ(status("1e308"), 200);
  EXPECT_EQ(status("-1e-400"), 200);
  EXPECT_EQ(status("1e309"), 400);
  EXPECT_EQ(status("-1e309"), 400);
  EXPECT_FALSE(config_of(kept(R"({"metadata":{"k":1e309}})")).contains("metadata"));
}

TEST(QdrantCollection, a_setting_is_taken_at_its_bound_and_refused_past_it) {
  const auto status = [](const char* settings) {
    const std::string body = std::string(R"({"vectors":{"size":4,"distance":"Dot"},)") + settings + "}";
    const auto read = read_create_collection(JsonTape::parse(body).value().root());
    return read ? 200 : read.error().status;
  };
  EXPECT_EQ(status(R"("hnsw_config":{"ef_construct":4,"full_scan_threshold":10})"), 200);
  EXPECT_EQ(status(R"("hnsw_config":{"ef_construct":3})"), 422);
  EXPECT_EQ(status(R"("hnsw_config":{"full_scan_threshold":9})"), 422);
  EXPECT_EQ(
      status(R"("optimizers_config":{"deleted_threshold":1,"vacuum_min_vector_number":100,"max_segment_size":1})"),
      200);
  EXPECT_EQ(status(R"("optimizers_config":{"deleted_threshold":1.01})"), 422);
  EXPECT_EQ(status(R"("optimizers_config":{"deleted_threshold":-0.01})"), 422);
  EXPECT_EQ(status(R"("quantization_config":{"scalar":{"type":"int8","quantile":0.5}})"), 200);
  EXPECT_EQ(status(R"("quantization_config":{"scalar":{"type":"int8","quantile":0.49}})"), 422);
  EXPECT_EQ(status(R"("shard_number":4294967295)"), 200);
  EXPECT_EQ(status(R"("shard_number":4294967296)"), 400);
}

}  // namespace
}  // namespace pandora::qdrant
