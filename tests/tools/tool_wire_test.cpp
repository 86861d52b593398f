// What a tool gave is the same at the other end of the wire.
#include "tools/tool_wire.h"

#include <gtest/gtest.h>

#include "contract/expect.h"

namespace pandora {
namespace {

TEST(ToolWire, AnOutcomeWithItsPagesComesThroughToTheByte) {
  ToolOutcome outcome;
  outcome.status = ToolStatus::kFailed;
  outcome.trust = Trust::kWeb;
  outcome.result = "no";
  outcome.approval = "once";
  outcome.claims = {"it is so"};
  outcome.fetches.push_back({"example.com", {1'700'000'000'000'000}, false, "404"});
  outcome.pages.push_back(
      {{ObjectOrigin::kPage, "", 0, "text/html", "https://example.com/"}, std::string("\xff\0<p>", 5)});
  const auto read = must(outcome_from_json(dump_json(to_json(outcome))));
  EXPECT_EQ(read.status, outcome.status);
  EXPECT_EQ(read.trust, outcome.trust);
  EXPECT_EQ(read.fetches, outcome.fetches);
  ASSERT_EQ(read.pages.size(), 1u);
  EXPECT_EQ(read.pages[0].bytes, outcome.pages[0].bytes);
  EXPECT_EQ(read.pages[0].object, outcome.pages[0].object);
}

TEST(ToolWire, ThePageOfTheMostBytesFitsIntoAnAnswer) {
  ToolOutcome outcome;
  outcome.result = std::string(kMaxToolResultBytes, 'x');
  constexpr std::size_t kUnpacked = 8u << 20;  // of FetchOptions
  outcome.pages.push_back(
      {{ObjectOrigin::kPage, "", 0, "text/html", "https://example.com/"}, std::string(kUnpacked, 'x')});
  EXPECT_LE(dump_json(to_json(outcome)).size(), kMaxToolAnswerBytes);
}

TEST(ToolWire, WhatIsNoOutcomeIsNotTaken) {
  const Json whole = to_json(ToolOutcome{});
  for (const auto& [name, value] : whole.items()) {
    Json less = whole;
    less.erase(name);
    EXPECT_FAILS(kUnavailable, outcome_from_json(dump_json(less))) << name;
  }
  Json odd = whole;
  odd["pages"] = Json::array({{{"media_type", "text/html"}, {"url", ""}, {"base64", "***"}}});
  EXPECT_FAILS(kUnavailable, outcome_from_json(dump_json(odd)));
}

}  // namespace
}  // namespace pandora
