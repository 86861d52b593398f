// What a query finds, beside all there is.
#include "vectors/searching.h"

#include <cmath>

#include <gtest/gtest.h>

#include "base/random.h"
#include "vectors/bodies.h"

namespace pandora::qdrant {
namespace {

// Every distance, with and without a filter, near the origin and far from it, against reading everything.
class Searching : public ::testing::TestWithParam<float> {};
INSTANTIATE_TEST_SUITE_P(From, Searching, ::testing::Values(0.0F, 100.0F, 50'000.0F));

TEST_P(Searching, what_is_found_is_what_reading_every_vector_finds) {
  constexpr std::size_t kSize = 24, kPoints = 3'000, kLimit = 20;
  SeededRandom random(7);
  const auto component = [&] {
    return GetParam() + static_cast<float>(static_cast<double>(random.next() % 2001) / 1000 - 1);
  };
  for (const Distance distance : {Distance::kCosine, Distance::kDot, Distance::kEuclid, Distance::kManhattan}) {
    CollectionParams params;
    params.dense[""] = {kSize, distance};
    CollectionMemory memory(std::move(params));
    FieldSchema integers;
    integers.type = FieldType::kInteger;
    memory.add_index(memory.make_index(PayloadPath::parse("g").value(), integers));
    std::vector<std::vector<float>> vectors;
    for (std::size_t i = 0; i < kPoints; ++i) {
      DenseInput input;
      for (std::size_t j = 0; j < kSize; ++j) input.values.push_back(component());
      vectors.push_back(DenseSpace::prepare(input, {kSize, distance}).value());
      memory.put({PointId::of(i), 1, "{\"g\":" + std::to_string(i % 10) + "}", {{0, vectors.back()}}});
    }
    for (const bool filtered : {false, true}) {
      QueryRequest request;
      DenseInput target;
      for (std::size_t j = 0; j < kSize; ++j) target.values.push_back(component());
      request.step.query = Nearest{VectorInput(target)};
      request.step.limit = kLimit;
      if (filtered)
        request.step.filter =
            read_filter(tape_of(R"({"must":[{"key":"g","match":{"value":3}}]})").root(), "filter").value();
      const auto found = run_query(request, memory, Deadline::never()).value();
      const auto query = DenseSpace::prepare(target, {kSize, distance}).value();
      std::vector<std::pair<float, std::size_t>> all;
      for (std::size_t i = 0; i < kPoints; ++i)
        if (!filtered || i % 10 == 3)
          all.emplace_back(-memory.dense(0)->score(query, *memory.table().find(PointId::of(i))), i);
      std::ranges::sort(all);
      ASSERT_EQ(found.points.size(), kLimit);
      for (std::size_t i = 0; i < kLimit; ++i)
        EXPECT_FLOAT_EQ(found.points[i].score, -all[i].first) << to_string(distance);
    }
  }
}

// Up to the largest component that is taken: what the index adds to a vector for Euclid is the square of its length.
TEST(Searching, vectors_of_any_length_are_found) {
  constexpr std::size_t kSize = 8, kPoints = 600, kLimit = 12;
  SeededRandom random(9);
  for (const Distance distance : {Distance::kDot, Distance::kEuclid, Distance::kManhattan}) {
    CollectionParams params;
    params.dense[""] = {kSize, distance};
    CollectionMemory memory(std::move(params));
    const auto vector = [&] {
      const float length = std::pow(10.0F, static_cast<float>(random.below(16)));
      std::vector<float> made;
      for (std::size_t j = 0; j < kSize; ++j)
        made.push_back(length * static_cast<float>(static_cast<double>(random.below(2001)) / 1000 - 1));
      return made;
    };
    for (std::size_t i = 0; i < kPoints; ++i) memory.put({PointId::of(i), 1, "{}", {{0, vector()}}});
    for (int asked = 0; asked < 40; ++asked) {
      const std::vector<float> query = vector();
      QueryRequest request;
      request.step.query = Nearest{VectorInput(DenseInput{query})};
      request.step.limit = kLimit;
      const auto found = run_query(request, memory, Deadline::never()).value();
      std::vector<float> all;
      memory.live().for_each([&](Slot slot) { all.push_back(memory.dense(0)->score(query, slot)); });
      std::ranges::sort(all, std::greater<>());
      ASSERT_EQ(found.points.size(), kLimit);
      for (std::size_t i = 0; i < kLimit; ++i) {
        EXPECT_TRUE(std::isfinite(all[i]));
        EXPECT_EQ(found.points[i].score, all[i]) << to_string(distance) << " question " << asked << " place " << i;
      }
    }
  }
}

// A score that is no number would be null in the answer.
TEST(Searching, of_rrf_every_score_is_finite_or_the_query_is_refused) {
  CollectionMemory memory(params_of(kPlain));
  memory.put({PointId::of(1), 1, "{}", {{0, std::vector<float>{1, 2}}}});
  const auto ask = [&](const std::string& rrf) {
    const std::string list = R"({"query":[1,2]})";
    const std::string body = R"({"prefetch":[)" + list + "," + list + R"(],"query":{"rrf":)" + rrf + "}}";
    return run_query(read_query(tape_of(body).root()).value(), memory, Deadline::never());
  };
  for (const char* rrf :
       {R"({"k":1,"weights":[1,1e7]})", R"({"k":1,"weights":[-1e39,1]})", R"({"k":2,"weights":[1,1e39]})"}) {
    const auto found = ask(rrf);
    ASSERT_TRUE(found) << rrf;
    EXPECT_TRUE(std::isfinite(found->points.at(0).score)) << rrf;
  }
  for (const char* rrf : {R"({"k":1,"weights":[1,1e9]})", R"({"k":1,"weights":[1e39,1]})"}) {
    const auto refused = ask(rrf);
    ASSERT_FALSE(refused) << rrf;
    EXPECT_EQ(refused.error().status, 400) << rrf;
  }
}

TEST(Filter, one_nested_a_thousand_deep_is_refused_before_anyone_follows_it) {
  std::string text = "{}";
  for (int i = 0; i < 1000; ++i) text = R"({"must":[)" + text + "]}";
  EXPECT_FALSE(JsonTape::parse(text));
}

}  // namespace
}  // namespace pandora::qdrant
