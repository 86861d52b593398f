#include "domain/derive.h"

#include <map>

#include <gtest/gtest.h>

#include "base/text.h"

namespace pandora {
namespace {

Turn turn_about(std::string topic, Intent intent = Intent::kQuestion) {
  Turn turn;
  turn.topic = std::move(topic);
  turn.intent = intent;
  return turn;
}
const std::vector<Turn> kLast = {turn_about("ThinkPad X1"), turn_about("Lisbon")};

TermStatistics statistics(std::map<std::string, double> with = {}, double turns = 100) {
  return {[with = std::move(with)](std::span<const std::string_view> terms) {
            std::vector<double> counts;
            for (const std::string_view term : terms) {
              const auto found = with.find(std::string(term));
              counts.push_back(found == with.end() ? 0.0 : found->second);
            }
            return counts;
          },
          turns};
}

TEST(SelfContainedQuestion, AReferenceGainsTheLastTopic) {
  for (const std::string_view message :
       {"How much does it cost?", "Does it have a good keyboard?", "What about that laptop?",
        "Is the second one better?", "Who makes them?", "Tell me more", "Why?", "Can I use that in Spain?",
        "And how heavy is it?", "Is this one faster?", "When did he buy it?", "Why is that?", "What else?",
        "How long have they been there?"})
    EXPECT_EQ(self_contained_question(message, kLast), std::string(message) + " [ThinkPad X1]");
}

TEST(SelfContainedQuestion, AQuestionThatStandsAloneIsUnchanged) {
  for (const std::string_view message :
       {"What is the capital of Portugal?", "Is it raining in Paris?", "What time is it?",
        "I think that cats are clever.", "What is on this week?", "My laptop is broken, how do I fix it?",
        "Write a poem about the sea and make it short", "Thanks!", "Hi", "Why do cats purr?",
        "How many planets are there in the solar system?", "Did you know that Rome is old?",
        "How far is it from Rome to Naples?", "It was a long and tiring day at the office with everybody"})
    EXPECT_EQ(self_contained_question(message, kLast), message);
}

TEST(SelfContainedQuestion, WithoutAnEarlierTopicItIsUnchanged) {
  EXPECT_EQ(self_contained_question("How much does it cost?", {}), "How much does it cost?");
  EXPECT_EQ(self_contained_question("How much does it cost?", {turn_about("")}), "How much does it cost?");
}

TEST(SelfContainedQuestion, SmallTalkInBetweenIsPassedOver) {
  EXPECT_EQ(self_contained_question("Is it heavy?", {turn_about("morning", Intent::kSmalltalk), turn_about("Lisbon")}),
            "Is it heavy? [Lisbon]");
}

TEST(DeriveSummary, IsTheQuestionAndTheFirstSentencesOfTheReply) {
  EXPECT_EQ(derive_summary("Where is Lisbon?", "In Portugal. On the  Tagus.\nIt is old. It is large."),
            "Where is Lisbon? In Portugal. On the Tagus. It is old.");
  EXPECT_EQ(derive_summary("Where is Lisbon?", ""), "Where is Lisbon?");
  EXPECT_EQ(derive_summary("", "In Portugal."), "In Portugal.");
  EXPECT_EQ(derive_summary("", ""), "");
}

TEST(DeriveSummary, NeverExceedsItsLimitNorSplitsACodePoint) {
  for (const std::string_view unit : {"ä", "日", "🙂", "a", "word ", "Satz. "})
    for (std::size_t size : {0U, 1U, 100U, 199U, 200U, 239U, 240U, 241U, 398U, 399U, 400U, 401U, 5000U}) {
      std::string text;
      while (text.size() < size) text += unit;
      for (const auto& summary : {derive_summary(text, text), derive_summary(text, ""), derive_summary("", text)}) {
        EXPECT_LE(summary.size(), kMaxSummaryBytes);
        EXPECT_TRUE(is_valid_utf8(summary));
      }
    }
}

TEST(DeriveSummary, ALongFirstSentenceIsCutAtAWord) {
  std::string sentence;
  while (sentence.size() < 1000) sentence += "alpha ";
  const std::string summary = derive_summary("Q?", sentence);
  EXPECT_TRUE(summary.starts_with("Q? alpha"));
  EXPECT_TRUE(summary.ends_with(" alpha…")) << summary;
}

TEST(DeriveTopic, TakesTheHeaviestTermsInTheirWrittenFormAndOrder) {
  EXPECT_EQ(derive_topic("Tell me about the museums in Lisbon", statistics()), "museums Lisbon");
  // "laptop" is in nearly every turn, so it weighs least.
  EXPECT_EQ(derive_topic("laptop battery swelling danger", statistics({{"laptop", 99}})), "battery swelling danger");
  EXPECT_EQ(derive_topic("Does read_file close?", statistics()), "read_file close");
  EXPECT_EQ(derive_topic("", statistics()), "");
  EXPECT_EQ(derive_topic("tell me", statistics()), "tell");
}

TEST(DeriveTopic, ATermSaidTwiceWeighsMore) {
  EXPECT_EQ(derive_topic("alpha beta gamma delta delta", statistics()), "alpha beta delta");
}

TEST(DeriveKeywords, AreTheTenHeaviestTermsHeaviestFirst) {
  const auto keywords = derive_keywords(
      "zebra zebra lion", "the lion and the zebra saw one two three four five six seven eight nine", statistics());
  ASSERT_EQ(keywords.size(), kMaxKeywords);
  EXPECT_EQ(keywords[0], "zebra");
  EXPECT_EQ(keywords[1], "lion");
}

TEST(DeriveFields, FillsEveryDerivedFieldOfATurn) {
  Turn turn;
  turn.message.text = "How much does it cost?";
  turn.reply = Utterance{Role::kAssistant, "", "It costs 1,200 euros."};
  derive_fields(turn, kLast, statistics());
  EXPECT_EQ(turn.question, "How much does it cost? [ThinkPad X1]");
  EXPECT_EQ(turn.summary, "How much does it cost? [ThinkPad X1] It costs 1,200 euros.");
  EXPECT_EQ(turn.topic, "ThinkPad X1");
  EXPECT_EQ(turn.intent, Intent::kShopping);
  EXPECT_FALSE(turn.keywords.empty());
  EXPECT_EQ(turn.content_sha256, content_sha256(turn.user, turn.message, turn.reply));
}

TEST(DeriveFields, AnExtractiveReplyIsNothingNew) {
  Turn turn;
  turn.message.text = "Where is Lisbon?";
  turn.reply = Utterance{Role::kAssistant, "", "turn 3 said zebra."};
  turn.model = kExtractiveModel;
  derive_fields(turn, {}, statistics());
  EXPECT_EQ(turn.summary, "Where is Lisbon?");
  EXPECT_EQ(turn.keywords, std::vector<std::string>{"lisbon"});
}

}  // namespace
}  // namespace pandora
