#include <gmock/gmock.h>

#include "eval/question_set.h"

namespace pandora {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string set_of(const std::string& date, const std::string& turns, const std::string& questions) {
  return R"([{"conversation": "c-1", "sessions": [{"session": 3, "date_time": ")" + date + R"(", "turns": [)" + turns +
         R"(]}], "questions": [)" + questions + "]}]";
}
const std::string kDate = "1:56 pm on 8 May, 2023";
const std::string kTurns =
    R"({"id": "D3:1", "speaker": "Ana", "text": "The key hangs there."}, {"id": "D3:2", "speaker": "Ben", "text": "Good."})";

TEST(Locomo, ReadsConversationsWithTheirTimes) {
  const auto set = parse_locomo(
      set_of(kDate, kTurns, R"({"question": "Where?", "evidence": ["D3:1; D3:2", "D9:9", "D3:1"], "category": 4})"));
  ASSERT_TRUE(set) << set.error().to_line();
  ASSERT_EQ(set->size(), 1u);
  const EvalConversation& conversation = set->front();
  EXPECT_EQ(conversation.user.str(), "c-1");
  ASSERT_EQ(conversation.utterances.size(), 2u);
  EXPECT_EQ(conversation.utterances[1].session.str(), "session_3");
  EXPECT_EQ(conversation.utterances[1].speaker, "Ben");
  EXPECT_EQ(to_iso8601(conversation.utterances[0].at), "2023-05-08T13:56:00.000000Z");
  EXPECT_LT(conversation.utterances[0].at, conversation.utterances[1].at);
  ASSERT_EQ(conversation.questions.size(), 1u);
  EXPECT_THAT(conversation.questions[0].evidence, ElementsAre("D3:1", "D3:2"))
      << "several in one text, unknown ones and repetitions left out";
  EXPECT_EQ(conversation.questions[0].category, "4");
}

TEST(Locomo, MidnightAndNoonAreTwelve) {
  const auto at = [](const std::string& date) {
    return to_iso8601(parse_locomo(set_of(date, kTurns, "")).value()[0].utterances[0].at).substr(0, 16);
  };
  EXPECT_EQ(at("12:05 am on 29 February, 2024"), "2024-02-29T00:05");
  EXPECT_EQ(at("12:05 pm on 1 January, 2024"), "2024-01-01T12:05");
}

TEST(Locomo, AQuestionWithoutEvidenceIsLeftOut) {
  const auto set = parse_locomo(
      set_of(kDate, kTurns, R"({"question": "Where?", "evidence": ["D4:1"]}, {"question": "Who?", "evidence": []})"));
  ASSERT_TRUE(set);
  EXPECT_TRUE(set->front().questions.empty());
}

// Nobody here has seen every file of this form.
TEST(Locomo, WhatLacksSomethingIsLeftOutAndSaid) {
  struct Case {
    std::string turns, questions, says;
    std::size_t utterances, asked;
  };
  const std::string asked = R"({"question": "Where?", "evidence": ["D3:1"], "adversarial_answer": null})";
  for (const auto& [turns, questions, says, utterances, count] :
       {Case{kTurns + R"(, {"id": "D3:3", "speaker": "Ana", "text": " ", "img_url": ["x"]})", asked, "D3:3", 2, 1},
        {kTurns + R"(, {"id": "D3:3", "speaker": "Ana"})", R"({"question": "What?", "evidence": ["D3:3"]})", "D3:3", 2,
         0},
        {kTurns + "," + kTurns, asked, "a second turn D3:1", 4, 1},
        {kTurns + R"(, {"text": "Who am I?"})", asked, "without an id", 3, 1},
        {kTurns, asked + R"(, {"question": " ", "evidence": ["D3:1"]})", "no words", 2, 1},
        {kTurns, asked + R"(, {"question": "Why?"}, {"question": "Why?", "evidence": null})", "", 2, 1},
        {kTurns, asked + R"(, {"question": "Why?", "evidence": "D3:1 and D3:2"})", "", 2, 2}}) {
    std::vector<std::string> left_out;
    const auto set = parse_locomo(set_of(kDate, turns, questions), &left_out);
    ASSERT_TRUE(set) << turns << questions << set.error().to_line();
    EXPECT_EQ(set->front().utterances.size(), utterances) << turns;
    EXPECT_EQ(set->front().questions.size(), count) << questions;
    EXPECT_EQ(left_out.empty(), says.empty()) << turns << questions;
    if (!says.empty()) {
      EXPECT_THAT(left_out, ::testing::Contains(HasSubstr(says)));
    }
  }
}

TEST(Locomo, ASessionWithoutADateIsADayAfterTheOneBefore) {
  std::vector<std::string> left_out;
  const auto set = parse_locomo(R"([{"conversation": "two words", "speaker_a": "Ana", "questions": [], "sessions": [
    {"session": 1, "date_time": "1:56 pm on 8 May, 2023", "turns": [{"id": "D1:1", "speaker": "Ana", "text": "One."}]},
    {"session": 2, "date_time": null, "turns": [{"id": "D2:1", "speaker": "Ana", "text": "Two."}]},
    {"session": 3, "date_time": "soon", "turns": [{"id": "D3:1", "speaker": "Ana", "text": "Three."}]}]}])",
                                &left_out);
  ASSERT_TRUE(set) << set.error().to_line();
  EXPECT_EQ(set->front().user.str(), "conversation-1");
  ASSERT_EQ(set->front().utterances.size(), 3u);
  EXPECT_EQ(to_iso8601(set->front().utterances[1].at).substr(0, 10), "2023-05-09");
  EXPECT_EQ(to_iso8601(set->front().utterances[2].at).substr(0, 10), "2023-05-10");
  EXPECT_EQ(left_out.size(), 3u);
}

TEST(Locomo, WhatDoesNotMakeSenseIsNamed) {
  struct Case {
    std::string text, names;
  };
  for (const auto& [text, names] :
       {Case{"", "question set"},
        {"{}", "no list"},
        {"[1]", "conversation 1"},
        {R"([{"conversation": "c", "sessions": []}])", "questions"},
        {R"([{"conversation": "c", "sessions": [7], "questions": []}])", "session"},
        {R"([{"conversation": "c", "sessions": {}, "questions": []}])", "sessions"},
        {R"([{"conversation": "c", "sessions": [{"session": "/"}], "questions": []}])", "session"},
        {R"([{"conversation": "c", "sessions": [], "questions": []}, {"conversation": "c", "sessions": [],
             "questions": []}])",
         "two conversations"}}) {
    const auto set = parse_locomo(text);
    ASSERT_FALSE(set) << text;
    EXPECT_EQ(set.error().code, ErrorCode::kInvalidArgument) << text;
    EXPECT_THAT(set.error().message, HasSubstr(names));
  }
}

}  // namespace
}  // namespace pandora
