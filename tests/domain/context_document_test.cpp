#include "domain/context_document.h"

#include <bit>
#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace pandora {
namespace {

// What a document of every feature looks like; its Markdown is golden/context_v1.md.
ContextDocument full_document() {
  ContextDocument document;
  document.turn_uid = *Uuid::parse("0190a1b2-c3d4-7e5f-8a6b-0c1d2e3f4a5b");
  document.query = {"How much does that laptop cost?\n\n## is this a heading?",
                    "How much does that laptop cost? [ThinkPad X1]"};
  document.reflection = {Reflection::kClarify, "two laptops were named", "Which one: the X1 or the T14?"};
  document.gathered.mode = RecallMode::kLexical;
  document.gathered.tokens = 48;
  document.gathered.missing = {"dense search: the encoder is not loaded", "research: none about \"ThinkPad\""};
  document.gathered.items = {
      {GatheredKind::kPreference, "memory 0190a1b2", "0190a1b2-0000-7000-8000-000000000001", "",
       *parse_iso8601("2026-01-02T08:00:00Z"), Trust::kUser, 0.9, 0, "I prefer prices in euros."},
      {GatheredKind::kPreviousTurn, "turn 12", "0190a1b2-0000-7000-8000-000000000002", "shopping",
       *parse_iso8601("2026-01-05T10:00:00.000250Z"), Trust::kUser, 1, 1.234,
       "User said, \"I look at the ThinkPad X1.\"\nAssistant said, \"A fine one.\""},
      {GatheredKind::kSource, "example.com", "", "", *parse_iso8601("2026-01-05T10:00:01Z"), Trust::kWeb,
       0.30000000000000004, 0.1, ""},
  };
  document.plans = {{1, {"name the price", "say as of when"}, Route::kTools}, {2, {}, Route::kSynthesis}};
  document.tools = {
      {1,
       1,
       "web.fetch",
       R"({"url": "https://example.com/x1", "note": "a\nb"})",
       ToolStatus::kOk,
       "<b>€ 1.299</b>\n",
       {"the X1 costs € 1,299"}},
      {1, 2, "web.fetch", "{}", ToolStatus::kTimedOut, "", {}},
  };
  document.replies = {{1, "extractive", "It costs € 1,299."},
                      {2, "mind-7b", "> It costs € 1,299,\n\n- as of 5 January."}};
  document.validations = {{1, Verdict::kRevise, 0.6, {"no date"}}, {2, Verdict::kApprove, 0.85, {}}};
  return document;
}

std::string golden(const std::string& name) {
  std::ifstream in(std::string(PANDORA_GOLDEN) + "/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(ContextDocument, VersionOneIsWrittenAsItsGoldenFile) {
  EXPECT_EQ(render(full_document()), golden("context_v1.md"));
  EXPECT_EQ(render(ContextDocument{}), golden("context_v1_empty.md"));
}

TEST(ContextDocument, VersionOneIsReadFromItsGoldenFile) {
  const auto full = parse_context_document(golden("context_v1.md"));
  ASSERT_TRUE(full) << full.error().to_line();
  EXPECT_EQ(*full, full_document());
  const auto empty = parse_context_document(golden("context_v1_empty.md"));
  ASSERT_TRUE(empty) << empty.error().to_line();
  EXPECT_EQ(*empty, ContextDocument{});
}

// --- any document ---------------------------------------------------------------------------------------------------

const std::vector<std::string> kNasty = {
    "\n",
    "\r",
    "\r\n",
    "\n\n",
    " ",
    "  ",
    "\t",
    "\\",
    "\\n",
    "\\\\",
    "`",
    "```\n",
    "> ",
    ">",
    "#",
    "## ",
    "## §4 Tools",
    "\n## §6 Validation\n",
    "### Attempt 1",
    "- ",
    "- id: ",
    "- goal: x\n",
    " · ",
    "confidence 1",
    "*End of the context document.*",
    "\n*End of the context document.*\n",
    "Asked back:",
    "It stands alone.",
    "",
    "\xE2\x80\xA8",
    "\xE2\x80\xA9",
    "\xC2\x85",
    "\xEF\xBB\xBF",
    std::string(1, '\0'),
    "\x01",
    "\x7F",
    "\xEF\xBF\xBD",
    "é",
    "e\u0301",
    "日本",
    "🙂",
    "<!-- -->",
    "<b>",
    "&amp;",
    "[a](b)",
    "|",
    "_x_",
    "**",
    "---",
    "===",
    "# Turn ",
    "version 2",
    "\"",
    "'",
    "a",
    "word",
    "0",
};

rc::Gen<std::string> text() {
  return rc::gen::map(rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(kNasty)),
                      [](const std::vector<std::string>& parts) {
                        std::string joined;
                        for (const auto& part : parts) joined += part;
                        return joined;
                      });
}
std::vector<std::string> texts() { return *rc::gen::resize(4, rc::gen::container<std::vector<std::string>>(text())); }
double number() {
  const double value = std::bit_cast<double>(*rc::gen::arbitrary<std::uint64_t>());
  return std::isnan(value) ? 0.1 : value;
}
template <class E>
E one_of_first(int count) {
  return static_cast<E>(*rc::gen::inRange(0, count));
}
template <class T, class Make>
std::vector<T> some(Make make) {
  std::vector<T> result;
  for (int i = *rc::gen::inRange(0, 4); i > 0; --i) result.push_back(make());
  return result;
}

ContextDocument any_document() {
  ContextDocument document;
  for (auto& byte : document.turn_uid.bytes) byte = *rc::gen::arbitrary<std::uint8_t>();
  document.query = {*text(), *text()};
  document.reflection = {one_of_first<Reflection>(2), *text(), *text()};
  document.gathered.mode = one_of_first<RecallMode>(4);
  document.gathered.tokens = *rc::gen::arbitrary<std::int64_t>();
  document.gathered.missing = texts();
  document.gathered.items = some<GatheredItem>([] {
    const std::int64_t last = parse_iso8601("9999-12-31T23:59:59.999999Z")->micros;
    const Timestamp at{*rc::gen::inRange<std::int64_t>(0, last)};
    return GatheredItem{one_of_first<GatheredKind>(6), *text(),  *text(),  *text(), at,
                        one_of_first<Trust>(4),        number(), number(), *text()};
  });
  const auto integer = [] { return *rc::gen::arbitrary<int>(); };
  document.plans = some<PlanSection>([&] { return PlanSection{integer(), texts(), one_of_first<Route>(2)}; });
  document.tools = some<ToolBlock>(
      [&] { return ToolBlock{integer(), integer(), *text(), *text(), one_of_first<ToolStatus>(5), *text(), texts()}; });
  document.replies = some<SynthesisAttempt>([&] { return SynthesisAttempt{integer(), *text(), *text()}; });
  document.validations = some<ValidationAttempt>(
      [&] { return ValidationAttempt{integer(), one_of_first<Verdict>(4), number(), texts()}; });
  return document;
}

TEST(ContextDocument, WhatIsWrittenIsReadBackWhateverItHolds) {
  EXPECT_TRUE(rc::check("parse(render(d)) == d", [] {
    const ContextDocument document = any_document();
    const auto parsed = parse_context_document(render(document));
    if (!parsed) RC_FAIL(parsed.error().to_line());
    RC_ASSERT(*parsed == document);
  }));
}

TEST(ContextDocument, EveryNastyTextSurvivesInEveryPlace) {
  for (const auto& one : kNasty)
    for (const auto& other : kNasty) {
      ContextDocument document = full_document();
      const std::string both = one + other;
      document.query = {both, one};
      document.reflection.reason = document.reflection.question = both;
      document.gathered.missing = {both, ""};
      auto& item = document.gathered.items[0];
      item.source = item.id = item.session = item.text = both;
      document.plans[0].goals = {both};
      auto& tool = document.tools[0];
      tool.tool = tool.arguments = tool.result = both;
      tool.claims = {both};
      document.replies[0].model = document.replies[0].text = both;
      document.validations[0].issues = {both};
      const auto parsed = parse_context_document(render(document));
      ASSERT_TRUE(parsed) << both << parsed.error().to_line();
      ASSERT_EQ(*parsed, document) << both;
    }
}

TEST(ContextDocument, NumbersComeBackToTheLastBit) {
  using Limits = std::numeric_limits<double>;
  for (const double value : {0.1, 1.0 / 3, 0.30000000000000004, Limits::min(), Limits::denorm_min(), Limits::max(),
                             -0.0, 1e300, Limits::infinity()}) {
    ContextDocument document = full_document();
    document.gathered.items[0].score = value;
    const auto parsed = parse_context_document(render(document));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(std::bit_cast<std::uint64_t>(parsed->gathered.items[0].score), std::bit_cast<std::uint64_t>(value));
  }
}

// --- what is refused ------------------------------------------------------------------------------------------------

ErrorCode refusal(std::string_view markdown) {
  const auto parsed = parse_context_document(markdown);
  return parsed ? ErrorCode::kInternal : parsed.error().code;
}

TEST(ContextDocument, ACutOneIsNeverTakenForAWhole) {
  const std::string whole = render(full_document());
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_EQ(refusal(whole.substr(0, size)), ErrorCode::kDataCorrupt) << "cut at byte " << size;
}

TEST(ContextDocument, AMissingLineIsAnErrorOrHarmless) {
  const std::string whole = render(full_document());
  for (std::size_t begin = 0; begin < whole.size();) {
    const std::size_t end = whole.find('\n', begin) + 1;
    const auto parsed = parse_context_document(whole.substr(0, begin) + whole.substr(end));
    if (end == begin + 1) {
      EXPECT_TRUE(parsed) << "an empty line may go, at byte " << begin;
    }
    begin = end;
  }
}

TEST(ContextDocument, ANewerVersionIsIncompatibleNotCorrupt) {
  std::string text = render(full_document());
  const auto at = text.find("version 1");
  text.replace(at, 9, "version 2");
  const auto parsed = parse_context_document(text);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, ErrorCode::kIncompatible);
  EXPECT_FALSE(parsed.error().remedy.empty());
}

