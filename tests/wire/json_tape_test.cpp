#include "wire/json_tape.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace pandora {
namespace {

std::string compact(std::string_view text) {
  const auto tape = JsonTape::parse(text);
  if (!tape) return "fault: " + tape.error().to_text();
  std::string out;
  append_compact(out, tape->root());
  return out;
}

TEST(JsonTape, what_is_written_back_says_the_same_without_its_spaces) {
  EXPECT_EQ(compact(R"( {"a" : [1, -2.50, 1e3, true,null ], "b":{"c":"d\n é"}} )"),
            R"({"a":[1,-2.50,1e3,true,null],"b":{"c":"d\n é"}})");
  EXPECT_EQ(compact("[]"), "[]");
  EXPECT_EQ(compact(" 7 "), "7");
}

TEST(JsonTape, of_members_with_one_name_the_last_counts_however_it_is_spelled) {
  EXPECT_EQ(compact(R"({"a":1,"b":2,"\u0061":3})"), R"({"b":2,"\u0061":3})");
  std::string many = "{", wanted = "{";
  for (int i = 0; i < 40; ++i) many += "\"k" + std::to_string(i % 20) + "\":" + std::to_string(i) + ",";
  for (int i = 20; i < 40; ++i) wanted += "\"k" + std::to_string(i % 20) + "\":" + std::to_string(i) + ",";
  many.back() = wanted.back() = '}';
  EXPECT_EQ(compact(many), wanted);
}

TEST(JsonTape, what_is_no_json_is_refused_with_its_place) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "EOF while parsing a value at line 1 column 0"},
      {"{not json", "key must be a string at line 1 column 2"},
      {R"({"v":[NaN]})", "expected value at line 1 column 7"},
      {"[1,]", "trailing comma at line 1 column 4"},
      {"[1] 2", "trailing characters at line 1 column 5"},
      {"[\n01]", "invalid number at line 2 column 2"},
      {"\"\x01\"", "control character (\\u0000-\\u001F) found while parsing a string at line 1 column 2"},
      {"[1 2]", "expected `,` or `]` at line 1 column 4"},
      {"[1,2", "EOF while parsing a list at line 1 column 4"},
      {R"(["\ud800"])", "unexpected end of hex escape at line 1 column 8"},
  };
  for (const auto& [text, fault] : cases) EXPECT_EQ(compact(text), std::string("fault: ") + fault) << text;
  EXPECT_EQ(compact("\"\xff\"").substr(0, 6), "fault:");
}

