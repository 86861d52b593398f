#include <set>

#include <gtest/gtest.h>

#include "vecdb/slot_set.h"
#include "vectors.h"

namespace pandora {
namespace {

TEST(SlotSet, is_a_set_under_every_operation) {
  const unsigned seed = 3;
  std::mt19937 random(seed);
  SCOPED_TRACE(seed);
  for (int round = 0; round < 200; ++round) {
    SlotSet a, b;
    std::set<Slot> naive_a, naive_b;
    const Slot most_a = 1 + random() % 300, most_b = 1 + random() % 300;  // sets of different lengths
    for (int i = 0; i < 80; ++i) {
      const Slot slot_a = random() % most_a, slot_b = random() % most_b;
      a.insert(slot_a), naive_a.insert(slot_a);
      b.insert(slot_b), naive_b.insert(slot_b);
      if (i % 3 == 0) {
        const Slot gone = random() % 400;
        a.erase(gone), naive_a.erase(gone);
      }
    }
    const auto expect = [](const SlotSet& set, const std::set<Slot>& naive) {
      std::vector<Slot> slots;
      set.for_each([&](Slot slot) { slots.push_back(slot); });
      EXPECT_EQ(slots, std::vector<Slot>(naive.begin(), naive.end()));
      EXPECT_EQ(set.count(), naive.size());
      for (Slot slot = 0; slot < 450; ++slot) ASSERT_EQ(set.contains(slot), naive.contains(slot));
    };
    std::set<Slot> both, either = naive_a, only_a = naive_a;
    for (const Slot slot : naive_b) {
      if (naive_a.contains(slot)) both.insert(slot);
      either.insert(slot);
      only_a.erase(slot);
    }
    for (const Kernels* kernels : {&kPlainKernels, avx2_kernels(), avx512_kernels()}) {
      if (!kernels) continue;
      EXPECT_EQ(count_common(a, b, *kernels), both.size());
      std::vector<Candidate> listed(both.size() + kListedBeyond);
      list_common(a, b, *kernels, listed.data());
      listed.resize(both.size());
      EXPECT_TRUE(std::ranges::equal(listed, both, {}, &Candidate::slot)) << kernels->name;
    }
    SlotSet set = a;
    expect(set |= b, either);
    set = a;
    expect(set &= b, both);
    set = a;
    expect(set -= b, only_a);
  }
}

TEST(TopHits, keeps_the_best_by_score_then_id) {
  std::mt19937 random(5);
  for (const std::size_t k : {0, 1, 7, 100, 200}) {
    TopHits best(k);
    std::vector<Hit> all;
    for (Slot slot = 0; slot < 150; ++slot) {
      const Hit hit{slot, id_of(slot), static_cast<float>(random() % 10)};
      all.push_back(hit);
      if (best.wants(hit.score)) best.offer(hit);
    }
    std::ranges::sort(all, better);
    all.resize(std::min(k, all.size()));
    EXPECT_EQ(best.take(), all);
  }
}

}  // namespace
}  // namespace pandora
