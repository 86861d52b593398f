#include "domain/sparse_weights.h"

#include <cmath>

#include <gtest/gtest.h>

#include "domain/analyzer.h"

namespace pandora {
namespace {

float weight_of(const SparseVector& vector, std::string_view term) {
  for (std::size_t i = 0; i < vector.indices.size(); ++i)
    if (vector.indices[i] == term_id(term)) return vector.values[i];
  return 0;
}

TEST(DocumentWeights, FollowTheFormula) {
  const WindowText window[] = {{0, "zebra zebra lion"}, {1, "lion"}, {2, "tiger"}};
  const SparseVector vector = document_weights(window);
  ASSERT_EQ(vector.indices.size(), 3U);
  const float length = 3 * 5 + 2 + 1;
  const auto expected = [&](float f) { return f * 2.2F / (f + 1.2F * (0.25F + 0.75F * length / 164)); };
  EXPECT_NEAR(weight_of(vector, "zebra"), expected(10), 1e-5);
  EXPECT_NEAR(weight_of(vector, "lion"), expected(7), 1e-5);
  EXPECT_NEAR(weight_of(vector, "tiger"), expected(1), 1e-5);
}

TEST(DocumentWeights, IndicesAscendStrictly) {
  const WindowText window[] = {{0, "many different words in one text here zebra lion tiger bear wolf"}};
  const SparseVector vector = document_weights(window);
  for (std::size_t i = 1; i < vector.indices.size(); ++i) EXPECT_LT(vector.indices[i - 1], vector.indices[i]);
  EXPECT_EQ(vector.indices.size(), vector.values.size());
}

TEST(QueryWeights, EachTermCountsOnce) {
  const SparseVector vector = query_weights("zebra or zebras and the lion?");
  ASSERT_EQ(vector.indices.size(), 2U);
  EXPECT_EQ(weight_of(vector, "zebra"), 1);
  EXPECT_EQ(weight_of(vector, "lion"), 1);
  EXPECT_TRUE(query_weights("the of and").indices.empty());
}

TEST(WindowedVector, IsTheNormalisedWeightedSum) {
  const float own[] = {1, 0}, next[] = {0, 1};
  const WindowVector window[] = {{0, own}, {1, next}, {2, {}}};
  const auto sum = windowed_vector(window);
  ASSERT_EQ(sum.size(), 2U);
  EXPECT_NEAR(sum[0], 1 / std::sqrt(1 + 0.25F * 0.25F), 1e-6);
  EXPECT_NEAR(sum[1], 0.25F / std::sqrt(1 + 0.25F * 0.25F), 1e-6);
}

TEST(WindowedVector, OfNothingIsEmptyAndOfZerosIsZero) {
  EXPECT_TRUE(windowed_vector({}).empty());
  const WindowVector empty[] = {{0, {}}};
  EXPECT_TRUE(windowed_vector(empty).empty());
  const float zeros[] = {0, 0};
  const WindowVector window[] = {{0, zeros}};
  EXPECT_EQ(windowed_vector(window), (std::vector<float>{0, 0}));
}

}  // namespace
}  // namespace pandora
