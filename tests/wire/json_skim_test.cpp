// What is forwarded as it came must be what a parser would have read.
#include "wire/json_skim.h"

#include <gtest/gtest.h>

#include "wire/json_reader.h"

namespace pandora {
namespace {

bool reads(std::string_view text) { return SkimmedObject().read(text); }

TEST(JsonSkim, FindsTheFieldsOfAnObjectAsTheyStand) {
  const std::string text = R"( { "a" : "x\"y" , "b":[1, {"c":2}],"d":-1.50e+3,"e":{},"f":true,"g":null } )";
  SkimmedObject object;
  ASSERT_TRUE(object.read(text));
  EXPECT_EQ(object.size(), 6u);
  EXPECT_EQ(object.find("a")->text, R"("x\"y")");
  EXPECT_EQ(object.find("a")->plain(), "");  // it holds an escape
  EXPECT_EQ(object.find("b")->text, R"([1, {"c":2}])");
  EXPECT_EQ(object.find("d")->text, "-1.50e+3");
  EXPECT_TRUE(object.has("d", SkimmedKind::kNumber) && object.has("e", SkimmedKind::kObject));
  EXPECT_TRUE(object.has("f", SkimmedKind::kBoolean) && object.has("g", SkimmedKind::kNull));
  EXPECT_EQ(object.find("c"), nullptr);
}

TEST(JsonSkim, LeavesFieldsOutAndTheRestUntouched) {
  SkimmedObject object;
  ASSERT_TRUE(object.read(R"({"model": "m", "n" : 1.0, "x":"é"})"));
  EXPECT_EQ(object.without({"model"}), R"({"n":1.0,"x":"é"})");
  EXPECT_EQ(object.without({"model", "n", "x", "none"}), "{}");
  EXPECT_EQ(object.without({}), R"({"model":"m","n":1.0,"x":"é"})");
}

TEST(JsonSkim, RefusesWhatIsNoJson) {
  for (const char* text : {"",
                           " ",
                           "{",
                           "[]",
                           "null",
                           R"("a")",
                           "{}}",
                           "{} x",
                           R"({"a"})",
                           R"({"a":})",
                           R"({"a":1,})",
                           R"({,"a":1})",
                           R"({a:1})",
                           R"({"a":01})",
                           R"({"a":1.})",
                           R"({"a":.5})",
                           R"({"a":+1})",
                           R"({"a":1e})",
                           R"({"a":nul})",
                           R"({"a":tru})",
                           R"({"a":"b)",
                           R"({"a":"\x"})",
                           R"({"a":"\u12g4"})",
                           R"({"a":"\ud83d"})",
                           R"({"a":"\ude00"})",
                           R"({"a":"\ud83d\u0041"})",
                           "{\"a\":\"\n\"}",
                           "{\"a\":\"\x80\"}",
                           "{\"a\":\"\xC3\"}",
                           R"({"a":[1,]})",
                           R"({"a":[1 2]})",
                           R"({"a":{"b" 1}})",
                           "{\"a\":\"\x1F\"}"}) {
    EXPECT_FALSE(reads(text)) << text;
  }
}

TEST(JsonSkim, LeavesToAParserWhatOneWouldHaveToSettle) {
  EXPECT_FALSE(reads(R"({"a":1,"a":2})"));
  EXPECT_FALSE(reads(R"({"\u0061":1})"));
  EXPECT_TRUE(reads(R"({"a":"\u0061\ud83d\ude00 \n"})"));
}

TEST(JsonSkim, MarksAreSeenAtEveryPlaceOfEightBytes) {
  for (std::size_t place = 0; place < 24; ++place)
    for (const char* mark : {"\"", "\\", "\x1F", "\x01", "\xFF"}) {
      std::string inside(24, 'x');
      inside.replace(place, 1, mark);
      EXPECT_FALSE(reads("{\"a\":\"" + inside + "\"}")) << place << " " << static_cast<int>(*mark);
    }
}

TEST(JsonSkim, DepthAndFieldsHaveAMaximum) {
  const auto nested = [](std::size_t depth) {
    return "{\"a\":" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  EXPECT_TRUE(reads(nested(kMaxSkimDepth)));
  EXPECT_FALSE(reads(nested(kMaxSkimDepth + 1)));
  const auto wide = [](std::size_t fields) {
    std::string text = "{";
    for (std::size_t i = 0; i < fields; ++i) text += (i ? ",\"" : "\"") + std::to_string(i) + "\":0";
    return text + "}";
  };
  EXPECT_TRUE(reads(wide(kMaxSkimmed)));
  EXPECT_FALSE(reads(wide(kMaxSkimmed + 1)));
}

TEST(JsonSkim, ElementsComeInOrderUntilOneIsNotWanted) {
  std::string all;
  EXPECT_TRUE(skim_elements(R"([1, "b" ,[ ] ])", [&](const SkimmedValue& one) {
    all += one.text;
    return true;
  }));
  EXPECT_EQ(all, R"(1"b"[ ])");
  EXPECT_FALSE(skim_elements("[1,2]", [](const SkimmedValue& one) { return one.text != "2"; }));
  EXPECT_FALSE(skim_elements("[1,2", [](const SkimmedValue&) { return true; }));
  EXPECT_TRUE(skim_elements("[]", [](const SkimmedValue&) { return false; }));
}

}  // namespace
}  // namespace pandora
