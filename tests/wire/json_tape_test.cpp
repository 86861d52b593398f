#include "wire/json_tape.h"

#include <cmath>
#include <limits>

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
