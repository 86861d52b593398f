// Every implementation gives what the memory store gives, over thousands of random operations.
#include <algorithm>
#include <cmath>
#include <iostream>

#include "base/random.h"
#include "contract/vector_store_contract.h"
#include "store_memory/memory_vector_store.h"

namespace pandora {
namespace {

constexpr std::uint64_t kSeed = 20'260'105;
constexpr int kOperations = 2'000, kIds = 40;
constexpr double kScoreError = 1e-5;
const std::vector<std::string> kUsers = {"ana", "ben", "cem"};

class VectorModelContract : public VectorStoreContract {
 protected:
  std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }
  bool once_in(std::uint64_t n) { return below(n) == 0; }
  template <class List>
  auto one_of(const List& list) {
    return list[below(list.size())];
  }

  std::string some_collection() {
    return once_in(40) ? "nothing" : one_of(std::vector<std::string>{"things", "others", "alias"});
  }
  Principal somebody() { return once_in(2) ? system_ : user(one_of(kUsers)); }
  Uuid some_id() { return id_of(static_cast<int>(below(kIds))); }

  // Of few kinds, so that scores are often equal.
  std::vector<float> some_dense() {
    if (once_in(60)) return {1, 0};
    std::vector<float> vector(4);
    for (auto& value : vector) value = static_cast<float>(below(4)) - 1;
    return vector;
  }
  SparseVector some_sparse() {
    SparseVector vector;
    for (std::uint32_t term = 0; term < 6; ++term)
      if (once_in(3)) vector.indices.push_back(term), vector.values.push_back(0.5F * static_cast<float>(1 + below(3)));
    return vector;
  }
  PayloadValue some_value() {
    switch (below(6)) {
      case 0:
        return once_in(2);
      case 1:
        return static_cast<std::int64_t>(below(4));
      case 2:
        return 0.5 * static_cast<double>(below(4));
      case 3:
        return one_of(std::vector<std::string>{"a", "b", "c"});
      case 4:
        return Timestamp{static_cast<std::int64_t>(below(4))};
      default:
        return std::vector<std::string>(below(3), one_of(std::vector<std::string>{"a", "b"}));
    }
  }
  Point some_point() {
    Point point{some_id(), static_cast<std::int64_t>(below(6)), {}, {}, {}};
    if (!once_in(5)) point.dense[""] = some_dense();
    if (!once_in(3)) point.sparse["words"] = some_sparse();
    if (once_in(4)) point.sparse["names"] = some_sparse();
    if (!once_in(8)) point.payload["user_id"] = one_of(kUsers);
    if (once_in(6)) point.payload["scope"] = std::string("global");
    for (const char* field : {"p", "q"})
      if (!once_in(4)) point.payload[field] = some_value();
    return point;
  }
  Condition some_condition() {
    const std::string field = one_of(std::vector<std::string>{"p", "q", "user_id"});
    if (once_in(5)) return {.ids = {some_id(), some_id(), some_id()}};
    if (once_in(3)) {
      const bool times = once_in(2);
      const auto bound = [&]() -> PayloadValue {
        const auto value = static_cast<std::int64_t>(below(4));
        if (times) return Timestamp{value};
        return once_in(2) ? PayloadValue(value) : PayloadValue(static_cast<double>(value) + 0.25);
      };
      Condition range{.field = field};
      if (!once_in(3)) range.from = bound();
      if (!range.from || !once_in(3)) range.to = bound();
      return range;
    }
    return {.field = field, .any = {some_value(), some_value()}};  // now and then an array, which is refused
  }
  Filter some_filter() {
    Filter filter;
    for (auto* list : {&filter.must, &filter.should, &filter.must_not})
      while (once_in(3)) list->push_back(some_condition());
    return filter;
  }

  template <class A, class B>
  static bool same_error(const A& mine, const B& model) {
    EXPECT_EQ(mine.has_value(), model.has_value())
        << (mine ? "" : mine.error().to_line()) << (model ? "" : model.error().to_line());
    if (mine || model) return false;
    EXPECT_EQ(mine.error().code, model.error().code) << mine.error().to_line() << " / " << model.error().to_line();
    return true;
  }

  template <class T>
  static void expect_same(const Result<T>& mine, const Result<T>& model) {
    if (same_error(mine, model) || !mine || !model) return;
    EXPECT_EQ(*mine, *model);
  }

  static void expect_same(const std::vector<Point>& mine, const std::vector<Point>& model) {
    ASSERT_EQ(numbers(mine), numbers(model));
    for (std::size_t i = 0; i < mine.size(); ++i) {
      EXPECT_EQ(mine[i].version, model[i].version);
      EXPECT_EQ(mine[i].payload, model[i].payload);
      EXPECT_EQ(mine[i].sparse, model[i].sparse);
      ASSERT_EQ(mine[i].dense.size(), model[i].dense.size());
      for (const auto& [name, vector] : model[i].dense)
        for (std::size_t d = 0; d < vector.size(); ++d)
          EXPECT_NEAR(mine[i].dense.at(name).at(d), vector[d], kScoreError);
    }
  }

