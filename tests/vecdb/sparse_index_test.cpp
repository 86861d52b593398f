#include "vecdb/sparse_index.h"

#include <map>

#include <gtest/gtest.h>

#include "vectors.h"

namespace pandora {
namespace {

TEST(SparseIndex, ScoresAreThoseOfTheFormulaAfterReplacementsAndRemovals) {
  std::mt19937 random(11);
  const SlotTable slots = table_of(100);
  SparseIndex index(slots);
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
    index.put(slot, vector);
    all[slot] = terms;
  }
  const SparseVector query{{3, 9, 21}, {1.0f, 0.5f, 2.0f}};
  const auto odd = [](Slot slot) { return slot % 2 == 1; };
  SlotSet odds;
  for (Slot slot = 1; slot < 100; slot += 2) odds.insert(slot);
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
  const auto hits = index.search(query, 1000, &odds, Deadline::never());
  ASSERT_TRUE(hits.has_value());
  ASSERT_EQ(hits->size(), naive.size());
  for (const Hit& hit : *hits) EXPECT_NEAR(hit.score, naive.at(hit.slot), 1e-5);
  EXPECT_TRUE(std::ranges::is_sorted(*hits, better));
}

}  // namespace
}  // namespace pandora
