#include "tools/calculator.h"

#include <gmock/gmock.h>

#include "contract/expect.h"
#include "tools/calculator_tool.h"

namespace pandora {
namespace {

TEST(Calculator, ReckonsAsOnPaper) {
  const std::vector<std::pair<const char*, const char*>> kExpected = {
      {"1 + 2 * 3", "7"},
      {"(1 + 2) * 3", "9"},
      {"2 ^ 3 ^ 2", "512"},
      {"2 ** 10", "1024"},
      {"-2 ^ 2", "-4"},
      {"(-2)^2", "4"},
      {"2^-1", "0.5"},
      {"10 / 4", "2.5"},
      {"0.1 + 0.2", "0.3"},
      {"7 % 3", "1"},
      {"-7 % 3", "2"},
      {"5!", "120"},
      {"3!!", "720"},
      {"1_000 * 3", "3000"},
      {"1e3 + 1E-1", "1000.1"},
      {"sqrt(16) + abs(-3)", "7"},
      {"log(1000)", "3"},
      {"log(8, 2)", "3"},
      {"max(1, 5, 3) - min(4, 2)", "3"},
      {"round(2.5) + floor(-1.5) + ceil(1.2)", "3"},
      {"9007199254740993", "9007199254740993"},
      {"2^63 - 1", "9223372036854775807"},
      {"3 - 3", "0"},
      {"-0", "0"},
      {" + 4 ", "4"},
      {".5", "0.5"},
      {"1/3", "0.33333333333333333"},
  };
  for (const auto& [expression, value] : kExpected) {
    const auto result = calculate(expression);
    EXPECT_EQ(result ? *result : result.error().to_line(), value) << expression;
  }
  EXPECT_TRUE(must(calculate("pi")).starts_with("3.14159265358979"));
  EXPECT_TRUE(must(calculate("sin(radians(30)) * 2")).starts_with("1"));
}

TEST(Calculator, WhatMakesNoSenseIsNamedWithItsPlace) {
  for (const char* expression : {"",      " ",         "1 +",        "1 2",        "(1",
                                 "1)",    "1 / 0",     "5 % 0",      "sqrt(-1)",   "ln(0)",
                                 "0/0",   "2x",        "2e",         "unknown(1)", "abs",
                                 "abs()", "abs(1, 2)", "log(1,2,3)", "1,2",        "system(\"ls\")",
                                 "a = 3", "1; 2",      "'a'",        "1e999999",   "10^10000",
                                 "(-1)!", "2.5!",      "é",          "."}) {
    const auto result = calculate(expression);
    ASSERT_FALSE(result) << expression << " is " << *result;
    EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument) << expression;
    EXPECT_THAT(result.error().message, ::testing::HasSubstr("at character ")) << expression;
  }
}

TEST(Calculator, ItsBoundsHoldAtThemAndOnePast) {
  std::string longest = "1";
  while (longest.size() + 2 <= kMaxExpressionBytes) longest += "+1";
  longest.append(kMaxExpressionBytes - longest.size(), ' ');
  EXPECT_TRUE(calculate(longest));
  EXPECT_FAILS(kTooLarge, calculate(longest + " "));

  // Each parenthesis takes two levels, of the sum and of what stands in it.
  const auto nested = [](int pairs) {
    return std::string(static_cast<std::size_t>(pairs), '(') + "1" + std::string(static_cast<std::size_t>(pairs), ')');
  };
  EXPECT_EQ(must(calculate(nested(kMaxExpressionDepth / 2 - 1))), "1");
  EXPECT_FAILS(kTooLarge, calculate(nested(kMaxExpressionDepth / 2)));
  EXPECT_FAILS(kTooLarge, calculate(std::string(200, '-') + "1"));
  EXPECT_FAILS(kTooLarge, calculate("2" + [] {
                 std::string tower;
                 for (int i = 0; i < 100; ++i) tower += "^1";
                 return tower;
               }()));

  EXPECT_TRUE(calculate(std::to_string(kMaxFactorial) + "!"));
  EXPECT_FAILS(kTooLarge, calculate(std::to_string(kMaxFactorial + 1) + "!"));
}

}  // namespace
}  // namespace pandora
