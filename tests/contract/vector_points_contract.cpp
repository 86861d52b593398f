// Points: what is written, by whom, and what comes back.
#include <cmath>
#include <limits>
#include <thread>

#include "contract/vector_store_contract.h"
#include "ports/vector_checks.h"

namespace pandora {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST_P(VectorStoreContract, APointComesBackAsItWasGivenAlsoAfterARestart) {
  Point full = point(1, {0, 0.6F, 0.8F, 0});
  full.version = -3;
  full.sparse = {{"words", {{0, 5, 4'294'967'295U}, {0.25F, 1, 1e-6F}}}, {"names", {{7}, {3}}}};
  full.payload = {{"user_id", std::string("ana")},
                  {"yes", true},
                  {"no", false},
                  {"small", std::numeric_limits<std::int64_t>::min()},
                  {"large", std::numeric_limits<std::int64_t>::max()},
                  {"whole", 3.0},
                  {"part", 0.1},
                  {"tiny", 5e-324},
                  {"huge", 1.7976931348623157e308},
                  {"at", Timestamp{1'767'600'000'123'456}},
                  {"before", Timestamp{-1}},
                  {"text", std::string("Grüße \"\\ \n\t \x01 😀")},
                  {"zero", std::string("a\0b", 3)},
                  {"empty", std::string()},
                  {"list", std::vector<std::string>{"b", "a", "b", ""}},
                  {"nothing", std::vector<std::string>{}}};
  put({full});
  for (const bool again : {false, true}) {
    if (again) setup_->reopen();
    const auto points = get({id_of(1)});
    ASSERT_EQ(points.size(), 1u);
    EXPECT_EQ(points[0].version, full.version);
    EXPECT_EQ(points[0].dense, full.dense);
    EXPECT_EQ(points[0].sparse, full.sparse);
    EXPECT_EQ(points[0].payload, full.payload);
    const auto listed = must(store().scroll("things", {}, std::nullopt, 1, system_, kNever));
    ASSERT_EQ(listed.size(), 1u);
    EXPECT_EQ(listed[0].version, full.version);
    EXPECT_EQ(listed[0].payload, full.payload);
    EXPECT_TRUE(listed[0].dense.empty() && listed[0].sparse.empty());
  }
}

TEST_P(VectorStoreContract, ADenseVectorIsNormalisedUnlessItIsSoAlreadyOrZero) {
  const std::vector<float> nearly = {1.0000002F, 0, 0, 0};  // its square is off by less than 1e-6
  put({point(1, {3, 0, 0, 4}), point(2, {0, 0, 0, 0}), point(3, nearly), point(4, {1e-20F, 0, 0, 0}),
       point(5, {0, 3e38F, 3e38F, 0})});
  const auto points = get({id_of(1), id_of(2), id_of(3), id_of(4), id_of(5)});
  ASSERT_EQ(points.size(), 5u);
  EXPECT_EQ(points[0].dense.at(""), (std::vector<float>{0.6F, 0, 0, 0.8F}));
  EXPECT_EQ(points[1].dense.at(""), (std::vector<float>{0, 0, 0, 0}));
  EXPECT_EQ(points[2].dense.at(""), nearly);
  EXPECT_EQ(points[3].dense.at(""), (std::vector<float>{1, 0, 0, 0}));
  EXPECT_NEAR(points[4].dense.at("")[1], std::sqrt(0.5), 1e-6);
}

TEST_P(VectorStoreContract, APointIsReplacedAsAWhole) {
  Point first = point(1);
  first.sparse["words"] = {{1}, {1}};
  first.payload["n"] = std::int64_t{1};
  put({first});
  put({{id_of(1), 1, {}, {{"names", {{2}, {1}}}}, {{"user_id", std::string("ana")}}}});
  for (const bool again : {false, true}) {
    if (again) setup_->reopen();
    const auto points = get({id_of(1)});
    ASSERT_EQ(points.size(), 1u);
    EXPECT_TRUE(points[0].dense.empty());
    EXPECT_FALSE(points[0].sparse.contains("words"));
    EXPECT_FALSE(points[0].payload.contains("n"));
    EXPECT_TRUE(found({.nearest = std::vector<float>{1, 0, 0, 0}}).empty());
    EXPECT_TRUE(found({.vector = "words", .nearest = SparseVector{{1}, {1}}}).empty());
    EXPECT_EQ(found({.vector = "names", .nearest = SparseVector{{2}, {1}}}), Numbers{1});
  }
}

TEST_P(VectorStoreContract, AnOlderVersionNeverOverwrites) {
  const auto with = [&](int version, std::int64_t n) {
    Point one = point(1);
    one.version = version;
    one.payload["n"] = n;
    return one;
  };
  EXPECT_EQ(put({with(5, 1)}), 1u);
  EXPECT_EQ(put({with(4, 2)}), 0u);
  EXPECT_EQ(get({id_of(1)})[0].payload.at("n"), PayloadValue(std::int64_t{1}));
  EXPECT_EQ(put({with(5, 3)}), 1u);
  EXPECT_EQ(put({with(6, 4), with(5, 5), with(7, 6), with(7, 7)}), 3u) << "as if one after the other";
  EXPECT_EQ(get({id_of(1)})[0].payload.at("n"), PayloadValue(std::int64_t{7}));
  setup_->reopen();
  EXPECT_EQ(put({with(6, 8)}), 0u);
  EXPECT_EQ(get({id_of(1)})[0].version, 7);
  EXPECT_EQ(get({id_of(1)})[0].payload.at("n"), PayloadValue(std::int64_t{7}));
  const std::vector<Uuid> ids = {id_of(1)};
  must(store().remove("things", ids, system_, kNever));
  EXPECT_EQ(put({with(1, 9)}), 1u) << "a version is forgotten with its point";
}

TEST_P(VectorStoreContract, OneBadPointAndNothingIsWritten) {
  put({point(1)});
  std::vector<Point> bad(12, point(3));
  bad[0].dense[""] = {1, 0, kNaN, 0};
  bad[1].dense[""] = {1, 0, kInfinity, 0};
  bad[2].dense[""] = {1, 0, 0};
  bad[3].dense[""] = {};
  bad[4].dense["other"] = {1, 0, 0, 0};
  bad[5].sparse["unknown"] = {{1}, {1}};
  bad[6].sparse["words"] = {{1, 2}, {1}};
  bad[7].sparse["words"] = {{2, 1}, {1, 1}};
  bad[8].sparse["words"] = {{1, 1}, {1, 1}};
  bad[9].sparse["words"] = {{1}, {kNaN}};
  bad[10].sparse["words"] = {{1}, {0}};
  bad[11].sparse["words"] = {{1}, {-1}};
  for (const PayloadValue& value :
       {PayloadValue(std::numeric_limits<double>::quiet_NaN()), PayloadValue(-std::numeric_limits<double>::infinity()),
        PayloadValue(std::string("\xff")), PayloadValue(std::vector<std::string>{"good", "\xc3"})}) {
    bad.push_back(point(3));
    bad.back().payload["value"] = value;
  }
  for (std::size_t i = 0; i < bad.size(); ++i) {
    Point changed = point(1);
    changed.payload["n"] = std::int64_t{1};
    const std::vector<Point> points = {changed, point(2), bad[i], point(4)};
    EXPECT_FAILS(kInvalidArgument, store().upsert("things", points, system_, kNever)) << "bad point " << i;
  }
  for (const bool again : {false, true}) {
    if (again) setup_->reopen();
    EXPECT_EQ(matching({}), Numbers{1});
    EXPECT_FALSE(get({id_of(1)})[0].payload.contains("n"));
  }
}

TEST_P(VectorStoreContract, PointsAndIdsOfOneCallHaveABound) {
  std::vector<Point> points;
  std::vector<Uuid> ids;
  for (std::size_t i = 0; i < kMaxUpsert; ++i)
    points.push_back(point(static_cast<int>(i))), ids.push_back(id_of(static_cast<int>(i)));
  EXPECT_EQ(put(points), kMaxUpsert);
  EXPECT_EQ(get(ids).size(), kMaxUpsert);
  auto more = points;
  more.push_back(point(5'000));
  EXPECT_FAILS(kTooLarge, store().upsert("things", more, system_, kNever));
  EXPECT_EQ(count(), static_cast<std::int64_t>(kMaxUpsert));
  auto more_ids = ids;
  more_ids.push_back(id_of(5'000));
  EXPECT_FAILS(kTooLarge, store().retrieve("things", more_ids, system_, kNever));
  EXPECT_FAILS(kTooLarge, store().remove("things", more_ids, system_, kNever));
  EXPECT_EQ(must(store().remove("things", ids, system_, kNever)), kMaxUpsert);
  EXPECT_EQ(put({}), 0u);
}

TEST_P(VectorStoreContract, APayloadHasABoundAndAtItOutlivesARestart) {
  Payload payload = {{"user_id", std::string("ana")}, {"text", std::string()}};
  // The worst for whoever writes it as JSON: six characters for each.
  payload["text"] = std::string(kMaxPayloadBytes - payload_bytes(payload), '\x01');
  ASSERT_EQ(payload_bytes(payload), kMaxPayloadBytes);
  put({point(1, {1, 0, 0, 0}, payload)});
  auto larger = payload;
  std::get<std::string>(larger["text"]) += 'a';
  EXPECT_FAILS(kTooLarge, store().upsert("things", std::vector{point(2, {1, 0, 0, 0}, larger)}, system_, kNever));
  Payload empties = {{"user_id", std::string("ana")}, {"list", std::vector<std::string>()}};
  empties["list"] = std::vector<std::string>((kMaxPayloadBytes - payload_bytes(empties)) / 8);
  put({point(3, {1, 0, 0, 0}, empties)});
  setup_->reopen();
  EXPECT_EQ(get({id_of(1)}).at(0).payload, payload);
  EXPECT_EQ(get({id_of(3)}).at(0).payload, empties);
}

TEST_P(VectorStoreContract, PointsAreFetchedInTheOrderAskedFor) {
  put({point(1), point(2), point(3)});
  EXPECT_EQ(numbers(get({id_of(3), id_of(9), id_of(1), id_of(3)})), (Numbers{3, 1, 3}));
  EXPECT_TRUE(get({}).empty());
}

TEST_P(VectorStoreContract, RemovedPointsAreGoneFromEverySearch) {
  Point one = point(1);
  one.sparse["words"] = {{1}, {1}};
  put({one, point(2)});
  const std::vector<Uuid> ids = {id_of(1), id_of(1), id_of(9)};
  EXPECT_EQ(must(store().remove("things", ids, system_, kNever)), 1u);
  EXPECT_EQ(must(store().remove("things", ids, system_, kNever)), 0u);
  for (const bool again : {false, true}) {
    if (again) setup_->reopen();
    EXPECT_EQ(matching({}), Numbers{2});
    EXPECT_EQ(count(), 1);
    EXPECT_TRUE(get({id_of(1)}).empty());
    EXPECT_EQ(found({.nearest = std::vector<float>{1, 0, 0, 0}}), Numbers{2});
    EXPECT_TRUE(found({.vector = "words", .nearest = SparseVector{{1}, {1}}}).empty());
  }
  put({point(3, {0, 1, 0, 0})});  // where the removed one was, perhaps
  EXPECT_EQ(found({.nearest = std::vector<float>{0, 1, 0, 0}}), (Numbers{3, 2}));
}

TEST_P(VectorStoreContract, ScrollingShowsEveryPointOnceInTheOrderOfIds) {
  std::vector<Point> points;
  for (int n = 300; n > 0; --n) points.push_back(point(n * 7));
  put(points);
  for (const std::size_t limit : {1u, 7u, 100u, 299u, 300u, 301u}) {
    Numbers seen;
    std::optional<Uuid> after;
    for (;;) {
      const auto page = must(store().scroll("things", {}, after, limit, system_, kNever));
      EXPECT_LE(page.size(), limit);
      for (const int n : numbers(page)) seen.push_back(n);
      if (page.empty()) break;
      after = page.back().id;
    }
    ASSERT_EQ(seen.size(), 300u) << "limit " << limit;
    for (int n = 1; n <= 300; ++n) ASSERT_EQ(seen[static_cast<std::size_t>(n) - 1], n * 7);
  }
  EXPECT_EQ(numbers(must(store().scroll("things", {}, id_of(8), 2, system_, kNever))), (Numbers{14, 21}))
      << "after what is not there";
  EXPECT_TRUE(must(store().scroll("things", {}, std::nullopt, 0, system_, kNever)).empty());
  must(store().scroll("things", {}, std::nullopt, kMaxQueryLimit, system_, kNever));
  EXPECT_FAILS(kTooLarge, store().scroll("things", {}, std::nullopt, kMaxQueryLimit + 1, system_, kNever));
}

// ── who sees and who writes ──

Payload owned(const std::string& user, const std::string& scope = "") {
  Payload payload = {{"user_id", user}};
  if (!scope.empty()) payload["scope"] = scope;
  return payload;
}

TEST_P(VectorStoreContract, OnesOwnAndWhatIsGlobalIsAllThatThereIs) {
  std::vector<Point> points = {point(1, {1, 0, 0, 0}, owned("ana")),
                               point(2, {1, 0, 0, 0}, owned("ben")),
                               point(3, {1, 0, 0, 0}, owned("ben", "global")),
                               point(4, {1, 0, 0, 0}, owned("ben", "user")),
                               point(5, {1, 0, 0, 0}, {}),
                               point(6, {1, 0, 0, 0}, {{"user_id", std::vector<std::string>{"ana"}}})};
  std::vector<Uuid> ids;
  for (auto& one : points) one.sparse["words"] = {{1}, {1}}, ids.push_back(one.id);
  put(points);
  const PointQuery dense{.nearest = std::vector<float>{1, 0, 0, 0}},
      sparse{.vector = "words", .nearest = SparseVector{{1}, {1}}};
  // A filter that asks for somebody else's finds nothing more.
  Filter others{
      .should = {{.field = "user_id", .any = {std::string("ben")}}, {.field = "user_id", .any = {std::string("ana")}}}};
  struct Expected {
    Principal who;
    Numbers all, filtered;
  };
  for (const auto& [who, all, filtered] :
       {Expected{user("ana"), {1, 3}, {1, 3}}, Expected{user("ben"), {2, 3, 4}, {2, 3, 4}},
        Expected{user("cem"), {3}, {3}}, Expected{Principal::of(UserId()), {3}, {3}},
        Expected{system_, {1, 2, 3, 4, 5, 6}, {1, 2, 3, 4, 6}}}) {
    SCOPED_TRACE("as \"" + who.user.str() + "\"");
    EXPECT_EQ(numbers(must(store().query("things", dense, who, kNever))), all);
    EXPECT_EQ(numbers(must(store().query("things", sparse, who, kNever))), all);
    EXPECT_EQ(numbers(must(store().retrieve("things", ids, who, kNever))), all);
    EXPECT_EQ(numbers(must(store().scroll("things", {}, std::nullopt, 10, who, kNever))), all);
    EXPECT_EQ(must(store().count("things", {}, who, kNever)), static_cast<std::int64_t>(all.size()));
    EXPECT_EQ(numbers(must(store().scroll("things", others, std::nullopt, 10, who, kNever))), filtered);
  }
}

TEST_P(VectorStoreContract, NobodyWritesOverAnothersPointNorIntoHisName) {
  const auto write = [&](Point one) { return store().upsert("things", {&one, 1}, user("ana"), kNever); };
  put({point(1, {1, 0, 0, 0}, owned("ben")), point(2, {1, 0, 0, 0}, owned("ben", "global"))});
  EXPECT_FAILS(kPermissionDenied, write(point(1, {0, 1, 0, 0}, owned("ana"))));
  EXPECT_FAILS(kPermissionDenied, write(point(2, {0, 1, 0, 0}, owned("ana"))));
  EXPECT_FAILS(kPermissionDenied, write(point(3, {0, 1, 0, 0}, owned("ben"))));
  EXPECT_FAILS(kPermissionDenied, write(point(3, {0, 1, 0, 0}, {})));
  EXPECT_FAILS(kPermissionDenied, write(point(3, {0, 1, 0, 0}, owned("ben", "global"))));
  EXPECT_EQ(must(write(point(4, {0, 1, 0, 0}, owned("ana")))), 1u);
  EXPECT_EQ(must(write(point(5, {0, 1, 0, 0}, owned("ana", "global")))), 1u);
  const std::vector<Point> mixed = {point(6, {0, 1, 0, 0}, owned("ana")), point(1, {0, 1, 0, 0}, owned("ana"))};
  EXPECT_FAILS(kPermissionDenied, store().upsert("things", mixed, user("ana"), kNever));
  EXPECT_EQ(matching({}), (Numbers{1, 2, 4, 5})) << "all or nothing";
  EXPECT_EQ(get({id_of(1)})[0].dense.at(""), (std::vector<float>{1, 0, 0, 0}));
}

TEST_P(VectorStoreContract, NobodyRemovesAnothersPoint) {
  put({point(1, {1, 0, 0, 0}, owned("ana")), point(2, {1, 0, 0, 0}, owned("ben")),
       point(3, {1, 0, 0, 0}, owned("ben", "global"))});
  const std::vector<Uuid> ids = {id_of(1), id_of(2), id_of(3)};
  EXPECT_EQ(must(store().remove("things", ids, user("ana"), kNever)), 1u);
  EXPECT_EQ(matching({}), (Numbers{2, 3}));
  EXPECT_EQ(must(store().remove("things", ids, user("ben"), kNever)), 2u);
}

TEST_P(VectorStoreContract, ManyThreadsWriteAndSearchAtOnce) {
  constexpr int kWriters = 3, kEach = 40;
  std::vector<std::thread> threads;
  std::atomic<int> failures = 0;
  for (int writer = 0; writer < kWriters; ++writer)
    threads.emplace_back([&, writer] {
      for (int i = 0; i < kEach; ++i) {
        Point one = point(writer * 1'000 + i, {1, static_cast<float>(i), 0, 0});
        one.sparse["words"] = {{1}, {1}};
        if (!store().upsert("things", {&one, 1}, system_, kNever)) ++failures;
        if (i % 4 == 3 && !store().remove("things", {&one.id, 1}, system_, kNever)) ++failures;
      }
    });
  threads.emplace_back([&] {
    for (int i = 0; i < 2 * kEach; ++i) {
      const auto dense = query({.nearest = std::vector<float>{1, 0, 0, 0}, .limit = 20});
      const auto sparse = query({.vector = "words", .nearest = SparseVector{{1}, {1}}, .limit = 20});
      if (!dense || !sparse || dense->size() > 20 || sparse->size() > 20) ++failures;
    }
  });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(count(), kWriters * kEach * 3 / 4);
}

}  // namespace
}  // namespace pandora
