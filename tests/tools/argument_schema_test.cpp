#include "tools/argument_schema.h"

#include <gmock/gmock.h>

#include "contract/expect.h"

namespace pandora {
namespace {

using ::testing::HasSubstr;

const ArgumentSchema& search() {
  static const ArgumentSchema schema = must(ArgumentSchema::parse("search", R"({"type": "object", "properties": {
    "query": {"type": "string", "minLength": 1, "maxLength": 10}, "limit": {"type": "integer", "minimum": 1, "maximum": 20},
    "kind": {"enum": ["fact", "note"]}, "items": {"type": "array", "maxItems": 2, "items": {"type": "object",
      "properties": {"claim": {"type": "string"}}, "required": ["claim"]}}},
    "required": ["query"], "additionalProperties": false})"));
  return schema;
}
std::string refusal(std::string_view arguments) {
  const auto read = search().read(arguments, 1000);
  EXPECT_FALSE(read);
  return read ? "" : read.error().to_line();
}

TEST(ArgumentSchema, WhatFitsIsGiven) {
  EXPECT_EQ(must(search().read(R"({"query": "nuts", "limit": 20, "kind": "fact"})", 1000))["limit"], 20);
  EXPECT_EQ(must(search().read(R"({"query": "0123456789"})", 1000)).size(), 1u);
}

TEST(ArgumentSchema, WhatDoesNotFitIsNamedByItsPlaceWithWhatTheToolTakes) {
  EXPECT_THAT(refusal("{}"), HasSubstr("query"));
  EXPECT_THAT(
      refusal("{}"),
      HasSubstr("it takes items? (array), kind? (one of [\"fact\",\"note\"]), limit? (integer), query (string)"));
  EXPECT_THAT(refusal(R"({"query": 7})"), HasSubstr("query: "));
  EXPECT_THAT(refusal(R"({"query": "nuts", "limit": 21})"), HasSubstr("limit: "));
  EXPECT_THAT(refusal(R"({"query": "nuts", "limit": 0})"), HasSubstr("limit: "));
  EXPECT_THAT(refusal(R"({"query": "nuts", "limit": 1.5})"), HasSubstr("limit: "));
  EXPECT_THAT(refusal(R"({"query": "01234567890"})"), HasSubstr("query: "));
  EXPECT_THAT(refusal(R"({"query": ""})"), HasSubstr("query: "));
  EXPECT_THAT(refusal(R"({"query": "nuts", "kind": "rumour"})"), HasSubstr("kind: "));
  EXPECT_THAT(refusal(R"({"query": "nuts", "more": 1})"), HasSubstr("more"));
  EXPECT_THAT(refusal(R"({"query": "nuts", "items": [{"claim": "a"}, {}]})"), HasSubstr("items[1]"));
}

TEST(ArgumentSchema, WhatIsNoObjectIsSaid) {
  for (const char* text : {"", "nuts", "[]", "7", "null", "{", R"({"query": "a"} {})", "{\"query\": \"\xFF\"}"})
    EXPECT_FAILS(kInvalidArgument, search().read(text, 1000)) << text;
}

TEST(ArgumentSchema, ItsBoundsHoldAtThemAndOnePast) {
  const std::string fits = R"({"query": "nuts"})";
  EXPECT_TRUE(search().read(fits, fits.size()));
  EXPECT_FAILS(kTooLarge, search().read(fits, fits.size() - 1));
  const auto nested = [](std::size_t levels) {
    return std::string(levels - 1, '[').insert(0, R"({"x": )") + std::string(levels - 1, ']') + "}";
  };
  const ArgumentSchema any = must(ArgumentSchema::parse("any", R"({"type": "object"})"));
  EXPECT_TRUE(any.read(nested(kMaxArgumentDepth), 1000));
  EXPECT_FAILS(kInvalidArgument, any.read(nested(kMaxArgumentDepth + 1), 1000));
}

TEST(ArgumentSchema, OneThatIsNoneOfAnObjectIsRefused) {
  for (const char* text : {"", "{}", "[]", R"({"type": "string"})"})
    EXPECT_FAILS(kInvalidArgument, ArgumentSchema::parse("tool", text)) << text;
}

}  // namespace
}  // namespace pandora