float nearest_float(const std::string& digits) {
  const auto tape = JsonTape::parse(digits);
  EXPECT_TRUE(tape.has_value()) << digits;
  return tape ? tape->root().nearest_float() : std::numeric_limits<float>::quiet_NaN();
}
// By the standard library, which reads any number of digits.
float nearest_by_library(const std::string& digits) {
  float value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

TEST(JsonTape, a_number_is_read_as_the_float_that_is_nearest_to_its_digits) {
  const unsigned seed = 71;
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  const auto expect_same = [](const std::string& digits) {
    ASSERT_EQ(std::bit_cast<std::uint32_t>(nearest_float(digits)),
              std::bit_cast<std::uint32_t>(nearest_by_library(digits)))
        << digits;
  };
  for (int round = 0; round < 30'000; ++round) {
    // Near a float, near half way to the next, and exactly there; with any number of digits.
    const auto bits = static_cast<std::uint32_t>(random() % 0x7F000000);
    const auto one = std::bit_cast<float>(bits), next = std::bit_cast<float>(bits + 1);
    const double half = (static_cast<double>(one) + static_cast<double>(next)) / 2;
    const char* sign = round % 2 ? "-" : "";
    const auto places = static_cast<int>(random() % 20);
    for (const double value : {static_cast<double>(one), half, std::ldexp(half, -static_cast<int>(random() % 3))}) {
      expect_same(fmt::format("{}{}", sign, value));
      expect_same(fmt::format("{}{:.{}e}", sign, value, places));
    }
    // As embeddings are written: within one, by five to eighteen digits; and whole numbers around 2^24, some half way.
    const double small = std::uniform_real_distribution<double>(0, 1)(random);
    expect_same(fmt::format("{}{:.{}f}", sign, small, 5 + places));
    expect_same(fmt::format("{}{}.{:0>{}}", sign, (1U << 24) + random() % 64, random() % 3, 1 + places / 2));
    expect_same(fmt::format("{}{}", sign, (1U << 24) + random() % 4096));
  }
}

TEST(JsonTape, a_number_beyond_a_float_is_infinite_and_one_too_small_is_nothing) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(nearest_float("1e39"), kInfinity);
  EXPECT_EQ(nearest_float("-1e400"), -kInfinity);
  EXPECT_EQ(nearest_float("340282346638528859811704183484516925440"), std::numeric_limits<float>::max());
  EXPECT_EQ(nearest_float("1e-50"), 0.0F);
  EXPECT_EQ(nearest_float("1e-400"), 0.0F);
  EXPECT_TRUE(std::signbit(nearest_float("-0")));
  EXPECT_TRUE(std::signbit(nearest_float("-0.000")));
  EXPECT_EQ(nearest_float("0.0000000000000000000000000000000000000000000014"),
            std::numeric_limits<float>::denorm_min());
  EXPECT_EQ(nearest_float("99999999999999999999"), 1e20F);
  EXPECT_EQ(nearest_float("12345678.12345678"), 12345678.0F);
}

TEST(JsonTape, depth_is_bounded_at_its_maximum_and_refused_one_past_it) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(JsonTape::parse(nested(kMaxJsonDepth)));
  const auto deeper = JsonTape::parse(nested(kMaxJsonDepth + 1));
  ASSERT_FALSE(deeper);
  EXPECT_EQ(deeper.error().what, "recursion limit exceeded");
  EXPECT_FALSE(JsonTape::parse(std::string(1'000'000, '[')));
}

TEST(JsonTape, numbers_keep_every_digit) {
  const auto tape = JsonTape::parse("[18446744073709551615, -9223372036854775808, 1.0, 1e400, -1e400, 1e-400]");
  ASSERT_TRUE(tape);
  std::vector<JsonNode> items;
  for (JsonNode n = tape->root().first(); n; n = n.next()) items.push_back(n);
  EXPECT_EQ(items[0].unsigned_integer(), 18446744073709551615U);
  EXPECT_EQ(items[0].integer(), std::nullopt);
  EXPECT_EQ(items[1].integer(), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(items[2].integer(), std::nullopt);
  EXPECT_EQ(items[3].number(), std::numeric_limits<double>::infinity());
  EXPECT_EQ(items[4].number(), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(items[5].number(), 0);
}

TEST(JsonTape, texts_come_without_their_escapes) {
  const auto tape = JsonTape::parse(R"({"\u006bey": "a\"\\\/\b\f\n\r\té😀"})");
  ASSERT_TRUE(tape);
  const JsonNode value = tape->root().find("key");
  ASSERT_TRUE(value);
  EXPECT_EQ(value.text(), "a\"\\/\b\f\n\r\t\xC3\xA9\xF0\x9F\x98\x80");
  std::string again;
  append_json_text(again, value.text());
  EXPECT_EQ(JsonTape::parse(again)->root().text(), value.text());
}

TEST(JsonTape, floats_are_written_as_the_shortest_text_that_is_the_same) {
  const std::pair<float, const char*> cases[] = {
      {1.0F, "1.0"}, {0.1F, "0.1"}, {-0.5F, "-0.5"}, {0.94752306F, "0.94752306"}, {1e20F, "1e+20"}, {NAN, "null"}};
  for (const auto& [value, text] : cases) {
    std::string out;
    append_json_float(out, value);
    EXPECT_EQ(out, text);
  }
}

}  // namespace
}  // namespace pandora
