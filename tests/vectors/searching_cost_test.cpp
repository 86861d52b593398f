// Which queries are answered where they were read.
#include <thread>

#include <gtest/gtest.h>

#include "vectors/bodies.h"
#include "vectors/searching.h"

namespace pandora::qdrant {
namespace {

constexpr std::size_t kSize = 1'024, kPoints = 64;

class QueryCost : public ::testing::Test {
 protected:
  QueryCost() { fill("Manhattan"); }
  void fill(const std::string& distance) {
    const std::string size = std::to_string(kSize);
    const std::string body = R"({"vectors":{"dense":{"size":)" + size + R"(,"distance":")" + distance +
                             R"("}},"sparse_vectors":{"terms":{}}})";
    memory_.emplace(params_of(body));
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

// It reads every vector where products cannot tell, which is known afterwards.
TEST_F(QueryCost, euclid_may_take_as_long_as_manhattan_and_the_others_take_less) {
  const std::string one = R"({"using":"dense","query":)" + vector() + "}";
  for (const auto& [distance, expected] : {std::pair{"Euclid", false}, {"Dot", true}, {"Cosine", true}}) {
    fill(distance);
    EXPECT_EQ(is_quick(fused(62, one)), expected) << distance;
    EXPECT_TRUE(is_quick(fused(61, one))) << distance;
  }
}

TEST_F(QueryCost, what_a_filter_looks_at_counts_with_a_sparse_vector_too) {
  const auto query = [](std::size_t conditions) {
    return R"({"using":"terms","query":{"indices":[1],"values":[1]},"filter":)" + filter_of(conditions) + "}";
  };
  EXPECT_TRUE(is_quick(query(100)));
  EXPECT_FALSE(is_quick(query(kMaxFilterConditions)));
}

std::size_t found(const std::string& body, const CollectionMemory& memory, const Deadline& deadline) {
  const JsonTape tape = JsonTape::parse(body).value();
  return run_query(read_query(tape.root()).value(), memory, deadline).value().points.size();
}

TEST(OrderOfIds, is_not_made_where_a_query_was_read_when_it_takes_long) {
  CollectionMemory memory(params_of("{}"));
  const auto fill = [&](std::size_t from, std::size_t end) {
    for (std::size_t i = from; i < end; ++i) memory.put({PointId::of(i), i + 1, "{}", {}});
  };
  const auto is_quick = [&] {
    const JsonTape tape = JsonTape::parse(R"({"limit":1})").value();
    return qdrant::is_quick(read_query(tape.root()).value(), memory);
  };
  fill(0, 30'000);
  EXPECT_TRUE(is_quick());
  fill(30'000, 40'000);
  EXPECT_FALSE(is_quick());
  EXPECT_EQ(found(R"({"limit":1})", memory, Deadline::never()), 1U);
  EXPECT_TRUE(is_quick());  // it is there now
  fill(40'000, 41'000);
  EXPECT_TRUE(is_quick());
}

TEST(OverdueQuery, ends_whatever_it_asks_for) {
  CollectionMemory memory(params_of("{}"));
  memory.put({PointId::of(1), 1, R"({"n":1})", {}});
  memory.add_index(memory.make_index(PayloadPath::parse("n").value(), {.type = FieldType::kInteger}));
  const SystemClock clock;
  const Deadline overdue = Deadline::after(clock, Duration(-1));
  for (const char* body : {R"({"limit":1})", R"({"query":{"order_by":"n"}})",
                           R"({"prefetch":{"query":{"order_by":"n"}},"query":{"order_by":"n"}})"}) {
    EXPECT_EQ(found(body, memory, Deadline::never()), 1U) << body;
    const JsonTape tape = JsonTape::parse(body).value();
    const auto ended = run_query(read_query(tape.root()).value(), memory, overdue);
    ASSERT_FALSE(ended) << body;
    EXPECT_EQ(ended.error().status, 408) << body;
  }
  ScrollRequest scroll;
  scroll.order_by = OrderBy{PayloadPath::parse("n").value(), false, {}};
  EXPECT_EQ(run_scroll(scroll, memory, overdue).error().status, 408);
}

TEST(FairLock, who_only_tries_has_it_when_nobody_writes_and_gives_up_on_one_who_goes_on_writing) {
  FairLock lock;
  const auto can_read = [&] {
    bool held = false;
    std::thread([&] { held = static_cast<bool>(lock.read_soon()); }).join();
    return held;
  };
  EXPECT_TRUE(can_read());
  {
    const auto reading = lock.read();
    EXPECT_TRUE(can_read());
  }
  {
    const auto writing = lock.write();
    EXPECT_FALSE(can_read());
  }
  EXPECT_TRUE(can_read());
}

}  // namespace
}  // namespace pandora::qdrant
