// The vector code beside what it computes, written down in doubles.
#include "embed/attention.h"

#include <bit>
#include <cmath>
#include <random>

#include <gtest/gtest.h>

namespace pandora {
namespace {

constexpr unsigned kSeed = 11;
constexpr double kTolerance = 2e-5;  // scores reach about 25; what rounding takes from them shows in e^x
constexpr float kUntouched = 1234.5F;

std::vector<float> random_values(std::mt19937& random, std::size_t count, float spread) {
  std::normal_distribution<float> value(0, spread);
  std::vector<float> made(count);
  for (float& each : made) each = value(random);
  return made;
}

std::vector<double> plain_attention(const std::vector<float>& qkv, std::size_t tokens, std::size_t hidden,
                                    std::size_t heads) {
  const std::size_t width = hidden / heads;
  std::vector<double> out(tokens * hidden);
  const auto value = [&](std::size_t row, std::size_t part, std::size_t head, std::size_t d) {
    return static_cast<double>(qkv[row * 3 * hidden + part * hidden + head * width + d]);
  };
  for (std::size_t head = 0; head < heads; ++head)
    for (std::size_t i = 0; i < tokens; ++i) {
      std::vector<double> weights(tokens);
      double most = -1e300, total = 0;
      for (std::size_t j = 0; j < tokens; ++j) {
        for (std::size_t d = 0; d < width; ++d) weights[j] += value(i, 0, head, d) * value(j, 1, head, d);
        most = std::max(most, weights[j]);
      }
      for (double& weight : weights) total += weight = std::exp(weight - most);
      for (std::size_t j = 0; j < tokens; ++j)
        for (std::size_t d = 0; d < width; ++d)
          out[i * hidden + head * width + d] += weights[j] / total * value(j, 2, head, d);
    }
  return out;
}

TEST(SelfAttention, GivesWhatItsFormulaGivesForEveryNumberOfTokensAndWidth) {
  std::mt19937 random(kSeed);
  std::vector<float> scratch;
  for (const auto& [hidden, heads] : {std::pair{384u, 12u}, {64u, 4u}, {30u, 3u}, {48u, 1u}, {7u, 7u}})
    for (const std::size_t tokens : {1u, 2u, 3u, 4u, 5u, 15u, 16u, 17u, 31u, 32u, 33u, 47u, 64u, 100u}) {
      const auto qkv = random_values(random, tokens * 3 * hidden, 1.0F);
      const auto expected = plain_attention(qkv, tokens, hidden, heads);
      std::vector<float> out(tokens * hidden + 1, kUntouched);
      self_attention(qkv.data(), tokens, hidden, heads, out.data(), scratch);
      for (std::size_t i = 0; i < expected.size(); ++i)
        ASSERT_NEAR(out[i], expected[i], kTolerance * (1 + std::abs(expected[i])))
            << tokens << " tokens, " << hidden << "/" << heads << ", value " << i << ", seed " << kSeed;
      EXPECT_EQ(out.back(), kUntouched);
    }
}

TEST(SelfAttention, ScoresThatAreFarApartLeaveTheHighestAlone) {
  constexpr std::size_t kTokens = 21, kWidth = 4;
  std::vector<float> qkv(kTokens * 3 * kWidth), out(kTokens * kWidth), scratch;
  for (std::size_t i = 0; i < kTokens; ++i) {
    qkv[i * 3 * kWidth] = 100;                                     // every query
    qkv[i * 3 * kWidth + kWidth] = i == 13 ? 50.0F : -50.0F;       // the keys: scores of 5,000 and −5,000
    qkv[i * 3 * kWidth + 2 * kWidth + 1] = static_cast<float>(i);  // the values
  }
  self_attention(qkv.data(), kTokens, kWidth, 1, out.data(), scratch);
  for (std::size_t i = 0; i < kTokens; ++i) EXPECT_EQ(out[i * kWidth + 1], 13.0F) << i;
}

TEST(SelfAttention, EqualScoresAreAMean) {
  constexpr std::size_t kTokens = 9, kWidth = 8;
  std::vector<float> qkv(kTokens * 3 * kWidth), out(kTokens * kWidth), scratch;
  for (std::size_t i = 0; i < kTokens; ++i) qkv[i * 3 * kWidth + 2 * kWidth] = static_cast<float>(i);
  self_attention(qkv.data(), kTokens, kWidth, 1, out.data(), scratch);
  EXPECT_NEAR(out[0], 4.0F, 1e-6);
}

TEST(AddAndNormalise, GivesWhatItsFormulaGivesForEveryWidth) {
  std::mt19937 random(kSeed);
  for (const std::size_t hidden : {1u, 7u, 16u, 17u, 384u, 390u})
    for (const bool adds : {false, true}) {
      constexpr std::size_t kRows = 3;
      const auto x = random_values(random, kRows * hidden, 3), add = random_values(random, kRows * hidden, 3);
      const auto gain = random_values(random, hidden, 1), bias = random_values(random, hidden, 1);
      std::vector<float> out = x;
      out.push_back(kUntouched);
      add_and_normalise(out.data(), adds ? add.data() : nullptr, kRows, hidden, gain.data(), bias.data());
      for (std::size_t row = 0; row < kRows; ++row) {
        std::vector<double> sum(hidden);
        double mean = 0, variance = 0;
        for (std::size_t d = 0; d < hidden; ++d) {
          sum[d] = static_cast<double>(x[row * hidden + d]) + (adds ? add[row * hidden + d] : 0);
          mean += sum[d] / static_cast<double>(hidden);
        }
        for (const double value : sum) variance += (value - mean) * (value - mean) / static_cast<double>(hidden);
        for (std::size_t d = 0; d < hidden; ++d)
          ASSERT_NEAR(out[row * hidden + d], (sum[d] - mean) / std::sqrt(variance + 1e-12) * gain[d] + bias[d], 1e-5)
              << hidden << " wide, row " << row << ", value " << d << ", seed " << kSeed;
      }
      EXPECT_EQ(out.back(), kUntouched);
    }
}

TEST(RoundToBf16, TakesTheNearestAndOfTwoTheEvenOne) {
  // Upper halves by value: a tie goes to the even neighbour; the tail after 16 goes the scalar way.
  const std::vector<std::pair<std::uint32_t, std::uint16_t>> cases = {
      {0x00000000, 0x0000}, {0x80000000, 0x8000}, {0x3F800000, 0x3F80}, {0x3F807FFF, 0x3F80},
      {0x3F808000, 0x3F80}, {0x3F808001, 0x3F81}, {0x3F818000, 0x3F82}, {0x3F817FFF, 0x3F81},
      {0xBF808001, 0xBF81}, {0x3FFFFFFF, 0x4000}, {0x00000001, 0x0000}};
  for (const std::size_t offset : {0u, 5u}) {
    std::vector<float> values(offset, 1.0F);
    std::vector<std::uint16_t> expected(offset, 0x3F80);
    for (std::size_t i = 0; i < 2 * cases.size(); ++i) {
      values.push_back(std::bit_cast<float>(cases[i % cases.size()].first));
      expected.push_back(cases[i % cases.size()].second);
    }
    std::vector<std::uint16_t> out(values.size() + 1, 7);
    expected.push_back(7);
    round_to_bf16(values.data(), values.size(), out.data());
    EXPECT_EQ(out, expected);
  }
}

}  // namespace
}  // namespace pandora
