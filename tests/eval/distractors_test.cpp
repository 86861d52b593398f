#include <set>

#include <gmock/gmock.h>

#include "eval/question_set.h"

namespace pandora {
namespace {

using ::testing::HasSubstr;

QuestionSet two_conversations() {
  return parse_locomo(R"([
    {"conversation": "a", "sessions": [
      {"session": 1, "date_time": "1:00 pm on 1 May, 2023", "turns": [{"id": "D1:1", "speaker": "Ana", "text": "First."}]},
      {"session": 2, "date_time": "1:00 pm on 3 May, 2023", "turns": [{"id": "D2:1", "speaker": "Ana", "text": "Last."}]}],
     "questions": [{"question": "What?", "evidence": ["D1:1"], "category": 1}]},
    {"conversation": "b", "sessions": [
      {"session": 1, "date_time": "1:00 pm on 1 June, 2020", "turns": [{"id": "D1:1", "speaker": "Ben", "text": "Alone."}]}],
     "questions": []},
    {"conversation": "c", "sessions": [], "questions": []}])")
      .value();
}
const char* const kLines = R"({"session": "s", "speaker": "Zoe", "text": "Begins.", "at": "2025-01-01T00:00:00Z"})"
                           "\n\n"
                           R"({"session": "s", "message": "Asks.", "reply": "Replies.", "at": "2025-01-02T00:00:00Z"})"
                           "\n"
                           R"({"session": "t", "text": "Ends.", "role": "assistant", "at": "2025-01-03T00:00:00Z"})";

TEST(Distractors, AreReadAsAnImportReadsThem) {
  const auto lines = parse_distractors(kLines);
  ASSERT_TRUE(lines) << lines.error().to_line();
  ASSERT_EQ(lines->size(), 3u);
  EXPECT_EQ((*lines)[0].speaker, "Zoe");
  EXPECT_EQ((*lines)[1].reply, "Replies.");
  EXPECT_EQ((*lines)[2].role, Role::kAssistant);
  EXPECT_NE((*lines)[1].session, (*lines)[2].session);
  EXPECT_TRUE(parse_distractors("")->empty());
}

TEST(Distractors, ALineThatIsNoneIsNamed) {
  for (const char* wrong : {"{}", "no JSON", R"({"session": "s", "text": " "})"}) {
    const auto lines = parse_distractors(std::string(R"({"session": "s", "text": "fine"})") + "\n" + wrong);
    ASSERT_FALSE(lines) << wrong;
    EXPECT_EQ(lines.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(lines.error().message, HasSubstr("line 2"));
  }
}

TEST(Distractors, StandInEveryConversationInOrderOfTimeFromItsBeginningToItsEnd) {
  QuestionSet set = two_conversations();
  add_distractors(set, *parse_distractors(kLines));
  const auto& all = set[0].utterances;
  ASSERT_EQ(all.size(), 5u);
  std::vector<std::string> texts;
  std::set<std::string> ids;
  for (const auto& one : all) {
    texts.push_back(one.text);
    EXPECT_TRUE(ids.insert(one.id).second) << one.id;
  }
  EXPECT_EQ(texts, (std::vector<std::string>{"First.", "Begins.", "Asks.", "Last.", "Ends."}));
  EXPECT_EQ(to_iso8601(all[2].at), "2023-05-02T13:00:00.000000Z");
  EXPECT_EQ(to_iso8601(all[4].at), "2023-05-03T13:00:00.000000Z");
  EXPECT_NE(all[1].session, all[0].session);
  for (const auto& one : set[1].utterances) EXPECT_EQ(to_iso8601(one.at), "2020-06-01T13:00:00.000000Z");
  EXPECT_TRUE(set[2].utterances.empty()) << "nothing is asked of it, and it has no time";
}

TEST(Distractors, ThoseWithoutTimesFollowEachOther) {
  QuestionSet set = two_conversations();
  add_distractors(
      set, *parse_distractors("{\"session\": \"s\", \"text\": \"one\"}\n{\"session\": \"s\", \"text\": \"two\"}"));
  EXPECT_EQ(set[0].utterances[1].text, "one");
  EXPECT_EQ(set[0].utterances[3].text, "two");
}

TEST(Distractors, ConversationsAreChosenByName) {
  QuestionSet set = two_conversations();
  EXPECT_EQ(keep_only(set, {"b", "d"}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(set.size(), 3u);
  ASSERT_TRUE(keep_only(set, {}));
  EXPECT_EQ(set.size(), 3u);
  ASSERT_TRUE(keep_only(set, {"b"}));
  ASSERT_EQ(set.size(), 1u);
  EXPECT_EQ(set[0].user.str(), "b");
}

}  // namespace
}  // namespace pandora
