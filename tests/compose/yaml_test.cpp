#include "compose/yaml.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace pandora {
namespace {

Json value_of(const std::string& text) {
  const auto document = parse_yaml(text, "a.yaml");
  return document ? document->value : Json(document.error().to_line());
}

TEST(Yaml, ScalarsAreWhatTheCoreRulesSay) {
  EXPECT_EQ(
      value_of("[1, -2, 1.5, 1e3, true, False, null, ~, '1', \"true\", yes, 0x10, 1.2.3, 10s, 999999999999999999999]"),
      Json::parse(R"([1, -2, 1.5, 1000.0, true, false, null, null, "1", "true", "yes", "0x10", "1.2.3", "10s",
                            999999999999999999999.0])"));
  EXPECT_EQ(value_of("a: |\n  b\n  c\n"), Json({{"a", "b\nc\n"}}));
  EXPECT_EQ(value_of(""), Json());
}

TEST(Yaml, EveryValueHasItsPlace) {
  const auto document = *parse_yaml("a:\n  - b\n  - c/d: 1\n", "a.yaml");
  EXPECT_EQ(document.places.at("/a").to_string(), "a.yaml:1:1");
  EXPECT_EQ(document.places.at("/a/0").to_string(), "a.yaml:2:5");
  EXPECT_EQ(document.places.at("/a/1/c~1d").to_string(), "a.yaml:3:5");
}

TEST(Yaml, AnchorsAliasesAndMergeKeysAreResolved) {
  EXPECT_EQ(
      value_of("x: &x {a: 1, b: 2}\ny: *x\nz: {<<: *x, b: 3}\nw: {<<: [{c: 4}, *x]}\n"),
      Json::parse(
          R"({"x": {"a": 1, "b": 2}, "y": {"a": 1, "b": 2}, "z": {"a": 1, "b": 3}, "w": {"a": 1, "b": 2, "c": 4}})"));
}

TEST(Yaml, WhatIsNoneIsNamedWithLineAndColumn) {
  const std::pair<std::string, std::string> kBad[] = {
      {"a: [1\n", "a.yaml:2:1"},     {"a: 1\n b: 2\n", "a.yaml:2:"},     {"a: 1\na: 2\n", "a.yaml:2:1"},
      {"a: *b\n", "a.yaml:1:4"},     {"a: 1\n---\nb: 2\n", "a.yaml:2:"}, {"\t a: 1", "a.yaml:1:"},
      {"? [a]\n: b\n", "a.yaml:1:3"}};
  for (const auto& [text, place] : kBad) {
    const auto document = parse_yaml(text, "a.yaml");
    ASSERT_FALSE(document) << text;
    EXPECT_EQ(document.error().code, ErrorCode::kInvalidArgument) << text;
    EXPECT_NE(document.error().message.find(place), std::string::npos) << document.error().message;
  }
  EXPECT_EQ(parse_yaml("a: \xff\n", "a.yaml").error().code, ErrorCode::kInvalidArgument);
}

TEST(Yaml, DepthIsBounded) {
  const auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(parse_yaml(nested(kMaxYamlDepth + 1), "a.yaml"));  // the outermost is at depth 0
  EXPECT_EQ(parse_yaml(nested(kMaxYamlDepth + 2), "a.yaml").error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(parse_yaml(nested(100'000), "a.yaml").error().code, ErrorCode::kTooLarge);
}

TEST(Yaml, SizeIsBounded) {
  const std::string most = "a: " + std::string(kMaxYamlBytes - 3, 'x');
  EXPECT_TRUE(parse_yaml(most, "a.yaml"));
  EXPECT_EQ(parse_yaml(most + "x", "a.yaml").error().code, ErrorCode::kTooLarge);
}

TEST(Yaml, ValuesAreBoundedAlsoWhenAliasesMultiplyThem) {
  std::string list = "[";
  for (std::size_t i = 1; i < kMaxYamlValues; ++i) list += i == 1 ? "1" : ",1";
  EXPECT_TRUE(parse_yaml(list + "]", "a.yaml"));
  EXPECT_EQ(parse_yaml(list + ",1]", "a.yaml").error().code, ErrorCode::kTooLarge);
  std::string laughs = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n", merges = "a0: &a0 {x0: 1}\n";
  for (int i = 1; i < 12; ++i) {
    std::string tenfold;
    for (int k = 0; k < 10; ++k) tenfold += fmt::format("{}*a{}", k == 0 ? "" : ", ", i - 1);
    laughs += fmt::format("a{}: &a{} [{}]\n", i, i, tenfold);
    merges += fmt::format("a{}: &a{} {{<<: [{}], x{}: 1}}\n", i, i, tenfold, i);
  }
  EXPECT_EQ(parse_yaml(laughs, "a.yaml").error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(parse_yaml(merges, "a.yaml").error().code, ErrorCode::kTooLarge);
}

}  // namespace
}  // namespace pandora
