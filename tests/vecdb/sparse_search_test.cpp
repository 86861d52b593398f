#include "vecdb/sparse_search.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <gtest/gtest.h>

#include "vecdb/point_index.h"
#include "vectors.h"

namespace pandora {
namespace {

using Terms = std::map<std::uint32_t, float>;

SparseVector sparse(const Terms& terms) {
  SparseVector vector;
  for (const auto& [term, value] : terms) vector.indices.push_back(term), vector.values.push_back(value);
  return vector;
}

using Ranking = std::vector<std::pair<Uuid, float>>;

Ranking ranking(const Result<std::vector<Hit>>& hits) {
  Ranking all;
  EXPECT_TRUE(hits.has_value());
  if (hits)
    for (const Hit& hit : *hits) all.emplace_back(hit.id, hit.score);
  return all;
}

// An index of one sparse vector.
class Words {
 public:
  explicit Words(TermWeighting weighting = TermWeighting::kIdf) : weighting_(weighting) {}
  void put(std::size_t number, const SparseVector& vector) {
    const IndexedPoint point{
        .id = id_of(number), .seq = ++seq_, .dense = {}, .sparse = {&vector}, .payload = nullptr, .stored = {}};
    ASSERT_TRUE(index_.put(point).has_value());
  }
  void remove(std::size_t number) { ASSERT_TRUE(index_.remove(id_of(number), ++seq_).has_value()); }
  std::optional<SparseVector> vector(std::size_t number) const {
    const auto slot = index_.find(id_of(number));
    return slot ? index_.sparse(0, *slot).value() : std::nullopt;
  }
  Result<std::vector<Hit>> search(const SparseVector& query, std::size_t k, const SlotSet* filter,
                                  const Deadline& deadline, SparseTrace* trace = nullptr) const {
    return index_.by_terms(0, query, k, filter, deadline, trace, weighting_);
  }

 private:
  const TermWeighting weighting_;
  PointIndex index_{{.dense = {}, .sparse = 1, .fields = {}, .meaning = {}}};
  std::uint64_t seq_ = 0;
};

// The definition: everything is looked at, in the one order of sums.
class Model {
 public:
  std::map<std::size_t, Terms> all;

