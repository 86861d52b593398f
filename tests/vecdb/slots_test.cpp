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
      ASSERT_EQ(list_common(a, b, *kernels, listed.data()), both.size()) << kernels->name;
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

TEST(SlotSet, what_is_in_both_is_counted_and_listed_whatever_their_length_and_density) {
  const unsigned seed = 5;
  std::mt19937 random(seed);
  SCOPED_TRACE(seed);
  for (const double share : {0.0, 0.002, 0.05, 0.5, 1.0})
    for (const std::size_t words : {1, 7, 8, 9, 255, 256, 257, 603}) {
      std::bernoulli_distribution in(share);
      SlotSet a, b;
      std::vector<Slot> both;
      for (Slot slot = 0; slot < words * SlotSet::kWordBits; ++slot) {
        const bool first = in(random), second = slot % 3 != 0;
        if (first) a.insert(slot);
        if (second) b.insert(slot);
        if (first && second) both.push_back(slot);
      }
      for (const Kernels* kernels : {&kPlainKernels, avx2_kernels(), avx512_kernels()}) {
        if (!kernels) continue;
        EXPECT_EQ(count_common(a, b, *kernels), both.size()) << kernels->name;
        std::vector<Candidate> listed(both.size() + kListedBeyond);
        ASSERT_EQ(list_common(a, b, *kernels, listed.data()), both.size()) << kernels->name;
        listed.resize(both.size());
        EXPECT_TRUE(std::ranges::equal(listed, both, {}, &Candidate::slot)) << kernels->name << ", " << words;
      }
    }
}

}  // namespace
}  // namespace pandora
