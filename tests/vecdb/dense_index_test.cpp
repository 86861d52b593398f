#include "vecdb/dense_index.h"

#include <algorithm>
#include <map>

#include <gtest/gtest.h>

#include "vectors.h"

namespace pandora {
namespace {

// Scores as the kernels define them, everything looked at.
std::vector<Hit> exact_search(const DenseIndex& index, const SlotIds& slots, const Vector& query, std::size_t k,
                              const SlotSet* filter) {
  TopHits best(k);
  for (Slot slot = 0; slot < slots.bound(); ++slot)
    if (index.has(slot) && (!filter || filter->contains(slot)))
      best.offer({slot, slots.id(slot), kPlainKernels.dot(query.data(), index.vector(slot).data(), query.size())});
  return best.take();
}

SlotSet random_slots(std::mt19937& random, std::size_t bound, double share) {
  std::bernoulli_distribution in(share);
  SlotSet set;
  for (Slot slot = 0; slot < bound; ++slot)
    if (in(random)) set.insert(slot);
  return set;
}

struct Found {
  std::size_t hits = 0, expected = 0;
  double recall() const { return static_cast<double>(hits) / static_cast<double>(expected); }
  void add(const std::vector<Hit>& found, const std::vector<Hit>& exact) {
    ASSERT_EQ(found.size(), exact.size());
    EXPECT_TRUE(std::ranges::is_sorted(found, better));
    expected += exact.size();
    std::map<Slot, float> scores;
    for (const Hit& hit : exact) scores[hit.slot] = hit.score;
    for (const Hit& hit : found) {
      const auto same = scores.find(hit.slot);
      if (same == scores.end()) continue;
      ++hits;
      EXPECT_EQ(hit.score, same->second);
    }
  }
};

struct Data {
  const char* name;
  std::function<Vector()> next;
};

class DenseIndexOnEveryPath : public ::testing::TestWithParam<bool> {};  // one bit, or two
INSTANTIATE_TEST_SUITE_P(Bits, DenseIndexOnEveryPath, ::testing::Bool(),
                         [](const auto& bits) { return bits.param ? "one_bit" : "two_bits"; });

TEST_P(DenseIndexOnEveryPath, finds_what_an_exact_scan_finds_whatever_the_data_and_the_filter) {
  const unsigned seed = 51;
  std::mt19937 random(seed);
  SCOPED_TRACE(seed);
  constexpr std::size_t kPoints = 12'000, kDimension = 384;
  ClusteredVectors wide(random, kDimension, 100, 0.9F), tight(random, kDimension, 20, 0.05F);
  const std::vector<Data> kinds = {{"random", [&] { return normalised(normal_vector(random, kDimension)); }},
                                   {"clustered", [&] { return wide.next(); }},
                                   {"tight clusters", [&] { return tight.next(); }}};
  const auto slots = slots_of(kPoints);
  for (const Data& data : kinds) {
    DenseIndex index(kDimension, slots, make_memory_rows(kDimension), {.one_bit_from = GetParam() ? 0 : kPoints + 1});
    for (Slot slot = 0; slot < kPoints; ++slot) index.put(slot, data.next());
    for (Slot slot = 0; slot < kPoints; slot += 7) index.remove(slot);
    std::map<double, DenseTrace::Plan> plans;
    for (const double share : {1.0, 0.5, 0.02, 0.005}) {
      const SlotSet filter = random_slots(random, kPoints, share);
      Found found;
      for (int round = 0; round < 60; ++round) {
        const Vector query = data.next();
        DenseTrace trace;
        const std::size_t k = round % 3 == 0 ? 100 : 10;
        const SlotSet* passing = share == 1.0 ? nullptr : &filter;
        const auto hits = index.search(query, k, passing, Deadline::never(), &trace);
        ASSERT_TRUE(hits.has_value());
        found.add(*hits, exact_search(index, slots, query, k, passing));
        if (k == 10) plans[share] = trace.plan;
      }
      EXPECT_GE(found.recall(), 0.999) << data.name << ", filter " << share;
    }
    EXPECT_EQ(plans[1.0], DenseTrace::Plan::kScan);
    EXPECT_EQ(plans[0.5], DenseTrace::Plan::kScan);
    EXPECT_EQ(plans[0.02], DenseTrace::Plan::kGather);
    EXPECT_EQ(plans[0.005], DenseTrace::Plan::kExact);
  }
}

// Their scores differ by less than the codes tell apart: then many more are read, and next to none is missed.
TEST_P(DenseIndexOnEveryPath, finds_what_an_exact_scan_finds_among_vectors_that_are_nearly_alike) {
  const unsigned seed = 52;
  std::mt19937 random(seed);
  SCOPED_TRACE(seed);
  constexpr std::size_t kPoints = 6'000, kDimension = 64;
  const auto slots = slots_of(kPoints);
  for (const float spread : {1e-1F, 1e-2F, 1e-3F}) {
    // The last component decides nothing and is a thousand times as large as what does.
    const auto next = [&](float last) {
      Vector v = normal_vector(random, kDimension);
      for (float& x : v) x *= spread;
      v.back() = last;
      return v;
    };
    DenseIndex index(kDimension, slots, make_memory_rows(kDimension), {.one_bit_from = GetParam() ? 0 : kPoints + 1});
    for (Slot slot = 0; slot < kPoints; ++slot) index.put(slot, next(static_cast<float>(random() % 100)));
    for (const double share : {1.0, 0.05}) {
      const SlotSet filter = random_slots(random, kPoints, share);
      Found found;
      for (int round = 0; round < 40; ++round) {
        const Vector query = next(0);
        const auto hits = index.search(query, 10, &filter, Deadline::never());
        ASSERT_TRUE(hits.has_value());
        found.add(*hits, exact_search(index, slots, query, 10, &filter));
      }
      EXPECT_GE(found.recall(), 0.985) << "spread " << spread << ", filter " << share;
    }
  }
}

TEST(DenseIndex, gives_the_same_bits_with_every_kernel) {
  std::mt19937 random(53);
  constexpr std::size_t kPoints = 17'000, kDimension = 300;
  const auto slots = slots_of(kPoints);
  ClusteredVectors clusters(random, kDimension, 300, 0.7F);
  std::vector<Vector> vectors;
  for (std::size_t i = 0; i < kPoints; ++i)
    vectors.push_back(i % 3 ? clusters.next() : normal_vector(random, kDimension));
  const SlotSet half = random_slots(random, kPoints, 0.5);
  std::vector<std::vector<Hit>> answers;
  for (const Kernels* kernels : {&kPlainKernels, avx2_kernels(), avx512_kernels()}) {
    if (!kernels) continue;
    DenseIndex index(kDimension, slots, make_memory_rows(kDimension),
                     {.kernels = kernels, .one_bit_from = 0, .coarse_from = kPoints});
    for (Slot slot = 0; slot < kPoints; ++slot) index.put(slot, vectors[slot]);
    std::vector<Hit> all;
    for (std::size_t i = 0; i < 50; ++i) {
      DenseTrace trace;
      const auto hits = index.search(vectors[i * 7], 20, i % 2 ? &half : nullptr, Deadline::never(), &trace);
      ASSERT_TRUE(hits.has_value());
      all.insert(all.end(), hits->begin(), hits->end());
      all.push_back(
          {static_cast<Slot>(trace.by_bytes), {}, static_cast<float>(trace.exactly)});  // the same on the way, too
    }
    answers.push_back(std::move(all));
  }
  for (const auto& answer : answers) EXPECT_EQ(answer, answers.front());
}

// Looked at coarsely first: what lies in clusters, and only that. The answers are those of a scan without, and changes
// and filters are seen as ever.
TEST(DenseIndex, a_coarse_look_spares_what_lies_far_and_changes_no_answer) {
  const unsigned seed = 54;
  std::mt19937 random(seed);
  SCOPED_TRACE(seed);
  constexpr std::size_t kPoints = 24'000, kDimension = 384;
  ClusteredVectors clusters(random, kDimension, 400, 0.8F);
  const std::vector<Data> kinds = {{"clustered", [&] { return clusters.next(); }},
                                   {"random", [&] { return normalised(normal_vector(random, kDimension)); }}};
  const auto slots = slots_of(kPoints);
  const SlotSet half = random_slots(random, kPoints, 0.5);
  for (const Data& data : kinds) {
    const bool clustered = &data == kinds.data();
    for (const bool one_bit : {true, false}) {
      const std::size_t one_bit_from = one_bit ? 0 : kPoints + 1;
      DenseIndex with(kDimension, slots, make_memory_rows(kDimension),
                      {.one_bit_from = one_bit_from, .part_slots = 4'096 * 5, .coarse_from = 3'000});
      DenseIndex without(kDimension, slots, make_memory_rows(kDimension),
                         {.one_bit_from = one_bit_from, .part_slots = 4'096 * 5, .coarse_from = kPoints + 1});
      for (Slot slot = 0; slot < kPoints; ++slot) {
        const Vector vector = data.next();
        with.put(slot, vector);
        without.put(slot, vector);
      }
      std::size_t coarse = 0, spared = 0, searches = 0;
      Found found;
      for (int round = 0; round < 60; ++round) {
        const auto changed = static_cast<Slot>(random() % kPoints);
        Vector query = data.next();
        for (DenseIndex* index : {&with, &without}) {
          if (round % 3 == 0) index->remove(changed);
          if (round % 3 == 1) index->put(changed, query);
        }
        const SlotSet* filter = round % 2 ? &half : nullptr;
        const std::size_t k = round % 5 == 0 ? 100 : 10;
        DenseTrace trace, plain;
        const auto hits = with.search(query, k, filter, Deadline::never(), &trace);
        ASSERT_TRUE(hits.has_value());
        if (round % 3 == 1 && !filter) {
          EXPECT_EQ(hits->front().slot, changed);
        }
        (void)without.search(query, k, filter, Deadline::never(), &plain);
        EXPECT_EQ(plain.coarse_parts, 0u);
        found.add(*hits, exact_search(with, slots, query, k, filter));
        if (round % 3 == 1) continue;  // the question itself is there: the sample may have met it
        coarse += trace.coarse_parts > 0;
        spared += trace.by_bytes < plain.by_bytes;
        ++searches;
      }
      EXPECT_GE(found.recall(), 0.999) << data.name;
      if (clustered) {
        EXPECT_GE(coarse, searches / 2);
        EXPECT_GE(spared, searches / 2);
      } else {
        EXPECT_EQ(coarse, 0u) << "it spares nothing there";
      }
    }
  }
}

TEST(DenseIndex, a_code_made_ahead_is_the_one_that_put_makes_also_when_the_mean_was_taken_meanwhile) {
  std::mt19937 random(57);
  constexpr std::size_t kPoints = 640, kAhead = 128, kDimension = 96;
  ClusteredVectors clusters(random, kDimension, 5, 0.3F);
  const auto slots = slots_of(kPoints);
  DenseIndex ahead(kDimension, slots), at_once(kDimension, slots);
  std::vector<std::uint64_t> means;
  for (Slot first = 0; first < kPoints; first += kAhead) {
    std::vector<Vector> vectors;
    std::vector<DenseCode> codes;
    for (std::size_t i = 0; i < kAhead; ++i) codes.push_back(ahead.code_of(vectors.emplace_back(clusters.next())));
    for (std::size_t i = 0; i < kAhead; ++i) {
      ahead.put(static_cast<Slot>(first + i), vectors[i], &codes[i]);
      at_once.put(static_cast<Slot>(first + i), vectors[i]);
    }
    means.push_back(codes.back().centred_at);
  }
  EXPECT_EQ(means.front(), 0u);
  EXPECT_GT(means.back(), means.front()) << "some were made before the mean was taken and put after it";
  const auto made = ahead.copy_codes(0, kPoints), expected = at_once.copy_codes(0, kPoints);
  EXPECT_EQ(made.high, expected.high);
  EXPECT_EQ(made.low, expected.low);
  EXPECT_EQ(made.bytes, expected.bytes);
  EXPECT_EQ(made.scale2, expected.scale2);
  EXPECT_EQ(made.offset, expected.offset);
}

TEST(DenseIndex, a_coarse_look_begins_at_a_certain_size) {
  std::mt19937 random(56);
  constexpr std::size_t kFrom = 20'000, kDimension = 384;
  ClusteredVectors clusters(random, kDimension, 300, 0.3F);
  auto slots = slots_of(kFrom - 1);
  DenseIndex index(kDimension, slots, make_memory_rows(kDimension), {.coarse_from = kFrom});
  for (Slot slot = 0; slot < kFrom - 1; ++slot) index.put(slot, clusters.next());
  const Vector query = clusters.next();
  DenseTrace trace;
  ASSERT_TRUE(index.search(query, 10, nullptr, Deadline::never(), &trace).has_value());
  EXPECT_EQ(trace.coarse_parts, 0u);
  index.put(slots.add(id_of(kFrom)), clusters.next());
  ASSERT_TRUE(index.search(query, 10, nullptr, Deadline::never(), &trace).has_value());
  EXPECT_EQ(trace.coarse_parts, 1u);
}

// A few rows for all slots of a cluster: many slots cost neither memory nor time.
class RepeatedRows final : public VectorRows {
 public:
  explicit RepeatedRows(const std::vector<Vector>& rows) : rows_(rows) {}
  void put(Slot, std::span<const float>) override {}
  const float* row(Slot slot) const override { return rows_[number_of(slot)].data(); }
  static std::size_t number_of(Slot slot) { return slot / kCluster * kRows + slot % kRows; }
  static constexpr std::size_t kCluster = 1'024, kRows = 16;  // slots, and rows of theirs

 private:
  const std::vector<Vector>& rows_;
};

// As documents are that were put one after the other: between two places of a sample lies no whole cluster.
TEST(DenseIndex, a_coarse_look_is_taken_also_where_clusters_lie_one_behind_the_other) {
  const unsigned seed = 59;
  std::mt19937 random(seed);
  SCOPED_TRACE(seed);
  constexpr std::size_t kClusters = 256, kDimension = 384;
  std::vector<Vector> rows;
  for (std::size_t cluster = 0; cluster < kClusters; ++cluster) {
    ClusteredVectors one(random, kDimension, 1, 0.8F);
    for (std::size_t i = 0; i < RepeatedRows::kRows; ++i) rows.push_back(one.next());
  }
  const auto slots = slots_of(kClusters * RepeatedRows::kCluster);
  DenseIndex index(kDimension, slots, std::make_unique<RepeatedRows>(rows));
  std::vector<DenseCode> codes(rows.size());
  for (Slot slot = 0; slot < slots.bound(); ++slot) {
    const std::size_t number = RepeatedRows::number_of(slot);
    DenseCode& code = codes[number];
    if (code.centred_at != index.centre().at || code.code.byte.empty()) code = index.code_of(rows[number]);
    index.put(slot, rows[number], &code);
  }
  for (std::size_t cluster = 0; cluster < kClusters; cluster += 5) {
    DenseTrace trace;
    ASSERT_TRUE(index.search(rows[cluster * RepeatedRows::kRows], 10, nullptr, Deadline::never(), &trace).has_value());
    EXPECT_EQ(trace.coarse_parts, 1U) << "cluster " << cluster;
  }
}

TEST(DenseIndex, a_coarse_look_is_for_so_many_hits_and_no_more) {
  const unsigned seed = 57;
  std::mt19937 random(seed);
  SCOPED_TRACE(seed);
  constexpr std::size_t kPoints = 40'000, kDimension = 384;
  ClusteredVectors clusters(random, kDimension, 300, 0.3F);  // each of more points than hits are asked for
  const auto slots = slots_of(kPoints);
  DenseIndex index(kDimension, slots);
  for (Slot slot = 0; slot < kPoints; ++slot) index.put(slot, clusters.next());
  for (int round = 0; round < 5; ++round) {
    const Vector query = clusters.next();
    for (const std::size_t k : {kCoarseMost, kCoarseMost + 1}) {
      DenseTrace trace;
      const auto hits = index.search(query, k, nullptr, Deadline::never(), &trace);
      ASSERT_TRUE(hits.has_value());
      EXPECT_EQ(hits->size(), k);
      EXPECT_EQ(trace.coarse_parts, k == kCoarseMost ? 1U : 0U);
    }
  }
}

// A filter leaves of each cluster fewer points than are asked for, so the last of them lie anywhere.
TEST(DenseIndex, a_guess_that_was_far_too_high_is_mended_by_a_scan) {
  const unsigned seed = 58;
  std::mt19937 random(seed);
  SCOPED_TRACE(seed);
  constexpr std::size_t kPoints = 40'000, kDimension = 384, kNearest = 10;
  ClusteredVectors clusters(random, kDimension, 900, 0.3F);
  const auto slots = slots_of(kPoints);
  DenseIndex index(kDimension, slots);
  for (Slot slot = 0; slot < kPoints; ++slot) index.put(slot, clusters.next());
  const SlotSet few = random_slots(random, kPoints, 0.15);
  Found found;
  int mended = 0;
  for (int round = 0; round < 40; ++round) {
    const Vector query = clusters.next();
    DenseTrace trace;
    const auto hits = index.search(query, kNearest, &few, Deadline::never(), &trace);
    ASSERT_TRUE(hits.has_value());
    found.add(*hits, exact_search(index, slots, query, kNearest, &few));
    ASSERT_EQ(trace.plan, DenseTrace::Plan::kScan);
    EXPECT_LT(trace.by_bytes, trace.matching / 2);
    mended += trace.coarse_parts > 0;
  }
  EXPECT_GE(found.recall(), 0.999);
  EXPECT_GT(mended, 0);
}

TEST(DenseIndex, gives_the_same_bits_whoever_scans_its_parts) {
  const unsigned seed = 55;
  std::mt19937 random(seed);
  SCOPED_TRACE(seed);
  constexpr std::size_t kPoints = 20'000, kDimension = 64;
  const auto slots = slots_of(kPoints);
  ThreadPool pool(3);
  const DenseOptions alone{.part_slots = 4'096}, helped{.pool = &pool, .part_slots = 4'096};
  DenseIndex one(kDimension, slots, make_memory_rows(kDimension), alone);
  DenseIndex two(kDimension, slots, make_memory_rows(kDimension), helped);
  for (Slot slot = 0; slot < kPoints; ++slot) {
    const Vector vector = normalised(normal_vector(random, kDimension));
    one.put(slot, vector);
    two.put(slot, vector);
  }
  const SlotSet half = random_slots(random, kPoints, 0.5);
  Found found;
  for (int round = 0; round < 50; ++round) {
    const Vector query = normal_vector(random, kDimension);
    const SlotSet* filter = round % 2 ? &half : nullptr;
    DenseTrace of_one, of_two;
    const auto hits = one.search(query, 10, filter, Deadline::never(), &of_one);
    EXPECT_EQ(*hits, *two.search(query, 10, filter, Deadline::never(), &of_two));
    EXPECT_EQ(of_one.by_bytes, of_two.by_bytes);
    found.add(*hits, exact_search(one, slots, query, 10, filter));
  }
  EXPECT_GE(found.recall(), 0.998);
  const ManualClock clock;
  const auto late = two.search(Vector(kDimension, 1), 1, nullptr, Deadline::after(clock, Duration(0)));
  ASSERT_FALSE(late.has_value());
}

TEST(DenseIndex, a_change_is_seen_by_the_next_search) {
  const unsigned seed = 57;
  std::mt19937 random(seed);
  SCOPED_TRACE(seed);
  constexpr std::size_t kDimension = 48;
  constexpr std::size_t kSlots = 1'500;
  const auto slots = slots_of(kSlots);
  DenseIndex index(kDimension, slots);
  std::map<Slot, Vector> model;
  std::size_t scans = 0;
  for (int step = 0; step < 4'000; ++step) {
    const Slot slot = random() % kSlots;
    if (random() % 3 == 0 && model.contains(slot)) {
      index.remove(slot);
      model.erase(slot);
    } else {
      model[slot] = normalised(normal_vector(random, kDimension));
      index.put(slot, model[slot]);
    }
    ASSERT_EQ(index.size(), model.size());
    if (step % 20 != 0 || model.empty()) continue;
    // What was just put, or else any, is the nearest to itself.
    const auto& [wanted, vector] = model.contains(slot) ? *model.find(slot) : *model.begin();
    DenseTrace trace;
    const auto hits = index.search(vector, 3, nullptr, Deadline::never(), &trace);
    ASSERT_TRUE(hits.has_value());
    EXPECT_EQ(*hits, exact_search(index, slots, vector, 3, nullptr));
    EXPECT_EQ(hits->front().id, id_of(wanted));
    scans += trace.plan == DenseTrace::Plan::kScan;
  }
  EXPECT_GT(scans, 50u);
}

TEST(DenseIndex, gives_as_many_as_match_and_never_more_than_were_asked_for) {
  std::mt19937 random(59);
  constexpr std::size_t kPoints = 1'000;
  const auto slots = slots_of(kPoints);
  DenseIndex index(8, slots);
  EXPECT_TRUE(index.search(Vector(8, 1), 10, nullptr, Deadline::never())->empty());
  for (Slot slot = 0; slot < kPoints; ++slot) index.put(slot, normal_vector(random, 8));
  const Vector query = normal_vector(random, 8);
  SlotSet few, absent;
  for (const Slot slot : {3U, 500U, 999U}) few.insert(slot);
  absent.insert(2'000);
  for (const std::size_t k : {0, 1, 2, 3, 4, 999, 1'000, 1'001, 10'000}) {
    EXPECT_EQ(index.search(query, k, nullptr, Deadline::never())->size(), std::min(k, kPoints));
    EXPECT_EQ(index.search(query, k, &few, Deadline::never())->size(), std::min<std::size_t>(k, 3));
    EXPECT_TRUE(index.search(query, k, &absent, Deadline::never())->empty());
  }
  index.remove(3);
  EXPECT_EQ(index.search(query, 10, &few, Deadline::never())->size(), 2u);
}

TEST(DenseIndex, equal_scores_are_ordered_by_id_however_many_there_are) {
  constexpr std::size_t kPoints = 3'000;
  const auto slots = slots_of(kPoints);
  for (const std::size_t dimension : {1, 384}) {
    DenseIndex index(dimension, slots);
    for (Slot slot = 0; slot < kPoints; ++slot) index.put(slot, Vector(dimension, slot % 2 ? 1.0F : 0.5F));
    DenseTrace trace;
    const auto hits = index.search(Vector(dimension, 1), 7, nullptr, Deadline::never(), &trace);
    ASSERT_TRUE(hits.has_value());
    EXPECT_EQ(trace.plan, DenseTrace::Plan::kScan);
    std::vector<Uuid> ids;
    for (Slot slot = 1; slot < kPoints; slot += 2) ids.push_back(id_of(slot));
    std::ranges::sort(ids);
    ASSERT_EQ(hits->size(), 7u);
    for (std::size_t i = 0; i < 7; ++i) EXPECT_EQ((*hits)[i].id, ids[i]);
  }
}

TEST(DenseIndex, vectors_of_any_length_are_found) {
  const unsigned seed = 61;
  std::mt19937 random(seed);
  SCOPED_TRACE(seed);
  constexpr std::size_t kPoints = 2'000, kDimension = 100;
  const auto slots = slots_of(kPoints);
  for (const float length : {1e-20F, 1e-3F, 1.0F, 1e6F, kMaxComponent / 10}) {
    DenseIndex index(kDimension, slots);
    for (Slot slot = 0; slot < kPoints; ++slot) {
      Vector v = normal_vector(random, kDimension);
      const float factor = slot % 50 == 0 ? 0 : length * static_cast<float>(1 + slot % 5);  // some are nothing at all
      for (float& x : v) x *= factor;
      index.put(slot, v);
    }
    Found found;
    for (int round = 0; round < 20; ++round) {
      Vector query = normal_vector(random, kDimension);
      if (round % 2)
        for (float& x : query) x *= length;
      if (round == 4) query.assign(kDimension, 0);
      const auto hits = index.search(query, 20, nullptr, Deadline::never());
      ASSERT_TRUE(hits.has_value());
      found.add(*hits, exact_search(index, slots, query, 20, nullptr));
    }
    EXPECT_GE(found.recall(), 0.995) << length;
  }
}

TEST(DenseIndex, an_expired_deadline_ends_every_way_of_searching) {
  std::mt19937 random(67);
  const ManualClock clock;
  constexpr std::size_t kPoints = 5'000;
  const auto slots = slots_of(kPoints);
  DenseIndex index(16, slots);
  for (Slot slot = 0; slot < kPoints; ++slot) index.put(slot, normal_vector(random, 16));
  const SlotSet some = random_slots(random, kPoints, 0.01), more = random_slots(random, kPoints, 0.03);
  for (const SlotSet* filter : {static_cast<const SlotSet*>(nullptr), &some, &more}) {
    const auto hits = index.search(Vector(16, 1), 1, filter, Deadline::after(clock, Duration(0)));
    ASSERT_FALSE(hits.has_value());
    EXPECT_EQ(hits.error().code, ErrorCode::kDeadlineExceeded);
  }
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

TEST(DenseIndex, a_deadline_that_passes_during_a_scan_ends_it_soon) {
  std::mt19937 random(71);
  constexpr std::size_t kPoints = 20'000;
  const auto slots = slots_of(kPoints);
  DenseIndex index(16, slots);
  for (Slot slot = 0; slot < kPoints; ++slot) index.put(slot, normal_vector(random, 16));
  const RunningClock clock;
  const auto hits = index.search(Vector(16, 1), 1, nullptr, Deadline::after(clock, Duration(5)));
  ASSERT_FALSE(hits.has_value());
  EXPECT_EQ(hits.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_LT(clock.reads(), 10);
}

}  // namespace
}  // namespace pandora
