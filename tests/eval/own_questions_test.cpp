#include "eval/own_questions.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/ids.h"
#include "wire/turn_json.h"

namespace pandora {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const UserId kAna = UserId::parse("ana").value();

EvalUtterance said(const std::string& id, const std::string& text, const std::string& speaker = "") {
  return {id, SessionId::parse("s").value(), speaker, text, Timestamp(), Role::kUser, ""};
}

// Keeps turns in pages, newest first, as the service does, and hears what was asked.
class ListedTurns final : public Service {
 public:
  void add(const std::string& text, bool rejected = false) {
    Turn turn;
    turn.uid = point_id("turn", fmt::format("{}", turns_.size()));
    turn.number = {static_cast<std::int64_t>(turns_.size()) + 1};
    turn.user = kAna;
    turn.session = SessionId::parse("s").value();
    turn.message.text = text;
    turn.rejected = rejected;
    turns_.push_back(turn);
  }
  Result<std::string> call(const ServiceCall& call, CallObserver&, const Deadline&) override {
    calls.push_back(call.operation);
    if (call.operation == "recall") {
      asked.push_back(Json::parse(call.arguments));
      return dump_json(
          {{"items", Json::array({{{"kind", "turn"}, {"id", turns_[0].uid.to_string()}, {"session", "s"}}})},
           {"mode", "hybrid"},
           {"tokens", 7},
           {"micros", {{"total", 1000}}}});
    }
    const Json arguments = Json::parse(call.arguments);
    const std::int64_t before = arguments.value("before", std::int64_t{1} << 40);
    Json page = Json::array();
    for (auto turn = turns_.rbegin(); turn != turns_.rend() && page.size() < arguments["limit"]; ++turn)
      if (turn->number.value < before) page.push_back(to_json(*turn));
    return dump_json({{"turns", page}});
  }
  std::vector<std::string> calls;
  std::vector<Json> asked;

 private:
  std::vector<Turn> turns_;
};

TEST(OwnQuestions, AreMadeOfATurnsRarestWordsOfASentenceWithAGapAndOfItsSpeaker) {
  EvalConversation own{
      kAna,
      {said("a", "The garden needs water. My sister Petra planted tulips beside the garden fence!", "Ana"),
       said("b", "The garden fence needs paint, says my sister, and soon.", "Ben"), said("c", "Petra planted.")},
      {}};
  EXPECT_EQ(make_own_questions(own, 1'000, 1), 2u) << "the third has two words, three are enough";
  ASSERT_EQ(own.questions.size(), 6u);
  EXPECT_EQ(own.questions[0].text, "garden water tulips beside");
  EXPECT_EQ(own.questions[0].category, "words");
  EXPECT_EQ(own.questions[1].text, "My sister Petra planted  beside the garden fence!");
  EXPECT_EQ(own.questions[1].category, "gap");
  EXPECT_EQ(own.questions[2].category, "speaker");
  EXPECT_THAT(own.questions[2].text, HasSubstr("What did Ana say about "));
  EXPECT_THAT(own.questions[2].text, Not(HasSubstr("water"))) << "the rarest";
  EXPECT_THAT(own.questions[2].evidence, ElementsAre("a"));
}

TEST(OwnQuestions, AreNotMadeOfTurnsThatNobodyCouldTellApart) {
  EvalConversation own{kAna,
                       {said("a", "The garden needs paint."), said("b", "The garden needs the paint!"),
                        said("c", "The garden needs water.")},
                       {}};
  EXPECT_EQ(make_own_questions(own, 1'000, 1), 1u);
  for (const auto& question : own.questions) EXPECT_EQ(question.evidence[0], "c");
}

TEST(OwnQuestions, TheSeedDrawsTurnsAndTheSameGivesTheSame) {
  EvalConversation all{kAna, {}, {}};
  for (int i = 0; i < 100; ++i)
    all.utterances.push_back(said(fmt::format("{}", i), fmt::format("Box {} holds plates, cups and spoon{}.", i, i)));
  const auto asked = [&](std::size_t turns, std::uint64_t seed) {
    EvalConversation own = all;
    EXPECT_EQ(make_own_questions(own, turns, seed), std::min<std::size_t>(turns, 100));
    std::vector<int> ids;
    for (const auto& question : own.questions)
      if (ids.empty() || ids.back() != std::stoi(question.evidence[0])) ids.push_back(std::stoi(question.evidence[0]));
    return ids;
  };
  EXPECT_EQ(asked(10, 1), asked(10, 1));
  EXPECT_NE(asked(10, 1), asked(10, 2));
  EXPECT_EQ(asked(10, 1).size(), 10u);
  EXPECT_TRUE(std::ranges::is_sorted(asked(10, 1)));
  EXPECT_EQ(asked(101, 1).size(), 100u);
}

TEST(OwnQuestions, TurnsAreReadPageByPageWithoutWhatIsRejectedOrOnlyAsked) {
  ListedTurns service;
  for (int i = 0; i < 1'001; ++i) service.add(fmt::format("Fact {}.", i), i == 3);
  service.add("Which fact?");
  NoObserver nobody;
  const auto own = read_own_turns(service, kAna, nobody);
  ASSERT_TRUE(own) << own.error().to_line();
  EXPECT_EQ(own->utterances.size(), 1'000u);
  EXPECT_EQ(own->utterances.front().text, "Fact 0.");
  EXPECT_EQ(own->utterances.back().text, "Fact 1000.");
  EXPECT_EQ(service.calls.size(), 3u);
}

TEST(OwnQuestions, NoMoreThanTheNewestAreRead) {
  ListedTurns service;
  for (int i = 0; i < 6; ++i) service.add(fmt::format("Fact {}.", i));
  NoObserver nobody;
  EXPECT_EQ(read_own_turns(service, kAna, nobody, 6)->utterances.size(), 6u);
  const auto five = read_own_turns(service, kAna, nobody, 5);
  ASSERT_EQ(five->utterances.size(), 5u);
  EXPECT_EQ(five->utterances.front().text, "Fact 1.");
}

TEST(OwnQuestions, AskingKeepsNoReceipts) {
  ListedTurns service;
  service.add("The garden fence needs paint, says Petra.");
  NoObserver nobody;
  EvalConversation own = *read_own_turns(service, kAna, nobody);
  ASSERT_EQ(make_own_questions(own, 1, 1), 1u);
  const KeptTurns turns = {{own.utterances[0].id}};
  const auto scores = ask_questions(service, {own}, turns, EvalReceipts::kNone, nobody);
  ASSERT_TRUE(scores) << scores.error().to_line();
  ASSERT_EQ(scores->size(), 2u) << "nobody's name is known";
  EXPECT_EQ((*scores)[0].turn_recall_at_10, 1.0);
  ASSERT_EQ(service.asked.size(), 2u);
  for (const Json& question : service.asked) EXPECT_EQ(question["keep_receipt"], false);
}

}  // namespace
}  // namespace pandora
