// Searches and filters: what is found, with which score, in which order.
#include <cmath>
#include <limits>
#include <numeric>

#include "contract/vector_store_contract.h"

namespace pandora {
namespace {

const std::vector<float> kEast = {1, 0, 0, 0};
constexpr double kScoreError = 1e-6;

SparseVector words(std::vector<std::uint32_t> terms) {
  const std::size_t count = terms.size();
  return {std::move(terms), std::vector<float>(count, 1)};
}

TEST_P(VectorStoreContract, ADenseQueryRanksByCosine) {
  put({point(1, {-5, 0, 0, 0}), point(2, {0, 2, 0, 0}), point(3, {3, 4, 0, 0}), point(4, {0.1F, 0, 0, 0}),
       point(5, {0, 0, 0, 0})});
  put({{id_of(6), 1, {}, {{"words", words({1})}}, {}}});  // has no dense vector: never found by one
  const auto points = must(query({.nearest = std::vector<float>{7, 0, 0, 0}}));
  ASSERT_EQ(numbers(points), (Numbers{4, 3, 2, 5, 1}));
  const double scores[] = {1, 0.6, 0, 0, -1};
  for (std::size_t i = 0; i < points.size(); ++i) EXPECT_NEAR(points[i].score, scores[i], kScoreError);
  for (const auto& one : must(query({.nearest = std::vector<float>{0, 0, 0, 0}}))) EXPECT_EQ(one.score, 0);
}

TEST_P(VectorStoreContract, EqualScoresAreInTheOrderOfIdsAlsoWhereTheLimitCuts) {
  std::vector<Point> points;
  for (int n = 60; n > 0; --n) points.push_back(point(n, n % 3 == 0 ? std::vector<float>{0, 1, 0, 0} : kEast));
  for (auto& one : points) one.sparse["words"] = words({1});
  put(points);
  Numbers best, rest, all(60);
  for (int n = 1; n <= 60; ++n) (n % 3 == 0 ? rest : best).push_back(n);
  std::iota(all.begin(), all.end(), 1);
  auto ranked = best;
  ranked.insert(ranked.end(), rest.begin(), rest.end());
  for (const std::size_t limit : {1u, 5u, 39u, 40u, 41u, 59u, 60u, 61u}) {
    const auto cut = static_cast<std::ptrdiff_t>(std::min<std::size_t>(limit, 60));
    EXPECT_EQ(found({.nearest = kEast, .limit = limit}), Numbers(ranked.begin(), ranked.begin() + cut)) << limit;
    EXPECT_EQ(found({.vector = "words", .nearest = words({1}), .limit = limit}),
              Numbers(all.begin(), all.begin() + cut))
        << limit;
  }
}

TEST_P(VectorStoreContract, ALimitHasABoundAndZeroFindsNothing) {
  put({point(1), point(2)});
  EXPECT_TRUE(found({.nearest = kEast, .limit = 0}).empty());
  EXPECT_EQ(found({.nearest = kEast, .limit = kMaxQueryLimit}), (Numbers{1, 2}));
  EXPECT_FAILS(kTooLarge, query({.nearest = kEast, .limit = kMaxQueryLimit + 1}));
}

TEST_P(VectorStoreContract, AQueryThatDoesNotFitTheCollectionIsRefused) {
  put({point(1)});
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FAILS(kInvalidArgument, query({.nearest = std::vector<float>{1, 0, 0}}));
  EXPECT_FAILS(kInvalidArgument, query({.nearest = std::vector<float>{}}));
  EXPECT_FAILS(kInvalidArgument, query({.nearest = std::vector<float>{1, 0, 0, nan}}));
  EXPECT_FAILS(kInvalidArgument, query({.vector = "words", .nearest = kEast}));
  EXPECT_FAILS(kInvalidArgument, query({.vector = "unknown", .nearest = words({1})}));
  EXPECT_FAILS(kInvalidArgument, query({.vector = "", .nearest = words({1})}));
  EXPECT_FAILS(kInvalidArgument, query({.vector = "words", .nearest = SparseVector{{1, 2}, {1}}}));
  EXPECT_FAILS(kInvalidArgument, query({.vector = "words", .nearest = SparseVector{{2, 1}, {1, 1}}}));
  EXPECT_FAILS(kInvalidArgument, query({.vector = "words", .nearest = SparseVector{{1}, {nan}}}));
  EXPECT_FAILS(kInvalidArgument, query({.vector = "words", .nearest = SparseVector{{1}, {-1}}}));
}

TEST_P(VectorStoreContract, APayloadComesOnlyWhenAskedFor) {
  put({point(1)});
  EXPECT_EQ(must(query({.nearest = kEast})).at(0).payload.at("user_id"), PayloadValue(std::string("ana")));
  EXPECT_TRUE(must(query({.nearest = kEast, .with_payload = false})).at(0).payload.empty());
}

TEST_P(VectorStoreContract, APayloadComesWithTheFieldsThatAreNamed) {
  auto one = point(1);
  one.payload["n"] = std::int64_t{7};
  one.payload["topic"] = std::string("boats");
  put({one});
  const Payload some = must(query({.nearest = kEast, .fields = {"topic", "n", "absent"}})).at(0).payload;
  EXPECT_EQ(some, (Payload{{"n", std::int64_t{7}}, {"topic", std::string("boats")}}));
  EXPECT_TRUE(must(query({.nearest = kEast, .fields = {"absent"}})).at(0).payload.empty());
  EXPECT_TRUE(must(query({.nearest = kEast, .with_payload = false, .fields = {"n"}})).at(0).payload.empty());
  std::vector<std::string> most(kMaxConditions, "n");
  EXPECT_EQ(must(query({.nearest = kEast, .fields = most})).at(0).payload.size(), 1U);
  most.push_back("n");
  EXPECT_FAILS(kTooLarge, query({.nearest = kEast, .fields = most}));
  EXPECT_FAILS(kInvalidArgument, query({.nearest = kEast, .fields = {"No Name"}}));
}

// ── words ──

TEST_P(VectorStoreContract, ASparseScoreIsTheFormulaOverTheWholeCollection) {
  // N = 5 have the vector; two more have another one, none, or an empty one, and do not count.
  const auto with = [&](int n, SparseVector vector, const std::string& owner) {
    return Point{id_of(n), 1, {}, {{"words", std::move(vector)}}, {{"user_id", owner}}};
  };
  put({with(1, {{10, 20}, {2, 0.5F}}, "ana"), with(2, {{10}, {1}}, "ben"), with(3, {{10, 30}, {1.5F, 1}}, "ben"),
       with(4, {{30}, {1}}, "ben"), with(5, {{40}, {1}}, "ana"), with(6, {}, "ana"), point(7),
       Point{id_of(8), 1, {}, {{"names", {{10}, {9}}}}, {}}});
  const auto idf = [](double df) { return std::log(1 + (5 - df + 0.5) / (df + 0.5)); };
  const PointQuery asked{.vector = "words", .nearest = SparseVector{{10, 20, 50}, {1, 3, 7}}};
  const double scores[] = {2 * idf(3) + 3 * 0.5 * idf(1), 1.5 * idf(3), 1 * idf(3)};
  const auto check = [&](const std::vector<ScoredPoint>& points, const Numbers& ids,
                         const std::vector<double>& wanted) {
    ASSERT_EQ(numbers(points), ids);
    for (std::size_t i = 0; i < ids.size(); ++i) EXPECT_NEAR(points[i].score, wanted[i], kScoreError * wanted[i]);
  };
  for (const bool again : {false, true}) {
    if (again) setup_->reopen();
    check(must(query(asked)), {1, 3, 2}, {scores[0], scores[1], scores[2]});
    // The same whoever asks and whatever the filter: only who is shown changes.
    check(must(store().query("things", asked, user("ana"), kNever)), {1}, {scores[0]});
    auto filtered = asked;
    filtered.filter.must_not = {{.field = "user_id", .any = {std::string("ana")}}};
    check(must(query(filtered)), {3, 2}, {scores[1], scores[2]});
  }
  EXPECT_FALSE(get({id_of(6)}).at(0).sparse.contains("words")) << "without terms it is none";
  EXPECT_TRUE(found({.vector = "words", .nearest = words({50})}).empty());
  EXPECT_TRUE(found({.vector = "words", .nearest = SparseVector{}}).empty());
}

TEST_P(VectorStoreContract, InverseDocumentFrequencyFollowsWritesAndRemovals) {
  const auto score = [&] { return must(query({.vector = "words", .nearest = words({1}), .limit = 1})).at(0).score; };
  const auto idf = [](double count, double df) { return std::log(1 + (count - df + 0.5) / (df + 0.5)); };
  const auto with = [&](int n, std::uint32_t term) { return Point{id_of(n), 1, {}, {{"words", words({term})}}, {}}; };
  put({with(1, 1)});
  EXPECT_NEAR(score(), idf(1, 1), kScoreError);
  put({with(2, 2), with(3, 2), with(4, 1)});
  EXPECT_NEAR(score(), idf(4, 2), kScoreError);
  put({with(4, 2)});
  EXPECT_NEAR(score(), idf(4, 1), kScoreError);
  put({Point{id_of(2), 1, {}, {}, {}}});
  EXPECT_NEAR(score(), idf(3, 1), kScoreError);
  const std::vector<Uuid> ids = {id_of(3)};
  must(store().remove("things", ids, system_, kNever));
  EXPECT_NEAR(score(), idf(2, 1), kScoreError);
}

// ── filters ──

class VectorFilterContract : public VectorStoreContract {
 protected:
  void SetUp() override {
    VectorStoreContract::SetUp();
    const auto texts = [](std::vector<std::string> list) { return PayloadValue(std::move(list)); };
    const std::string a = "a", b = "b";
    put({point(1, kEast, {{"k", a}, {"n", std::int64_t{1}}, {"f", 0.5}, {"yes", true}, {"at", Timestamp{1'000}}}),
         point(2, kEast, {{"k", b}, {"n", std::int64_t{2}}, {"f", 1.0}, {"yes", false}, {"at", Timestamp{2'000}}}),
         point(3, kEast, {{"k", texts({a, b})}, {"n", std::int64_t{3}}, {"f", 1.5}, {"at", Timestamp{3'000}}}),
         point(4, kEast, {{"k", texts({"c"})}, {"n", 2.0}, {"f", std::int64_t{1}}}),
         point(5, kEast, {{"k", std::string("A")}, {"n", std::string("2")}, {"at", std::int64_t{2'000}}}),
         point(6, kEast, {})});
  }
  static Condition any(const std::string& field, std::vector<PayloadValue> values) {
    return {.field = field, .any = std::move(values)};
  }
  static Condition range(const std::string& field, std::optional<PayloadValue> from, std::optional<PayloadValue> to) {
    return {.field = field, .from = std::move(from), .to = std::move(to)};
  }
  static Condition ids(std::vector<Uuid> list) { return {.ids = std::move(list)}; }
  Numbers where(const Condition& condition) { return matching({.must = {condition}}); }
  Status refused(const Filter& filter) {
    const auto counted = store().count("things", filter, system_, kNever);
    const auto listed = store().scroll("things", filter, std::nullopt, 1, system_, kNever);
    const auto found = query({.nearest = kEast, .filter = filter});
    EXPECT_TRUE(!counted == !listed && !listed == !found) << "one call takes it, another does not";
    return counted ? Status() : Status(fail(counted.error()));
  }
};

TEST_P(VectorFilterContract, AValueEqualsOnlyItsOwnKind) {
  const auto text = [](const char* value) { return PayloadValue(std::string(value)); };
  EXPECT_EQ(where(any("k", {text("a")})), (Numbers{1, 3}));
  EXPECT_EQ(where(any("k", {text("a"), text("c")})), (Numbers{1, 3, 4}));
  EXPECT_EQ(where(any("k", {text("")})), Numbers{});
  EXPECT_EQ(where(any("n", {std::int64_t{2}})), Numbers{2});
  EXPECT_EQ(where(any("n", {2.0})), Numbers{4});
  EXPECT_EQ(where(any("n", {text("2")})), Numbers{5});
  EXPECT_EQ(where(any("n", {std::int64_t{2}, 2.0, text("2")})), (Numbers{2, 4, 5}));
  EXPECT_EQ(where(any("f", {1.0})), Numbers{2});
  EXPECT_EQ(where(any("yes", {true})), Numbers{1});
  EXPECT_EQ(where(any("yes", {false})), Numbers{2});
  EXPECT_EQ(where(any("yes", {true, false})), (Numbers{1, 2}));
  EXPECT_EQ(where(any("at", {Timestamp{2'000}})), Numbers{2});
  EXPECT_EQ(where(any("at", {std::int64_t{2'000}})), Numbers{5});
  EXPECT_EQ(where(any("missing", {true})), Numbers{});
}

TEST_P(VectorFilterContract, ARangeHoldsItsBeginningAndNotItsEnd) {
  const auto whole = [](std::int64_t value) { return PayloadValue(value); };
  EXPECT_EQ(where(range("n", whole(2), whole(3))), (Numbers{2, 4}));
  EXPECT_EQ(where(range("n", whole(2), std::nullopt)), (Numbers{2, 3, 4}));
  EXPECT_EQ(where(range("n", std::nullopt, whole(2))), Numbers{1});
  EXPECT_EQ(where(range("n", 1.5, 2.5)), (Numbers{2, 4}));
  EXPECT_EQ(where(range("f", whole(1), 1.5)), (Numbers{2, 4}));
  EXPECT_EQ(where(range("f", 1.5, whole(1))), Numbers{});
  EXPECT_EQ(where(range("n", whole(2), whole(2))), Numbers{});
  EXPECT_EQ(where(range("at", Timestamp{2'000}, Timestamp{3'000})), Numbers{2});
  EXPECT_EQ(where(range("at", Timestamp{2'001}, std::nullopt)), Numbers{3});
  EXPECT_EQ(where(range("at", std::nullopt, Timestamp{2'000})), Numbers{1});
  EXPECT_EQ(where(range("at", whole(0), std::nullopt)), Numbers{5}) << "a time is no number";
  EXPECT_EQ(where(range("k", whole(0), std::nullopt)), Numbers{});
  EXPECT_EQ(where(range("yes", whole(0), std::nullopt)), Numbers{});
  EXPECT_EQ(where(range("missing", std::nullopt, whole(9))), Numbers{});
}

TEST_P(VectorFilterContract, IdsAreThePointsOwn) {
  EXPECT_EQ(where(ids({id_of(2), id_of(5), id_of(99)})), (Numbers{2, 5}));
  EXPECT_EQ(matching({.must_not = {ids({id_of(2), id_of(5)})}}), (Numbers{1, 3, 4, 6}));
}

TEST_P(VectorFilterContract, MustShouldAndMustNotWorkTogether) {
  const Condition a = any("k", {std::string("a")}), b = any("k", {std::string("b")}), yes = any("yes", {true});
  const Condition early = range("at", std::nullopt, Timestamp{2'500});
  EXPECT_EQ(matching({}), (Numbers{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(matching({.must = {a, b}}), Numbers{3});
  EXPECT_EQ(matching({.should = {a, b}}), (Numbers{1, 2, 3}));
  EXPECT_EQ(matching({.must_not = {a, b}}), (Numbers{4, 5, 6}));
  EXPECT_EQ(matching({.must = {early}, .should = {a, b}}), (Numbers{1, 2}));
  EXPECT_EQ(matching({.must = {a}, .must_not = {early}}), Numbers{3});
  EXPECT_EQ(matching({.must = {early}, .should = {a, b}, .must_not = {yes}}), Numbers{2});
  EXPECT_EQ(matching({.must = {a}, .must_not = {a}}), Numbers{});
}

TEST_P(VectorFilterContract, EveryCallFiltersAlikeAndLosesNothing) {
  std::vector<Point> more;
  for (int n = 100; n < 600; ++n) {
    more.push_back(point(n, {1, static_cast<float>(n), 0, 0}, {{"n", std::int64_t{n}}}));
    more.back().sparse["words"] = words({1});
  }
  put(more);
  const Filter filter{.must = {range("n", std::int64_t{300}, std::int64_t{305})}};
  const Numbers expected = {300, 301, 302, 303, 304};
  EXPECT_EQ(matching(filter), expected);
  EXPECT_EQ(count(filter), 5);
  EXPECT_EQ(found({.nearest = kEast, .filter = filter}), expected);
  EXPECT_EQ(found({.vector = "words", .nearest = words({1}), .filter = filter}), expected);
  EXPECT_EQ(found({.nearest = kEast, .filter = filter, .limit = 2}), (Numbers{300, 301}));
  EXPECT_EQ(numbers(must(store().scroll("things", filter, id_of(301), 2, system_, kNever))), (Numbers{302, 303}));
}

TEST_P(VectorFilterContract, AConditionIsOfExactlyOneKind) {
  Condition mixed = any("k", {std::string("a")});
  mixed.ids = {id_of(1)};
  Condition ranged = any("n", {std::int64_t{1}});
  ranged.from = std::int64_t{0};
  Condition all = ids({id_of(1)});
  all.to = std::int64_t{0};
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const Condition& bad :
       {Condition{}, Condition{.field = "k"}, mixed, ranged, all, any("k", {std::vector<std::string>{"a"}}),
        any("f", {nan}), any("k", {std::string("\xff")}), range("f", nan, std::nullopt),
        range("k", std::string("a"), std::nullopt), range("n", std::int64_t{1}, Timestamp{1}),
        range("yes", false, true), any("", {true}), any("a.b", {true})}) {
    EXPECT_FAILS(kInvalidArgument, refused({.must = {bad}}));
    EXPECT_FAILS(kInvalidArgument, refused({.should = {any("k", {std::string("a")}), bad}}));
    EXPECT_FAILS(kInvalidArgument, refused({.must_not = {bad}}));
  }
}

TEST_P(VectorFilterContract, ConditionsAndTheirValuesHaveBounds) {
  const Condition a = any("k", {std::string("a")});
  Filter filter;
  filter.must.assign(kMaxConditions / 2, a);
  filter.should.assign(kMaxConditions / 2, a);
  EXPECT_EQ(matching(filter), (Numbers{1, 3}));
  filter.must_not = {any("k", {std::string("b")})};
  EXPECT_FAILS(kTooLarge, refused(filter));

  Condition values = any("n", std::vector<PayloadValue>(kMaxConditionValues, std::int64_t{9})),
            listed = ids(std::vector<Uuid>(kMaxConditionValues));
  values.any.back() = std::int64_t{1};
  listed.ids.back() = id_of(2);
  EXPECT_EQ(where(values), Numbers{1});
  EXPECT_EQ(where(listed), Numbers{2});
  values.any.push_back(std::int64_t{2});
  listed.ids.push_back(id_of(3));
  EXPECT_FAILS(kTooLarge, refused({.must = {values}}));
  EXPECT_FAILS(kTooLarge, refused({.must_not = {listed}}));
}

INSTANTIATE_TEST_SUITE_P(Vectors, VectorFilterContract, ::testing::ValuesIn(vector_store_implementations()),
                         kImplementationName);

}  // namespace
INSTANTIATE_TEST_SUITE_P(Vectors, VectorStoreContract, ::testing::ValuesIn(vector_store_implementations()),
                         kImplementationName);
}  // namespace pandora