  // Sums in another order differ in their last bits, so equal scores of the model may be unequal here: what must hold
  // is the score of each, the order by the implementation's own scores, and that nothing better was left out.
  static void expect_same(const std::vector<ScoredPoint>& mine, const std::vector<ScoredPoint>& all,
                          std::size_t limit) {
    ASSERT_EQ(mine.size(), std::min(limit, all.size()));
    std::map<Uuid, const ScoredPoint*> left;
    for (const auto& one : all) left[one.id] = &one;
    for (std::size_t i = 0; i < mine.size(); ++i) {
      const auto model = left.find(mine[i].id);
      ASSERT_NE(model, left.end()) << "not to be found, or found twice";
      EXPECT_NEAR(mine[i].score, model->second->score, kScoreError);
      EXPECT_EQ(mine[i].payload, model->second->payload);
      left.erase(model);
      if (i == 0) continue;
      EXPECT_GE(mine[i - 1].score, mine[i].score);
      EXPECT_TRUE(mine[i - 1].score != mine[i].score || mine[i - 1].id < mine[i].id);
    }
    for (const auto& [id, one] : left)
      EXPECT_TRUE(mine.empty() || one->score <= mine.back().score + kScoreError) << "a better one was left out";
  }

  void write() {
    const std::string name = some_collection();
    const Principal who = somebody();
    if (once_in(4)) {
      const std::vector<Uuid> ids = {some_id(), some_id()};
      const auto mine = store().remove(name, ids, who, kNever), model = model_.remove(name, ids, who, kNever);
      expect_same(mine, model);
      return;
    }
    std::vector<Point> points;
    while (points.empty() || !once_in(3)) points.push_back(some_point());
    if (who.access == Access::kOwn)
      for (auto& point : points)
        if (!once_in(20)) point.payload["user_id"] = who.user.str();
    const auto mine = store().upsert(name, points, who, kNever), model = model_.upsert(name, points, who, kNever);
    expect_same(mine, model);
  }

  void search() {
    const std::string name = some_collection();
    const Principal who = somebody();
    PointQuery query{.filter = some_filter(), .limit = below(25)};
    if (once_in(2)) {
      query.nearest = some_dense();
    } else {
      query.vector = once_in(3) ? "names" : "words";
      query.nearest = some_sparse();
    }
    auto everything = query;
    everything.limit = kMaxQueryLimit;
    const auto mine = store().query(name, query, who, kNever);
    const auto model = model_.query(name, everything, who, kNever);
    if (!same_error(mine, model) && mine && model) expect_same(*mine, *model, query.limit);
  }

  void look() {
    const std::string name = some_collection();
    const Principal who = somebody();
    const Filter filter = some_filter();
    const auto mine = store().count(name, filter, who, kNever), model = model_.count(name, filter, who, kNever);
    expect_same(mine, model);
    const std::vector<Uuid> ids = {some_id(), some_id(), some_id()};
    const auto fetched = store().retrieve(name, ids, who, kNever), kept = model_.retrieve(name, ids, who, kNever);
    if (!same_error(fetched, kept) && fetched && kept) expect_same(*fetched, *kept);
    const std::optional<Uuid> after = once_in(2) ? std::optional(some_id()) : std::nullopt;
    const std::size_t limit = below(20);
    const auto page = store().scroll(name, filter, after, limit, who, kNever);
    const auto expected = model_.scroll(name, filter, after, limit, who, kNever);
    if (!same_error(page, expected) && page && expected) expect_same(*page, *expected);
  }

  void reshape() {
    const std::string name = one_of(std::vector<std::string>{"things", "others"});
    if (once_in(6)) {
      EXPECT_FALSE(same_error(store().drop_collection(name, kNever), model_.drop_collection(name, kNever)));
      EXPECT_FALSE(same_error(store().ensure_collection(small_spec(name), kNever),
                              model_.ensure_collection(small_spec(name), kNever)));
    }
    if (once_in(2)) setup_->reopen();
    (void)same_error(store().alias_switch("alias", name, kNever), model_.alias_switch("alias", name, kNever));
  }

  SeededRandom random_{kSeed};
  MemoryVectorStore model_;
};

TEST_P(VectorModelContract, AnyOperationsGiveWhatTheModelGives) {
  std::cout << "seed " << kSeed << '\n';
  for (const char* name : {"things", "others"}) {
    must(store().ensure_collection(small_spec(name), kNever));
    must(model_.ensure_collection(small_spec(name), kNever));
  }
  for (int operation = 0; operation < kOperations; ++operation) {
    SCOPED_TRACE("operation " + std::to_string(operation) + " of seed " + std::to_string(kSeed));
    switch (below(10)) {
      case 0:
      case 1:
      case 2:
        write();
        break;
      case 3:
      case 4:
        look();
        break;
      case 5:
        if (once_in(10)) reshape();
        break;
      default:
        search();
    }
    if (HasFailure()) return;  // what follows would only repeat it
  }
  const auto all = must(model_.scroll("things", {}, std::nullopt, kIds, system_, kNever));
  EXPECT_GT(all.size(), std::size_t{kIds} / 4) << "the operations left too little to compare";
}

std::vector<VectorStoreImplementation> all_but_the_model() {
  auto all = vector_store_implementations();
  std::erase_if(all, [](const auto& one) { return one.name == "Memory"; });
  return all;
}
INSTANTIATE_TEST_SUITE_P(Vectors, VectorModelContract, ::testing::ValuesIn(all_but_the_model()), kImplementationName);

}  // namespace
}  // namespace pandora
