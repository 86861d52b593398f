#include "wire/import_line.h"

#include <gtest/gtest.h>

namespace pandora {
namespace {

std::string fault(std::string_view line) {
  const auto parsed = parse_import_line(line);
  EXPECT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument);
  return parsed ? "" : parsed.error().message;
}

TEST(ImportLine, AnUtteranceHasASpeakerARoleAndATime) {
  const auto line = parse_import_line(
      R"({"session":"trip","text":"We land.","speaker":"Ana","role":"assistant","at":"2026-01-05T10:00:00Z"})");
  ASSERT_TRUE(line) << line.error().message;
  EXPECT_EQ(line->session.str(), "trip");
  EXPECT_EQ(line->message, (Utterance{Role::kAssistant, "Ana", "We land."}));
  EXPECT_EQ(to_iso8601(*line->at), "2026-01-05T10:00:00.000000Z");
  EXPECT_FALSE(line->reply);
}

TEST(ImportLine, AMessageMayHaveItsReply) {
  const auto line = parse_import_line(R"({"session":"trip","message":"When?","reply":"At nine."})");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->message, (Utterance{Role::kUser, "", "When?"}));
  EXPECT_EQ(*line->reply, (Utterance{Role::kAssistant, "", "At nine."}));
}

TEST(ImportLine, ANumberOutOfRangeIsAFaultAndNoException) {
  EXPECT_EQ(parse_import_line("66666e333333").error().code, ErrorCode::kInvalidArgument);
}

TEST(ImportLine, EveryFaultNamesItsField) {
  EXPECT_EQ(fault(R"({"text":"x"})"), "line.session: is missing");
  EXPECT_EQ(fault(R"({"session":"s","text":" "})"), "line.text: is empty");
  EXPECT_EQ(fault(R"({"session":"s","message":""})"), "line.message: is empty");
  EXPECT_EQ(fault(R"({"session":"s","text":7})"), "line.text: must be a string");
  EXPECT_EQ(fault(R"({"session":"s","text":"x","mood":"y"})"), "line.mood: is no field of it");
  EXPECT_NE(fault(R"({"session":"s","text":"x","at":"noon"})").find("line.at"), std::string::npos);
  EXPECT_NE(fault(R"({"session":"../s","text":"x"})").find("line.session"), std::string::npos);
  EXPECT_NE(fault("[]").find("object"), std::string::npos);
  EXPECT_NE(fault("{").find("byte"), std::string::npos);
}

TEST(ImportLine, BrokenTextIsCleaned) {
  const auto line = parse_import_line("{\"session\":\"s\",\"text\":\"a\\u0000b\"}");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->message.text,
            "a\xEF\xBF\xBD"
            "b");
}

TEST(ImportLine, ALineAtTheMaximumIsReadAndOneByteMoreIsNot) {
  std::string line = R"({"session":"s","text":")";
  line += std::string(kMaxImportLineBytes - line.size() - 2, 'x') + "\"}";
  EXPECT_TRUE(parse_import_line(line));
  EXPECT_EQ(parse_import_line(line + " ").error().code, ErrorCode::kTooLarge);
}

}  // namespace
}  // namespace pandora
