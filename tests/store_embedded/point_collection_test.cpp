#include "store_embedded/point_collection.h"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "ports/vector_checks.h"

namespace pandora {
namespace {

Principal user(const std::string& name) { return Principal::of(*UserId::parse(name)); }

CollectionSpec small_spec() {
  CollectionSpec spec;
  spec.name = "small";
  spec.dimension = 4;
  spec.sparse = {"bm25"};
  spec.indexes = {{"kind", PayloadType::kKeyword},
                  {"number", PayloadType::kInteger},
                  {"at", PayloadType::kDatetime},
                  {"topic", PayloadType::kText}};
  return spec;
}

Point point_of(std::size_t number, std::vector<float> vector, Payload payload) {
  Point point{.id = point_id("test", std::to_string(number)), .payload = std::move(payload)};
  point.dense[""] = std::move(vector);
  point.sparse["bm25"] = {{1, 7}, {1.0F, 0.5F}};
  return point;
}

std::vector<Uuid> ids_of(const Result<std::vector<ScoredPoint>>& points) {
  std::vector<Uuid> ids;
  for (const auto& point : *points) ids.push_back(point.id);
  std::ranges::sort(ids);
  return ids;
}

// A small world of values, so that conditions meet some points and not others.
class Points {
 public:
  explicit Points(unsigned seed) : random_(seed), collection_(small_spec()) {
    for (std::size_t number = 0; number < 400; ++number) put(number);
    for (std::size_t number = 0; number < 400; number += 3) {
      EXPECT_TRUE(collection_.remove(point_id("test", std::to_string(number)), ++seq_));
      all_.erase(point_id("test", std::to_string(number)));
      if (number % 2 == 0) put(number);
    }
  }
  Filter filter() {
    Filter filter;
    for (auto* conditions : {&filter.must, &filter.should, &filter.must_not})
      while (random_() % 3 == 0) conditions->push_back(condition());
    return filter;
  }
  std::vector<Uuid> expected(const Filter& filter, const Principal& who) const {
    std::vector<Uuid> ids;
    for (const auto& [id, payload] : all_) {
      if (visible_to(payload, who) && holds(id, payload, filter)) ids.push_back(id);
    }
    return ids;
  }
  const PointCollection& collection() const { return collection_; }

 private:
  void put(std::size_t number) {
    Payload payload;
    if (random_() % 10 != 0) payload["user_id"] = random_() % 2 ? "ana" : "bob";
    if (random_() % 10 == 0) payload["user_id"] = std::vector<std::string>{"ana", "bob"};
    if (random_() % 4 == 0) payload["scope"] = random_() % 2 ? "global" : "user";
    if (random_() % 2) payload["kind"] = text();
    if (random_() % 2) payload["number"] = static_cast<std::int64_t>(random_() % 5);
    if (random_() % 2) payload["at"] = Timestamp{static_cast<std::int64_t>(random_() % 5)};
    if (random_() % 2) payload["topic"] = text();
    if (random_() % 2) payload["unindexed"] = text();
    const Point point = point_of(number, {1, static_cast<float>(random_() % 9), 0, 1}, payload);
    EXPECT_TRUE(collection_.put(point, ++seq_));
    all_[point.id] = payload;
  }
  std::string text() { return std::string(1, static_cast<char>('a' + random_() % 3)); }
  Condition condition() {
    switch (random_() % 7) {
      case 0:
        return {.field = "kind", .any = {text(), text()}};
      case 1:
        return {.field = "number", .any = {static_cast<std::int64_t>(random_() % 5)}};
      case 2:
        return {.field = "number", .any = {2.0}};  // no integer is a float
      case 3:
        return {.field = "at", .from = Timestamp{1}, .to = Timestamp{4}};
      case 4:
        return {.field = "topic", .any = {text()}};
      case 5:
        return {.field = "unindexed", .any = {text()}};
      default:
        return {.ids = {point_id("test", std::to_string(random_() % 400)),
                        point_id("test", std::to_string(random_() % 400))}};
    }
  }
  std::mt19937 random_;
  std::uint64_t seq_ = 0;
  PointCollection collection_;
  std::map<Uuid, Payload> all_;
};

TEST(PointCollection, a_query_and_a_count_see_exactly_what_filter_and_visibility_allow) {
  const unsigned seed = 211;
  SCOPED_TRACE(seed);
  Points points(seed);
  int some = 0;
  for (int round = 0; round < 600; ++round) {
    const Filter filter = points.filter();
    for (const Principal& who : {user("ana"), user("bob"), user("nobody"), Principal::system()}) {
      const auto expected = points.expected(filter, who);
      PointQuery query{.nearest = std::vector<float>{1, 2, 3, 4}, .filter = filter, .limit = 1'000};
      EXPECT_EQ(ids_of(points.collection().query(query, who, Deadline::never())), expected);
      query.vector = "bm25";
      query.nearest = SparseVector{{7}, {1.0F}};
      EXPECT_EQ(ids_of(points.collection().query(query, who, Deadline::never())), expected);
      EXPECT_EQ(points.collection().count(filter, who, Deadline::never()), static_cast<std::int64_t>(expected.size()));
      some += !expected.empty();
    }
  }
  EXPECT_GT(some, 300);
}

// Nobody owns a point by standing in a list.
TEST(PointCollection, a_list_of_owners_makes_nothing_visible) {
  PointCollection collection(small_spec());
  (void)collection.put(point_of(0, {1, 0, 0, 0}, {{"user_id", std::vector<std::string>{"ana"}}}), 1);
  EXPECT_EQ(collection.count({}, user("ana"), Deadline::never()), 0);
  EXPECT_EQ(collection.count({}, Principal::system(), Deadline::never()), 1);
}

// A clock that moves each time it is read: the deadline passes in the middle.
class RunningClock final : public Clock {
 public:
  Timestamp now() const override { return {0}; }
  SteadyTime steady() const override { return SteadyTime(Duration(++reads_)); }

 private:
  mutable int reads_ = 0;
};

TEST(PointCollection, a_condition_without_an_index_is_bounded_by_the_deadline) {
  PointCollection collection(small_spec());
  for (std::size_t number = 0; number < 20'000; ++number) {
    Point point{.id = point_id("test", std::to_string(number)), .payload = {{"topic", "a"}}};
    ASSERT_TRUE(collection.put(point, number + 1));
  }
  Filter filter;
  filter.must = {{.field = "topic", .any = {"a"}}};
  const RunningClock clock;
  EXPECT_EQ(collection.count(filter, Principal::system(), Deadline::after(clock, Duration(100))), 20'000);
  const auto late = collection.count(filter, Principal::system(), Deadline::after(clock, Duration(2)));
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(late.error().code, ErrorCode::kDeadlineExceeded);
}

}  // namespace
}  // namespace pandora
