#include "domain/loop_guard.h"

#include <gtest/gtest.h>

namespace pandora {
namespace {

using Texts = std::vector<std::string_view>;

Admission judge(std::string_view candidate, const Texts& recalled, const Texts& prompts, const Texts& existing) {
  return admit(candidate, {recalled, prompts, existing});
}

constexpr std::string_view kFact = "My sister Joana moved to Porto in the spring of 2024 with her two cats.";

TEST(LoopGuard, WhatIsNewIsAdmitted) {
  EXPECT_EQ(judge(kFact, {}, {}, {}), Admission::kAdmit);
  EXPECT_EQ(judge(kFact, {"Joana likes Porto and has cats."}, {"You are Pandora."}, {"My brother lives in Rome."}),
            Admission::kAdmit);
}

TEST(LoopGuard, NothingToKeepIsEmpty) {
  EXPECT_EQ(judge("", {}, {}, {}), Admission::kEmpty);
  EXPECT_EQ(judge(" \n", {}, {}, {}), Admission::kEmpty);
  EXPECT_EQ(judge("... !", {}, {}, {}), Admission::kEmpty);
}

TEST(LoopGuard, RecalledTextDoesNotComeBack) {
  const std::string shown = "turn 12 · User said, \"" + std::string(kFact) + "\" · 2026-01-05";
  EXPECT_EQ(judge(kFact, {shown}, {}, {}), Admission::kRecalledText);
  EXPECT_EQ(judge("my sister joana moved to PORTO in the spring of 2024, with her two cats", {shown}, {}, {}),
            Admission::kRecalledText);
}

TEST(LoopGuard, WhatIsWrittenOutIsTheSameAsItsShortForm) {
  EXPECT_EQ(judge("I'm allergic to peanuts.", {}, {}, {"I am allergic to peanuts."}), Admission::kNearDuplicate);
  EXPECT_EQ(judge("I do not like green tea.", {}, {}, {"I don’t like green tea."}), Admission::kNearDuplicate);
  EXPECT_EQ(judge("They will not come to us.", {}, {}, {"They won't come to us."}), Admission::kNearDuplicate);
  EXPECT_EQ(judge("I'm not allergic to peanuts.", {}, {}, {"I am allergic to peanuts."}), Admission::kAdmit);
}

TEST(LoopGuard, ShortTextsAreComparedAsAWhole) {
  EXPECT_EQ(judge("I live in Paris", {"User said, \"I live in Paris.\""}, {}, {}), Admission::kRecalledText);
  EXPECT_EQ(judge("I live in Paris", {"Do you live in Paris?"}, {}, {}), Admission::kAdmit);
  EXPECT_EQ(judge("I like tea", {"I do not like tea"}, {}, {}), Admission::kAdmit);
}

TEST(LoopGuard, SystemPromptsAreNoMemories) {
  EXPECT_EQ(judge("Answer in the language of the user and quote what you recall.", {},
                  {"You are Pandora. Answer in the language of the user and quote what you recall. Be brief."}, {}),
            Admission::kSystemPrompt);
}

TEST(LoopGuard, DuplicatesAreTold) {
  EXPECT_EQ(judge("I  like\ttea.", {}, {}, {"I like tea."}), Admission::kExactDuplicate);
  EXPECT_EQ(judge("i like tea!", {}, {}, {"I like tea."}), Admission::kNearDuplicate);
  EXPECT_EQ(judge("I do not like tea.", {}, {}, {"I like tea."}), Admission::kAdmit);
}

TEST(LoopGuard, ACorrectionIsNoDuplicate) {
  std::string before =
      "My favourite of all the many colours that I have ever seen on a painting in any museum or gallery in "
      "Portugal Spain or France during the last thirty years is ";
  EXPECT_GE(similarity(before + "red", before + "green"), 0.85);
  const std::string old = before + "red";
  EXPECT_EQ(judge(before + "green", {}, {}, {old}), Admission::kAdmit);
}

TEST(LoopGuard, TheSharesStandAtTheirBoundaries) {
  // Ten words make six shingles; one other word at the end spoils one of them.
  EXPECT_NEAR(containment("a1 a2 a3 a4 a5 a6 a7 a8 a9 b0", "a1 a2 a3 a4 a5 a6 a7 a8 a9 a0"), 5.0 / 6, 1e-12);
  EXPECT_NEAR(similarity("a1 a2 a3 a4 a5 a6 a7 a8 a9 b0", "a1 a2 a3 a4 a5 a6 a7 a8 a9 a0"), 5.0 / 7, 1e-12);
  EXPECT_EQ(judge("a1 a2 a3 a4 a5 a6 a7 a8 a9 b0", {"a1 a2 a3 a4 a5 a6 a7 a8 a9 a0"}, {}, {}),
            Admission::kRecalledText);                                                                  // 0.83
  EXPECT_EQ(judge("a1 a2 a3 a4 a5 a6 a7 b0", {"a1 a2 a3 a4 a5 a6 a7 a8"}, {}, {}), Admission::kAdmit);  // 0.75
  EXPECT_EQ(judge("a1 a2 a3 a4 a5 a6 a7 a8 b0", {"a1 a2 a3 a4 a5 a6 a7 a8 a9"}, {}, {}),
            Admission::kRecalledText);  // 0.80
  EXPECT_EQ(judge("a1 a2 a3 a4 a5 a6 a7 a8 a9 b0", {}, {}, {"a1 a2 a3 a4 a5 a6 a7 a8 a9 a0"}), Admission::kAdmit);
  EXPECT_EQ(containment("", "x"), 0);
  EXPECT_EQ(similarity("", ""), 0);
  EXPECT_EQ(similarity("one two", "One, two."), 1);
}

TEST(LoopGuard, NothingIsLookedAtBeyondItsBound) {
  std::string filler(kMaxGuardBytes - 1, ' ');
  EXPECT_EQ(judge("x", {filler + "x"}, {}, {}), Admission::kRecalledText);
  EXPECT_EQ(judge("x", {filler + " x"}, {}, {}), Admission::kAdmit);
}

}  // namespace
}  // namespace pandora
