// Every kind of kernel against the definition in kernels.h, and all of them against each other, bit for bit.
#include "vecdb/kernels.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <span>

#include <gtest/gtest.h>

#include "vecdb/code_table.h"
#include "vecdb/rotation.h"
#include "vectors.h"

namespace pandora {
namespace {

struct Kind {
  const char* name;
  const Kernels* kernels;
};

class EveryKernel : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    if (!GetParam().kernels) GTEST_SKIP() << "this processor has no " << GetParam().name;
  }
  const Kernels& kernels() const { return *GetParam().kernels; }
};
INSTANTIATE_TEST_SUITE_P(Kinds, EveryKernel,
                         ::testing::Values(Kind{"plain", &kPlainKernels}, Kind{"avx2", avx2_kernels()},
                                           Kind{"avx512", avx512_kernels()}),
                         [](const auto& kind) { return kind.param.name; });

std::vector<std::uint32_t> bits_of(const std::vector<Candidate>& candidates) {
  std::vector<std::uint32_t> bits(candidates.size() * 3);
  if (!bits.empty()) std::memcpy(bits.data(), candidates.data(), bits.size() * 4);
  return bits;
}

// Codes of every value, also such as no vector gives.
VectorCode random_code(std::mt19937& random, std::size_t n) {
  VectorCode code;
  for (std::size_t i = 0; i < n; ++i) {
    code.two_bits.push_back(static_cast<std::uint8_t>(random() % 4));
    code.byte.push_back(static_cast<std::uint8_t>(random()));
  }
  code.scale1 = 0.01f + static_cast<float>(random() % 1000) / 1000;
  code.scale2 = 0.01f + static_cast<float>(random() % 1000) / 1000;
  code.scale8 = 0.01f;
  return code;
}
std::vector<std::int8_t> random_query(std::mt19937& random, std::size_t n) {
  std::vector<std::int8_t> query;
  for (std::size_t i = 0; i < n; ++i) query.push_back(static_cast<std::int8_t>(static_cast<int>(random() % 255) - 127));
  return query;
}

// As one-bit codes are scanned with: four that share half a byte add up to kNarrowSum at most.
std::vector<std::int8_t> random_narrow_query(std::mt19937& random, std::size_t n) {
  std::vector<std::int8_t> query(n);
  for (std::size_t i = 0; i < n; ++i) query[i] = static_cast<std::int8_t>(static_cast<int>(random() % 13) - 6);
  for (std::size_t i = 0; i < n; i += 48) {  // the most that may be
    query[i] = static_cast<std::int8_t>(random() % 2 ? kNarrowSum : -kNarrowSum);
    for (const std::size_t shares : {4, 8, 12})
      if (i + shares < n) query[i + shares] = 0;
  }
  return query;
}

// What `kernels` looks up of `query`, aligned; with `without` nothing, so that it multiplies.
class Tables {
 public:
  Tables(const Kernels& kernels, const std::vector<std::int8_t>& query, bool without = false) {
    const std::size_t rows = query.size() / 32;
    if (!kernels.tables || rows > kMaxTableRows || without) return;
    lines_.resize(rows * kTableBytes / sizeof(Line));
    kernels.tables(query.data(), rows, lines_.front().bytes);
  }
  const std::uint8_t* get() const { return lines_.empty() ? nullptr : lines_.front().bytes; }

 private:
  struct alignas(64) Line {
    std::uint8_t bytes[64];
  };
  std::vector<Line> lines_;
};