TEST(ContextDocument, WhatDoesNotFitIsCorruptAndNamesItsLine) {
  const std::string whole = render(full_document());
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string text = whole;
    const auto at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  };
  for (const auto& text :
       {std::string(), std::string("# A shopping list\n"), with("version 1", "version 0"),
        with("version 1", "version one"), with("0190a1b2-c3d4", "0190a1b2_c3d4"), with("## §3 Plan", "## §3 Plans"),
        with("trust user", "trust nobody"), with("confidence 0.9", "confidence high"),
        with("score 0\n", "score 0 · more\n"), with("2026-01-02T", "2026-13-02T"),
        with("decision: CLARIFY", "decision: PERHAPS"), with(", pass 2", ""), with("### Attempt 1", "### Attempt one"),
        with("tokens: 48", "tokens: 4.8"), with("a\\\\nb", "a\\xb"), with("> > It", ">> It"), whole + "more\n"})
    EXPECT_EQ(refusal(text), ErrorCode::kDataCorrupt) << text.substr(0, 2000);
  const auto parsed = parse_context_document(with("decision: CLARIFY", "decision: PERHAPS"));
  ASSERT_FALSE(parsed);
  EXPECT_NE(parsed.error().message.find("line 15"), std::string::npos) << parsed.error().message;
}

TEST(ContextDocument, HoldsItsMaximumAndNotOneByteMore) {
  ContextDocument document;
  document.query = {"x", "x"};
  const std::size_t rest = render(document).size();
  document.query.message = document.query.question = std::string(kMaxContextDocumentBytes - rest + 1, 'x');
  std::string text = render(document);
  ASSERT_EQ(text.size(), kMaxContextDocumentBytes);
  EXPECT_TRUE(parse_context_document(text));
  document.query.message += 'x';
  document.query.question = document.query.message;
  EXPECT_EQ(refusal(render(document)), ErrorCode::kTooLarge);
}

}  // namespace
}  // namespace pandora
