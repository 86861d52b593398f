// Which queries are answered where they were read.
#include <gtest/gtest.h>

#include "vectors/searching.h"

namespace pandora::qdrant {
namespace {

constexpr std::size_t kSize = 1'024, kPoints = 64;

class QueryCost : public ::testing::Test {
 protected:
  QueryCost() {
    const std::string size = std::to_string(kSize);
    const std::string body =
        R"({"vectors":{"dense":{"size":)" + size + R"(,"distance":"Manhattan"}},"sparse_vectors":{"terms":{}}})";
    const JsonTape tape = JsonTape::parse(body).value();
    memory_.emplace(read_create_collection(tape.root()).value());
    for (std::size_t i = 0; i < kPoints; ++i) {
      StoredPoint point{PointId::of(i), i + 1, "{}", {}};
      point.vectors[0] = std::vector<float>(kSize, static_cast<float>(i));
      memory_->put(point);
    }
  }
  bool is_quick(const std::string& body) const {
    const JsonTape tape = JsonTape::parse(body).value();
    return qdrant::is_quick(read_query(tape.root()).value(), *memory_);
  }
  static std::string vector() {
    std::string text = "[0";
    for (std::size_t i = 1; i < kSize; ++i) text += ",0";
    return text + "]";
  }
  static std::string fused(std::size_t count, const std::string& one) {
    std::string body = "{\"prefetch\":[";
    for (std::size_t i = 0; i < count; ++i) body += (i > 0 ? "," : "") + one;
    return body + "],\"query\":{\"fusion\":\"rrf\"}}";
  }
  static std::string filter_of(std::size_t conditions) {
    std::string filter = R"({"must":[{"has_id":[1]})";
    for (std::size_t i = 1; i < conditions; ++i) filter += R"(,{"has_id":[1]})";
    return filter + "]}";
  }
  std::optional<CollectionMemory> memory_;
};

TEST_F(QueryCost, one_step_is_quick_and_so_many_together_that_each_is_quick_by_itself_are_not) {
  const std::string one = R"({"using":"dense","query":)" + vector() + "}";
  EXPECT_TRUE(is_quick(one));
  EXPECT_TRUE(is_quick(fused(61, one)));   // 61 · 64 · 1,024 components that are read
  EXPECT_FALSE(is_quick(fused(62, one)));  // more than four million
}

TEST_F(QueryCost, what_a_filter_looks_at_counts_with_a_sparse_vector_too) {
  const auto query = [](std::size_t conditions) {
    return R"({"using":"terms","query":{"indices":[1],"values":[1]},"filter":)" + filter_of(conditions) + "}";
  };
  EXPECT_TRUE(is_quick(query(100)));
  EXPECT_FALSE(is_quick(query(kMaxFilterConditions)));
}

}  // namespace
}  // namespace pandora::qdrant
