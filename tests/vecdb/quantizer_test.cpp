#include "vecdb/quantizer.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "vecdb/kernels.h"
#include "vecdb/rotation.h"
#include "vectors.h"

namespace pandora {
namespace {

TEST(Rotation, keeps_dot_products_at_every_dimension) {
  std::mt19937 random(37);
  for (const std::size_t n : {1, 2, 37, 127, 128, 129, 384, 1000}) {
    const Rotation rotation(n);
    EXPECT_EQ(rotation.padded() % Rotation::kBlock, 0u);
    EXPECT_GE(rotation.padded(), n);
    EXPECT_LT(rotation.padded(), n + Rotation::kBlock);
    const Vector a = normalised(normal_vector(random, n)), b = normalised(normal_vector(random, n));
    Vector ra(rotation.padded()), rb(rotation.padded());
    rotation.apply(a.data(), ra.data());
    rotation.apply(b.data(), rb.data());
    EXPECT_NEAR(dot_product(ra, rb), dot_product(a, b), 1e-5) << n;
    EXPECT_NEAR(dot_product(ra, ra), 1, 1e-5) << n;
  }
}

TEST(Rotation, spreads_a_single_component_over_all) {
  const Rotation rotation(384);
  for (const std::size_t at : {0, 1, 200, 383}) {
    Vector one(384), rotated(384);
    one[at] = 1;
    rotation.apply(one.data(), rotated.data());
    for (const float x : rotated) EXPECT_LT(std::fabs(x), 5 / std::sqrt(384.0F));
  }
}

TEST(Quantizer, the_high_bit_of_two_is_the_sign) {
  std::mt19937 random(41);
  const Vector x = normal_vector(random, 256);
  VectorCode code;
  encode(x.data(), x.size(), code);
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT_EQ(code.two_bits[i] >> 1, x[i] >= 0);
}

TEST(Quantizer, a_vector_of_zeros_is_no_special_case_for_whoever_uses_it) {
  const Vector zeros(128), tiny(128, 1e-38F);
  VectorCode code;
  for (const Vector& x : {zeros, tiny}) {
    encode(x.data(), x.size(), code);
    EXPECT_EQ(code.scale1, 0);
    EXPECT_EQ(code.scale2, 0);
    EXPECT_EQ(code.scale8, 0);
    const QueryCode query = encode_query(x.data(), x.size(), 0);
    EXPECT_EQ(query.unit, 0);
    EXPECT_EQ(query.code, std::vector<std::int8_t>(128));
    const NarrowCode narrow = encode_narrowly(x.data(), x.size(), query.norm);
    EXPECT_EQ(narrow.unit, 0);
    EXPECT_EQ(narrow.code, std::vector<std::int8_t>(128));
  }
}

TEST(Quantizer, what_signs_are_multiplied_with_is_as_narrow_as_the_kernels_need) {
  const unsigned seed = 47;
  std::mt19937 random(seed);
  SCOPED_TRACE(seed);
  constexpr std::size_t kN = 384;
  for (int round = 0; round < 200; ++round) {
    Vector q = normal_vector(random, kN);
    if (round % 2)
      for (float& x : q) x = x * x * x * 1e6F;
    if (round == 4) std::ranges::fill(q, 0.5F);  // all the same: the most is reached everywhere
    const NarrowCode narrow = encode_narrowly(q.data(), kN, 1);
    int most = 0;
    for (std::size_t first = 0; first < kN; first += 16)
      for (std::size_t z = first; z < first + 4; ++z)
        most = std::max(most, std::abs(narrow.code[z]) + std::abs(narrow.code[z + 4]) + std::abs(narrow.code[z + 8]) +
                                  std::abs(narrow.code[z + 12]));
    EXPECT_LE(most, kNarrowSum);
    EXPECT_GE(most, kNarrowSum - 4) << "precision is given away";
    for (std::size_t i = 0; i < kN; ++i)
      EXPECT_LE(std::fabs(q[i] - narrow.unit * narrow.code[i]), 0.501F * narrow.unit);
  }
}

// What a search relies on: a product is off by more than the slack about as rarely as 3 σ of a normal distribution,
// 0.27 %.
TEST(Quantizer, a_product_is_within_its_bound_whatever_the_data) {
  const unsigned seed = 43;
  std::mt19937 random(seed);
  SCOPED_TRACE(seed);
  constexpr std::size_t kVectors = 300, kQueries = 100;
  for (const std::size_t n : {37, 384, 1024}) {
    const Rotation rotation(n);
    const auto rotated = [&](const Vector& v) {
      Vector out(rotation.padded());
      rotation.apply(v.data(), out.data());
      return out;
    };
    const auto skewed = [&] {  // a few large components, many near zero
      Vector v = normal_vector(random, n);
      for (float& x : v) x = x * x * x * x * x;
      return v;
    };
    const auto single = [&] {
      Vector v(n);
      v[random() % n] = 3;
      return v;
    };
    const std::vector<std::function<Vector()>> kinds = {[&] { return normal_vector(random, n); }, skewed, single};
    for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
      std::vector<Vector> queries;
      for (std::size_t i = 0; i < kQueries; ++i) queries.push_back(rotated(kinds[(kind + i) % 3]()));
      int outside1 = 0, outside2 = 0, outside4 = 0, outside8 = 0, outside_coarse = 0;
      double used8 = 0;
      for (std::size_t i = 0; i < kVectors; ++i) {
        const Vector x = rotated(kinds[kind]());
        VectorCode code;
        encode(x.data(), x.size(), code);
        for (const Vector& q : queries) {
          const QueryCode query = encode_query(q.data(), q.size(), 0);
          const NarrowCode narrow = encode_narrowly(q.data(), q.size(), query.norm);
          double one = 0, coarse = 0, two = 0, four = 0, eight = 0;
          for (std::size_t d = 0; d < x.size(); ++d) {
            one += (code.two_bits[d] / 2 - 0.5) * narrow.code[d];
            if (d + 1 == kCoarseDimensions) coarse = one * static_cast<double>(x.size()) / kCoarseDimensions;
            two += (code.two_bits[d] - 1.5) * query.code[d];
            four += ((code.byte[d] & 0xf0) + 7.5 - 127.5) * query.code[d];
            eight += (code.byte[d] - 127.5) * query.code[d];
          }
          const double exact = dot_product(x, q), unit = static_cast<double>(query.unit);
          const double sign = static_cast<double>(narrow.unit * code.scale1);
          outside1 += std::fabs(one * sign - exact) > static_cast<double>(narrow.slack * code.scale1);
          outside_coarse += std::fabs(coarse * sign - exact) > static_cast<double>(narrow.coarse_slack * code.scale1);
          outside2 += std::fabs(two * unit * code.scale2 - exact) > static_cast<double>(query.slack2 * code.scale2);
          outside4 += std::fabs(four * unit * code.scale8 - exact) > static_cast<double>(query.slack4 * code.scale8);
          const double error8 =
              std::fabs(eight * unit * code.scale8 - exact) / static_cast<double>(query.slack8 * code.scale8);
          outside8 += error8 > 1;
          used8 = std::max(used8, error8);
        }
      }
      constexpr int kAllowed = kVectors * kQueries / 200;
      EXPECT_LE(outside1, kAllowed) << n << " dimensions, kind " << kind;
      if (n > kCoarseDimensions) {
        EXPECT_LE(outside_coarse, kAllowed / 4) << n << " dimensions, kind " << kind;
      }
      EXPECT_LE(outside2, kAllowed) << n << " dimensions, kind " << kind;
      EXPECT_LE(outside4, kAllowed) << n << " dimensions, kind " << kind;
      EXPECT_LE(outside8, kAllowed / 20) << n << " dimensions, kind " << kind;
      EXPECT_GT(used8, 0.4) << "a bound that nothing comes near re-ranks too much";
    }
  }
}

}  // namespace
}  // namespace pandora
