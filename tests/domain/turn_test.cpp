#include "domain/turn.h"

#include <set>

#include <gtest/gtest.h>

namespace pandora {
namespace {

TEST(Turn, DirectoryNamesHaveSixDigitsAndGrow) {
  EXPECT_EQ(turn_directory_name({1}), "turn_000001");
  EXPECT_EQ(turn_directory_name({999'999}), "turn_999999");
  EXPECT_EQ(turn_directory_name({1'000'000}), "turn_1000000");
  for (const std::int64_t number :
       {std::int64_t{1}, std::int64_t{12}, std::int64_t{999'999}, std::int64_t{1'000'000}, kMaxTurnNumber}) {
    const auto parsed = parse_turn_directory_name(turn_directory_name({number}));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->value, number);
  }
}

TEST(Turn, OtherDirectoryNamesAreRefused) {
  for (const std::string_view name :
       {"", "turn_", "turn_12", "turn_000000", "turn_-00001", "turn_0000001", "turn_00001a", "Turn_000001",
        "turn_000001 ", "turn_+00001", "turn_99999999999999999999", "000001"})
    EXPECT_FALSE(parse_turn_directory_name(name)) << name;
  EXPECT_FALSE(parse_turn_directory_name(turn_directory_name({kMaxTurnNumber + 1})));
}

TEST(Turn, ATurnOnlyAsksWhenNobodyButOurOwnQuotesAnsweredIt) {
  Turn turn;
  turn.message.text = "Where is the key? ";
  EXPECT_TRUE(only_asks(turn));
  turn.reply = Utterance{Role::kAssistant, "", "You said: ..."};
  turn.model = kExtractiveModel;
  EXPECT_TRUE(only_asks(turn));
  turn.model = "a-model";
  EXPECT_FALSE(only_asks(turn)) << "it was answered";
  turn.reply.reset();
  turn.message.text = "\u9375\u306F\u3069\u3053\uFF1F";
  EXPECT_TRUE(only_asks(turn));
  turn.message.text = "What a day! The key is here.";
  EXPECT_FALSE(only_asks(turn));
}

TEST(Turn, SpeakersAreNamedOrTheirRole) {
  EXPECT_EQ((Utterance{Role::kUser, "", "x"}.speaker()), "User");
  EXPECT_EQ((Utterance{Role::kAssistant, "", "x"}.speaker()), "Assistant");
  EXPECT_EQ(embedded_text({Role::kUser, "Caroline", "I'm home."}), "Caroline said, \"I'm home.\"");
}

TEST(Turn, TheContentHashTellsUserSpeakerMessageAndReplyApart) {
  const UserId ann = *UserId::parse("ann"), bob = *UserId::parse("bob");
  const Utterance hi{Role::kUser, "", "hi"};
  const Utterance empty{Role::kAssistant, "", ""};
  std::set<std::string> hashes = {
      content_sha256(ann, hi, std::nullopt),
      content_sha256(bob, hi, std::nullopt),
      content_sha256(ann, {Role::kUser, "Ann", "hi"}, std::nullopt),
      content_sha256(ann, {Role::kUser, "", "hi "}, std::nullopt),
      content_sha256(ann, hi, empty),
      content_sha256(ann, hi, Utterance{Role::kAssistant, "", "hello"}),
  };
  EXPECT_EQ(hashes.size(), 6U);
  EXPECT_EQ(content_sha256(ann, hi, empty), content_sha256(ann, hi, empty));
  EXPECT_EQ(hashes.begin()->size(), 64U);
}

TEST(Turn, ThePointIsOfTheTurnNotOfItsContent) {
  const Uuid one = *Uuid::parse("0190a1b2-0000-7000-8000-000000000001"),
             two = *Uuid::parse("0190a1b2-0000-7000-8000-000000000002");
  EXPECT_EQ(turn_point_id(one), turn_point_id(one));
  EXPECT_NE(turn_point_id(one), turn_point_id(two));
  EXPECT_EQ(turn_point_id(one), point_id("turn", one.to_string()));
}

TEST(Turn, AnExtractiveReplySaysNothingNew) {
  Turn turn;
  EXPECT_EQ(own_reply(turn), nullptr);
  turn.reply = Utterance{Role::kAssistant, "", "x"};
  EXPECT_EQ(own_reply(turn), &*turn.reply);
  turn.model = kExtractiveModel;
  EXPECT_EQ(own_reply(turn), nullptr);
}

}  // namespace
}  // namespace pandora