  Ranking search(const SparseVector& query, const SlotSet* filter) const {
    Terms wanted;
    for (std::size_t i = 0; i < query.indices.size(); ++i) wanted[query.indices[i]] += query.values[i];
    std::map<std::uint32_t, double> df;
    for (const auto& [number, terms] : all)
      for (const auto& [term, value] : wanted) df[term] += terms.contains(term) ? 1 : 0;
    std::vector<Hit> hits;
    for (const auto& [number, terms] : all) {
      if (filter && !filter->contains(static_cast<Slot>(number))) continue;
      double sum = 0;
      bool found = false;
      for (const auto& [term, value] : wanted) {
        const auto weight = terms.find(term);
        if (weight == terms.end()) continue;
        const double idf = std::log(1 + (static_cast<double>(all.size()) - df[term] + 0.5) / (df[term] + 0.5));
        sum += static_cast<double>(value) * idf * static_cast<double>(weight->second);
        found = true;
      }
      if (found) hits.push_back({0, id_of(number), static_cast<float>(sum)});
    }
    std::ranges::sort(hits, better);
    return ranking(hits);
  }
  Ranking search(const SparseVector& query, std::size_t k, const SlotSet* filter) const {
    return best(search(query, filter), k);
  }
  static Ranking best(Ranking hits, std::size_t k) {
    if (hits.size() > k) hits.resize(k);
    return hits;
  }
};

// Terms as in texts: few that are everywhere, many that are rare; weights of a few values, so that scores tie.
Terms random_terms(std::mt19937& random, std::size_t count, std::uint32_t vocabulary, bool any_sign = false) {
  Terms terms;
  std::uniform_real_distribution<double> uniform(0, 1);
  while (terms.size() < count) {
    const auto term = static_cast<std::uint32_t>(std::pow(vocabulary, uniform(random)));
    terms[term] = 0.25F * static_cast<float>(1 + random() % 8);
    if (any_sign && random() % 4 == 0) terms[term] = random() % 2 ? -0.5F : 0.0F;
  }
  return terms;
}
SparseVector random_query(std::mt19937& random, std::size_t most, std::uint32_t vocabulary) {
  SparseVector query = sparse(random_terms(random, 1 + random() % most, vocabulary));
  std::ranges::fill(query.values, 1.0F);
  return query;
}

SlotSet random_slots(std::mt19937& random, std::size_t bound, double share) {
  std::bernoulli_distribution in(share);
  SlotSet set;
  for (Slot slot = 0; slot < bound; ++slot)
    if (in(random)) set.insert(slot);
  return set;
}

TEST(SparseSearch, leaves_out_only_what_cannot_be_among_the_best) {
  const unsigned seed = 131;
  std::mt19937 random(seed);
  SCOPED_TRACE(seed);
  constexpr std::size_t kPoints = 7'000;  // several windows
  Words index;
  Model model;
  for (Slot slot = 0; slot < kPoints; ++slot)
    if (slot % 11 != 0)
      index.put(slot, sparse(model.all[slot] = random_terms(random, 12, 3'000)));
    else
      index.put(slot, {});
  const SlotSet half = random_slots(random, kPoints, 0.5), few = random_slots(random, kPoints, 0.002);
  SparseTrace all;
  for (int round = 0; round < 30; ++round) {
    const SparseVector query = random_query(random, 8, 3'000);
    for (const SlotSet* filter : {static_cast<const SlotSet*>(nullptr), &half, &few}) {
      const Ranking expected = model.search(query, filter);
      for (const std::size_t k : {1, 10, 300, 20'000}) {
        SparseTrace trace;
        const auto hits = index.search(query, k, filter, Deadline::never(), &trace);
        ASSERT_EQ(ranking(hits), Model::best(expected, k)) << "round " << round << ", k " << k;
        if (filter || k > 10) continue;
        all.postings += trace.postings;
        all.read += trace.read;
        all.looked_up += trace.looked_up;
        all.windows_skipped += trace.windows_skipped;
      }
    }
  }
  EXPECT_LT(all.read, all.postings * 3 / 4);  // otherwise nothing was put to the test
  EXPECT_GT(all.looked_up, 0u);
  EXPECT_GT(all.windows_skipped, 0u);
}

TEST(SparseSearch, a_change_is_seen_by_the_next_search_and_by_every_score) {
  const unsigned seed = 137;
  std::mt19937 random(seed);
  SCOPED_TRACE(seed);
  constexpr std::size_t kPoints = 3'000;
  Words index;
  Model model;
  for (int step = 0; step < 20'000; ++step) {
    const std::size_t number = random() % kPoints;
    if (random() % 4 == 0) {
      index.remove(number);
      model.all.erase(number);
    } else {
      index.put(number, sparse(model.all[number] = random_terms(random, 6, 40)));
    }
    if (step % 400 != 0) continue;
    const SparseVector query = random_query(random, 4, 40);
    ASSERT_EQ(ranking(index.search(query, 20, nullptr, Deadline::never())), model.search(query, 20, nullptr)) << step;
  }
  for (std::size_t number = 0; number < kPoints; ++number) {
    const auto entry = model.all.find(number);
    ASSERT_EQ(index.vector(number), entry == model.all.end() ? std::nullopt : std::optional(sparse(entry->second)));
  }
  // Down to nothing again.
  for (std::size_t number = 0; number < kPoints; ++number) index.remove(number);
  EXPECT_TRUE(index.search(random_query(random, 4, 40), 20, nullptr, Deadline::never())->empty());
}

TEST(SparseSearch, weights_below_zero_and_of_zero_count_as_they_are) {
  const unsigned seed = 139;
  std::mt19937 random(seed);
  SCOPED_TRACE(seed);
  constexpr Slot kSlots = 5'000;
  Words index;
  Model model;
  for (Slot slot = 0; slot < kSlots; ++slot)
    index.put(slot, sparse(model.all[slot] = random_terms(random, 5, 60, true)));
  for (int round = 0; round < 60; ++round) {
    SparseVector query = random_query(random, 5, 60);
    if (round % 2)
      for (float& value : query.values) value = random() % 3 == 0 ? -1.0F : random() % 3 == 0 ? 0.0F : 0.7F;
    for (const std::size_t k : {5, 10'000})
      ASSERT_EQ(ranking(index.search(query, k, nullptr, Deadline::never())), model.search(query, k, nullptr)) << round;
  }
}

TEST(SparseSearch, the_order_of_a_query_and_repeated_terms_do_not_matter) {
  std::mt19937 random(149);
  Words index;
  for (Slot slot = 0; slot < 500; ++slot) index.put(slot, sparse(random_terms(random, 8, 50)));
  const SparseVector ascending{{2, 3, 9}, {1.0F, 0.5F, 0.3F}}, mixed{{9, 2, 3, 9}, {0.15F, 1.0F, 0.5F, 0.15F}};
  EXPECT_EQ(*index.search(ascending, 50, nullptr, Deadline::never()),
            *index.search(mixed, 50, nullptr, Deadline::never()));
}

TEST(SparseSearch, only_what_has_a_common_term_is_found) {
  Words index;
  index.put(0, {{1}, {1.0F}});
  index.put(1, {{2}, {1.0F}});
  index.put(2, {{}, {}});  // has the vector, and no term
  const auto hits = index.search({{1, 77}, {1.0F, 1.0F}}, 10, nullptr, Deadline::never());
  ASSERT_EQ(hits->size(), 1u);
  EXPECT_EQ(hits->front().slot, 0u);
  EXPECT_EQ(hits->front().score, static_cast<float>(std::log(1 + 1.5 / 1.5)));  // of two that have terms
  EXPECT_TRUE(index.search({{77}, {1.0F}}, 10, nullptr, Deadline::never())->empty());
  EXPECT_TRUE(index.search({{1}, {1.0F}}, 0, nullptr, Deadline::never())->empty());
  EXPECT_TRUE(index.search({}, 10, nullptr, Deadline::never())->empty());
}

TEST(SparseSearch, an_expired_deadline_ends_the_search) {
  const ManualClock clock;
  Words index;
  index.put(0, {{1}, {1.0F}});
  const auto hits = index.search({{1}, {1.0F}}, 1, nullptr, Deadline::after(clock, Duration(0)));
  ASSERT_FALSE(hits.has_value());
  EXPECT_EQ(hits.error().code, ErrorCode::kDeadlineExceeded);
}

// A clock that moves each time it is read: the deadline passes in the middle.
class RunningClock final : public Clock {
 public:
  Timestamp now() const override { return {0}; }
  SteadyTime steady() const override { return SteadyTime(Duration(++reads_)); }
  int reads() const { return reads_; }

 private:
  mutable int reads_ = 0;
};

TEST(SparseSearch, a_deadline_that_passes_during_a_search_ends_it_soon) {
  constexpr Slot kSlots = 40'000;
  Words index;
  for (Slot slot = 0; slot < kSlots; ++slot) index.put(slot, {{1}, {1.0F}});
  const RunningClock clock;
  const auto hits = index.search({{1}, {1.0F}}, 1, nullptr, Deadline::after(clock, Duration(5)));
  ASSERT_FALSE(hits.has_value());
  EXPECT_EQ(hits.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_LT(clock.reads(), 10);
}

TEST(PostingList, is_a_sorted_map_whatever_is_put_and_removed) {
  const unsigned seed = 151;
  std::mt19937 random(seed);
  SCOPED_TRACE(seed);
  PostingList list;
  std::map<Slot, float> model;
  for (int step = 0; step < 30'000; ++step) {
    const bool grows = step / 5'000 % 2 == 0;
    const Slot slot = random() % 5'000;
    const bool there = model.contains(slot);
    if (!there && random() % 4 < (grows ? 3 : 1)) {
      model[slot] = static_cast<float>(random() % 100);
      list.put(slot, model[slot]);
    } else if (there && random() % 4 < (grows ? 1 : 3)) {
      list.remove(slot);
      model.erase(slot);
    }
    if (step % 500 != 0) continue;
    std::vector<std::pair<Slot, float>> all;
    for (const auto& block : list.blocks()) {
      ASSERT_FALSE(block.postings.empty());
      ASSERT_LE(block.postings.size(), PostingList::kBlock);
      float largest = block.postings.front().weight;
      for (const auto& [one, weight] : block.postings) {
        all.emplace_back(one, weight);
        largest = std::max(largest, weight);
      }
      ASSERT_EQ(block.first, block.postings.front().slot);
      ASSERT_EQ(block.last, block.postings.back().slot);
      ASSERT_EQ(block.largest, largest);
    }
    ASSERT_EQ(all, (std::vector<std::pair<Slot, float>>(model.begin(), model.end())));
    ASSERT_EQ(list.size(), model.size());
    for (Slot one = 0; one < 5'100; one += 7) {
      const float* weight = list.find(one);
      ASSERT_EQ(weight != nullptr, model.contains(one));
      if (!weight) continue;
      ASSERT_EQ(*weight, model[one]);
    }
  }
}

TEST(SparseSearch, without_rarity_a_score_is_the_plain_dot_product) {
  Words index(TermWeighting::kPlain);
  for (std::uint32_t i = 1; i <= 3; ++i) index.put(i, sparse({{1, static_cast<float>(i)}, {100 + i, 1.0F}}));
  const auto hits = index.search(sparse({{1, 2.0F}, {103, 0.5F}}), 2, nullptr, Deadline::never()).value();
  ASSERT_EQ(hits.size(), 2U);
  EXPECT_EQ(hits[0].score, 6.5F);
  EXPECT_EQ(hits[1].score, 4.0F);
}

}  // namespace
}  // namespace pandora