TEST_P(EveryKernel, finds_what_the_definition_finds) {
  const unsigned seed = 23;
  std::mt19937 random(seed);
  constexpr std::size_t kSlots = 192;
  for (const std::size_t n : {128, 256, 384, 768, 2'048, 2'176}) {  // the last is beyond the tables of AVX-512
    CodeTable table(n);
    std::vector<VectorCode> codes;
    std::vector<float> offsets;
    for (Slot slot = 0; slot < kSlots; ++slot) {
      codes.push_back(random_code(random, n));
      offsets.push_back(static_cast<float>(random() % 2000) / 1000 - 1);
      table.put(slot, codes.back(), offsets.back());
      table.put(slot, codes.back() = random_code(random, n),
                offsets.back());  // written over, nothing is left of the first
    }
    for (Slot slot = 0; slot < kSlots; slot += 17) table.clear(slot);
    for (int round = 0; round < 8; ++round) {
      const bool two = round % 2 == 0, masked = round % 4 >= 2;
      const auto q = two ? random_query(random, n) : random_narrow_query(random, n);
      const Tables tables(kernels(), q, two || round == 1);
      const ScanQuery query{q.data(),    static_cast<float>(random() % 5000), 0.001f, round < 4 ? 0.5f : -0.25f, 0.7f,
                            tables.get()};
      std::vector<std::uint64_t> mask;
      for (std::size_t i = 0; i < kSlots / 64; ++i)
        mask.push_back((std::uint64_t{random()} << 32 | random()) & (i == 1 ? 0xffff : ~0ULL));
      const float threshold = round == 0 ? -INFINITY : static_cast<float>(random() % 100) / 50;

      std::vector<Candidate> expected;
      for (Slot slot = 0; slot < kSlots; ++slot) {
        if (slot % 17 == 0 || (masked && !(mask[slot / 64] >> (slot % 64) & 1))) continue;
        std::int64_t sum = 0;
        for (std::size_t i = 0; i < n; ++i) sum += (two ? codes[slot].two_bits[i] : codes[slot].two_bits[i] / 2) * q[i];
        const float scale = two ? codes[slot].scale2 : codes[slot].scale1;
        const float product = (static_cast<float>(sum) - query.centre) * query.unit;
        const float estimate = product * scale + query.offset_weight * offsets[slot];
        const float bound = estimate + query.slack * scale;
        if (bound >= threshold) expected.push_back({estimate, bound, 1000 + slot});
      }
      std::vector<Candidate> found(kSlots);
      const CodeBlocks blocks = table.blocks(0, kSlots, two ? CodeBits::kTwo : CodeBits::kOne);
      const auto scan = two ? kernels().scan_two_bits : kernels().scan_one_bit;
      found.resize(scan(blocks, query, masked ? mask.data() : nullptr, threshold, 1000, found.data()));
      EXPECT_EQ(bits_of(found), bits_of(expected)) << "seed " << seed << ", " << n << " dimensions, round " << round;
    }
  }
}

