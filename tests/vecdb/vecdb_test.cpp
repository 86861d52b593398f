#include <algorithm>
#include <cmath>
#include <random>

#include <gtest/gtest.h>

#include "vecdb/sparse_index.h"

namespace pandora {
namespace {

Uuid id_of(Slot slot) { return point_id("test", std::to_string(slot)); }

std::vector<float> random_vector(std::mt19937& random, std::size_t n) {
  std::uniform_real_distribution<float> value(-1, 1);
  std::vector<float> v(n);
  for (float& x : v) x = value(random);
  return v;
}

TEST(DenseIndex, FindsWhatANaiveScanFindsUnderAnyFilter) {
  std::mt19937 random(7);
  constexpr std::size_t kDimension = 37;  // no multiple of the lanes
  DenseIndex index(kDimension);
  std::vector<std::vector<float>> all;
  for (Slot slot = 0; slot < 500; ++slot) {
    all.push_back(random_vector(random, kDimension));
    index.put(slot, id_of(slot), all.back());
  }
  for (Slot slot = 0; slot < 500; slot += 5) index.remove(slot);
  for (int round = 0; round < 20; ++round) {
    const auto query = random_vector(random, kDimension);
    const Slot every = 2 + static_cast<Slot>(round % 3);
    const auto allowed = [&](Slot slot) { return slot % every == 0; };
    std::vector<std::pair<double, Slot>> naive;
    for (Slot slot = 0; slot < 500; ++slot) {
      if (slot % 5 == 0 || !allowed(slot)) continue;
      double sum = 0;
      for (std::size_t i = 0; i < kDimension; ++i) sum += static_cast<double>(query[i]) * all[slot][i];
      naive.emplace_back(-sum, slot);
    }
    std::ranges::sort(naive);
    const auto hits = index.search(query, 10, allowed, Deadline::never());
    ASSERT_TRUE(hits.has_value());
    ASSERT_EQ(hits->size(), 10u);
    for (std::size_t i = 0; i < 10; ++i) {
      EXPECT_EQ((*hits)[i].slot, naive[i].second);
      EXPECT_NEAR((*hits)[i].score, -naive[i].first, 1e-5);
    }
  }
}

TEST(DenseIndex, EqualScoresAreOrderedById) {
  DenseIndex index(1);
  for (Slot slot = 0; slot < 50; ++slot) index.put(slot, id_of(slot), std::vector<float>{1});
  const auto hits = index.search(std::vector<float>{1}, 7, {}, Deadline::never());
  ASSERT_TRUE(hits.has_value());
  std::vector<Uuid> ids;
  for (Slot slot = 0; slot < 50; ++slot) ids.push_back(id_of(slot));
  std::ranges::sort(ids);
  ASSERT_EQ(hits->size(), 7u);
  for (std::size_t i = 0; i < 7; ++i) EXPECT_EQ((*hits)[i].id, ids[i]);
}

TEST(DenseIndex, NothingIsAskedForAndNothingFound) {
  DenseIndex index(2);
  index.put(0, Uuid{}, std::vector<float>{1, 0});
  const auto hits = index.search(std::vector<float>{1, 0}, 0, {}, Deadline::never());
  ASSERT_TRUE(hits.has_value());
  EXPECT_TRUE(hits->empty());
}

TEST(DenseIndex, AnExpiredDeadlineEndsTheScan) {
  const ManualClock clock;
  DenseIndex index(1);
  index.put(0, id_of(0), std::vector<float>{1});
  const auto hits = index.search(std::vector<float>{1}, 1, {}, Deadline::after(clock, Duration(0)));
  ASSERT_FALSE(hits.has_value());
  EXPECT_EQ(hits.error().code, ErrorCode::kDeadlineExceeded);
}

TEST(SparseIndex, ScoresAreThoseOfTheFormulaAfterReplacementsAndRemovals) {
  std::mt19937 random(11);
  SparseIndex index;
  std::map<Slot, std::map<std::uint32_t, float>> all;
  for (int step = 0; step < 600; ++step) {
    const Slot slot = random() % 100;
    if (random() % 4 == 0) {
      index.remove(slot);
      all.erase(slot);
      continue;
    }
    std::map<std::uint32_t, float> terms;
    for (int i = 0; i < 6; ++i) terms[random() % 30] = 0.1f + static_cast<float>(random() % 100) / 50;
    SparseVector vector;
    for (const auto& [term, value] : terms) vector.indices.push_back(term), vector.values.push_back(value);
    index.put(slot, id_of(slot), vector);
    all[slot] = terms;
  }
  const SparseVector query{{3, 9, 21}, {1.0f, 0.5f, 2.0f}};
  const auto odd = [](Slot slot) { return slot % 2 == 1; };
  std::map<Slot, double> naive;
  for (std::size_t i = 0; i < 3; ++i) {
    double df = 0;
    for (const auto& [slot, terms] : all) df += terms.contains(query.indices[i]) ? 1 : 0;
    const double idf = std::log(1 + (static_cast<double>(all.size()) - df + 0.5) / (df + 0.5));
    for (const auto& [slot, terms] : all)
      if (odd(slot) && terms.contains(query.indices[i]))
        naive[slot] += query.values[i] * idf * terms.at(query.indices[i]);
  }
  ASSERT_GT(naive.size(), 5u);
  const auto hits = index.search(query, 1000, odd, Deadline::never());
  ASSERT_TRUE(hits.has_value());
  ASSERT_EQ(hits->size(), naive.size());
  for (const Hit& hit : *hits) EXPECT_NEAR(hit.score, naive.at(hit.slot), 1e-5);
  EXPECT_TRUE(std::ranges::is_sorted(*hits, better));
}

}  // namespace
}  // namespace pandora