TEST_P(EveryKernel, no_sum_overflows_at_the_largest_dimension) {
  constexpr std::size_t kN = 65'536;
  for (const int sign : {1, -1}) {
    const std::vector<std::int8_t> q(kN, static_cast<std::int8_t>(127 * sign));
    const std::vector<std::uint8_t> most(kN / 2, 255);
    EXPECT_EQ(kernels().dot_bytes(most.data(), most.data(), q.data(), kN), sign * 255 * 127 * 65'536);
    std::array<const std::uint8_t*, 5> all;
    all.fill(most.data());
    std::array<std::int32_t, 5> sums{};
    kernels().dot_high_halves(all.data(), all.size(), q.data(), kN, sums.data());
    for (const std::int32_t sum : sums) EXPECT_EQ(sum, sign * 240 * 127 * 65'536);
    std::vector<std::uint8_t> plane(CodeBlocks::kSlots * kN / 8 * 4, 0xff);
    const std::vector<float> ones(64, 1);
    const ScanQuery query{q.data(), 0, 1, 0, 0};
    std::vector<Candidate> found(64);
    std::vector<std::uint8_t> coarse(4 * CodeBlocks::kRow * (CodeBlocks::kCoarseRows + 1), 0xff);
    const std::vector<std::uint32_t> numbers(CodeBlocks::kSlots, coarse_numbers(1, 1));
    for (std::size_t block = 1; block <= 4; ++block)
      std::memcpy(coarse.data() + block * (coarse.size() / 4) - CodeBlocks::kRow, numbers.data(), CodeBlocks::kRow);
    const CodeBlocks blocks{coarse.data(), plane.data(), plane.data(), ones.data(), ones.data(), kN / 32, 4};
    ASSERT_EQ(kernels().scan_two_bits(blocks, query, nullptr, -INFINITY, 0, found.data()), 64u);
    for (const Candidate& one : found) EXPECT_EQ(one.estimate, static_cast<float>(sign * 3 * 127 * 65'536));
    for (const std::size_t n : {std::size_t{2'048}, kN}) {
      std::vector<std::int8_t> narrow(n);
      for (std::size_t i = 0; i < n; ++i) narrow[i] = static_cast<std::int8_t>(i % 16 < 4 ? sign * kNarrowSum : 0);
      const Tables tables(kernels(), narrow);
      const ScanQuery by_sign{narrow.data(), 0, 1, 0, 0, tables.get()};
      CodeBlocks same = blocks;
      same.rows = n / 32;
      ASSERT_EQ(kernels().scan_one_bit(same, by_sign, nullptr, -INFINITY, 0, found.data()), 64u);
      const auto sum = static_cast<float>(sign * kNarrowSum * static_cast<int>(n / 4));
      for (const Candidate& one : found) EXPECT_EQ(one.estimate, sum);
      std::array<float, 4> bounds{};
      ASSERT_EQ(
          kernels().look(same, by_sign, CodeBlocks::kCoarseRows, nullptr, -INFINITY, 0, bounds.data(), found.data()),
          64U);
      const auto coarse_sum = static_cast<float>(kNarrowSum * static_cast<int>(8 * CodeBlocks::kCoarseRows));
      for (const float bound : bounds) EXPECT_EQ(bound, sign > 0 ? coarse_sum : 0);
      for (const Candidate& one : found) EXPECT_EQ(one.estimate, static_cast<float>(sign) * coarse_sum);
    }
  }
}

TEST_P(EveryKernel, a_coarse_look_finds_what_the_definition_finds_and_the_bound_of_each_block) {
  const unsigned seed = 27;
  std::mt19937 random(seed);
  SCOPED_TRACE(seed);
  constexpr std::size_t kSlots = 128, kBlocks = kSlots / CodeBlocks::kSlots;
  for (const std::size_t n : {128, 384, 2'048}) {
    CodeTable table(n);
    std::vector<VectorCode> codes;
    std::vector<float> offsets;
    for (Slot slot = 0; slot < kSlots; ++slot) {
      codes.push_back(random_code(random, n));
      offsets.push_back(static_cast<float>(random() % 2000) / 1000 - 1);
      table.put(slot, codes.back(), offsets.back());
    }
    const auto gone = [](Slot slot) { return slot / 16 == 3 || slot % 16 == 5; };  // of one block all are
    for (Slot slot = 0; slot < kSlots; ++slot)
      if (gone(slot)) table.clear(slot);
    for (std::size_t rows = 1; rows <= std::min(n / 32, CodeBlocks::kCoarseRows); ++rows) {
      const auto q = random_narrow_query(random, n);
      const Tables tables(kernels(), q, rows == 2);
      const ScanQuery query{q.data(), static_cast<float>(random() % 200), 0.01F, -0.25F, 0.7F, tables.get()};
      std::vector<std::uint64_t> mask{std::uint64_t{random()} << 32 | random(), 0xffff};
      for (const bool masked : {false, true}) {
        std::vector<float> expected(kBlocks, -INFINITY), bounds(kBlocks, 7);
        std::vector<Candidate> reaching, found(kSlots);
        const float threshold = rows % 2 ? 0.1F : -INFINITY;
        for (Slot slot = 0; slot < kSlots; ++slot) {
          if (gone(slot) || (masked && !(mask[slot / 64] >> (slot % 64) & 1))) continue;
          int sum = 0;
          for (std::size_t i = 0; i < 32 * rows; ++i) sum += codes[slot].two_bits[i] / 2 * q[i];
          const std::uint32_t numbers = coarse_numbers(codes[slot].scale1, offsets[slot]);
          const auto scale = std::bit_cast<float>(numbers & 0xffff'0000), offset = std::bit_cast<float>(numbers << 16);
          const float product = (static_cast<float>(sum) - query.centre) * query.unit;
          const float bound = std::max(product + query.slack, 0.0F) * scale + query.offset_weight * offset;
          float& most = expected[slot / CodeBlocks::kSlots];
          most = std::max(most, bound);
          if (bound >= threshold)
            reaching.push_back({product * scale + query.offset_weight * offset, bound, 1000 + slot});
        }
        found.resize(kernels().look(table.blocks(0, kSlots, CodeBits::kOne), query, rows,
                                    masked ? mask.data() : nullptr, threshold, 1000, bounds.data(), found.data()));
        EXPECT_EQ(bounds, expected) << n << " dimensions, " << rows << " rows";
        EXPECT_EQ(bits_of(found), bits_of(reaching)) << n << " dimensions, " << rows << " rows";
        EXPECT_FALSE(found.empty());
      }
    }
  }
}

TEST(CodeTable, what_a_coarse_look_knows_is_near_and_nobody_stays_nobody) {
  const unsigned seed = 28;
  std::mt19937 random(seed);
  SCOPED_TRACE(seed);
  for (int i = 0; i < 10'000; ++i) {
    const float scale = std::exp(static_cast<float>(random() % 1000) / 10 - 50);
    const float offset = (random() % 2 ? scale : -scale) * static_cast<float>(random() % 7);
    const std::uint32_t numbers = coarse_numbers(scale, offset);
    EXPECT_LE(std::fabs(std::bit_cast<float>(numbers & 0xffff'0000) - scale), scale / 256);
    EXPECT_LE(std::fabs(std::bit_cast<float>(numbers << 16) - offset), std::fabs(offset) / 256);
  }
  EXPECT_TRUE(std::isnan(std::bit_cast<float>(coarse_numbers(NAN, 1) & 0xffff'0000)));
  EXPECT_TRUE(std::isnan(std::bit_cast<float>(coarse_numbers(std::bit_cast<float>(0x7f80'0001U), 1) & 0xffff'0000)));
}

TEST_P(EveryKernel, a_product_of_bytes_is_the_sum_of_its_products) {
  std::mt19937 random(29);
  for (const std::size_t n : {128, 384, 1024}) {
    constexpr Slot kSlots = 11;  // more than are taken at once, and some left
    CodeTable table(n);
    const auto query = random_query(random, n);
    std::vector<std::uint8_t> bytes;
    std::array<const std::uint8_t*, kSlots> high;
    std::array<std::int32_t, kSlots> sums{};
    for (Slot slot = 0; slot < kSlots; ++slot) {
      const VectorCode code = random_code(random, n);
      bytes.insert(bytes.end(), code.byte.begin(), code.byte.end());
      table.put(slot, code, 0);
    }
    for (Slot slot = 0; slot < kSlots; ++slot) {
      const HalfBytes halves = table.ranked(slot).halves;
      std::int64_t sum = 0;
      for (std::size_t i = 0; i < n; ++i) sum += bytes[slot * n + i] * query[i];
      EXPECT_EQ(kernels().dot_bytes(halves.high, halves.low, query.data(), n), sum);
      high[slot] = halves.high;
    }
    kernels().dot_high_halves(high.data(), kSlots, query.data(), n, sums.data());
    for (Slot slot = 0; slot < kSlots; ++slot) {
      std::int64_t sum = 0;
      for (std::size_t i = 0; i < n; ++i) sum += (bytes[slot * n + i] & 0xf0) * query[i];
      EXPECT_EQ(sums[slot], sum) << "slot " << slot;
    }
    const auto copy = table.copy(0, CodeTable::kGroup);
    EXPECT_TRUE(std::ranges::equal(bytes, std::span(copy.bytes).first(bytes.size())));
  }
}

TEST_P(EveryKernel, a_hadamard_transform_adds_and_subtracts_in_the_one_order) {
  std::mt19937 random(37);
  constexpr std::size_t kN = Rotation::kBlock;
  Vector expected = normal_vector(random, kN), values = expected;
  for (std::size_t half = 1; half < kN; half *= 2)
    for (std::size_t i = 0; i < kN; ++i)
      if ((i & half) == 0) {
        const float a = expected[i], b = expected[i + half];
        expected[i] = a + b;
        expected[i + half] = a - b;
      }
  kernels().hadamard(values.data());
  for (std::size_t i = 0; i < kN; ++i)
    EXPECT_EQ(std::bit_cast<std::uint32_t>(values[i]), std::bit_cast<std::uint32_t>(expected[i])) << i;
}

// The order of a sum of floats is part of what a score is.
TEST_P(EveryKernel, a_dot_product_adds_in_the_one_order) {
  std::mt19937 random(31);
  for (std::size_t n = 1; n < 100; ++n) {
    const Vector a = normal_vector(random, n), b = normal_vector(random, n);
    float lanes[16] = {};
    for (std::size_t i = 0; i < n; ++i) lanes[i % 16] += a[i] * b[i];
    for (const std::size_t half : {8, 4, 2, 1})
      for (std::size_t lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
    const float product = kernels().dot(a.data(), b.data(), n);
    EXPECT_EQ(std::bit_cast<std::uint32_t>(product), std::bit_cast<std::uint32_t>(lanes[0])) << n;
    EXPECT_NEAR(product, dot_product(a, b), 1e-4);
  }
}

TEST(Kernels, the_best_is_the_widest_that_runs_here) {
  const Kernels* best = avx512_kernels() ? avx512_kernels() : avx2_kernels() ? avx2_kernels() : &kPlainKernels;
  EXPECT_EQ(&best_kernels(), best);
}

}  // namespace
}  // namespace pandora
