#include "pipeline/spoken_reply.h"

#include <gtest/gtest.h>

namespace pandora {
namespace {

TEST(SpokenReply, WhatIsGivenOutIsWhatIsKept) {
  SpokenReply reply;
  reply.begin_call();
  std::string given = reply.add("One ");
  given += reply.add("two");
  given += reply.end_call();
  EXPECT_EQ(given, "One two");
  EXPECT_EQ(reply.text(), given);
}

TEST(SpokenReply, CallsStandApartByAnEmptyLine) {
  SpokenReply reply;
  for (const char* text : {"One", "Two"}) reply.begin_call(), reply.add(text), reply.end_call();
  EXPECT_EQ(reply.text(), "One\n\nTwo");
}

TEST(SpokenReply, ACallWithoutAWordLeavesNoTrace) {
  SpokenReply reply;
  reply.begin_call();
  EXPECT_EQ(reply.add(" \n\t"), "");
  EXPECT_EQ(reply.end_call(), "");
  EXPECT_FALSE(reply.spoke());
  EXPECT_EQ(reply.text(), "");
}

TEST(SpokenReply, ACharacterIsGivenOutWhole) {
  const std::string smile = "😀";
  for (std::size_t cut = 1; cut < smile.size(); ++cut) {
    SpokenReply reply;
    reply.begin_call();
    EXPECT_EQ(reply.add("a" + smile.substr(0, cut)), "a");
    EXPECT_EQ(reply.add(smile.substr(cut)), smile);
  }
}

TEST(SpokenReply, ACharacterThatNeverBecomesWholeIsReplaced) {
  SpokenReply reply;
  reply.begin_call();
  reply.add("a\xF0\x9F");
  EXPECT_EQ(reply.end_call(), "\uFFFD");
  EXPECT_EQ(reply.text(), "a\uFFFD");
}

TEST(SpokenReply, TheMaximumIsOfAllCallsTogether) {
  SpokenReply reply;
  reply.begin_call();
  reply.add(std::string(kMaxReplyBytes - 1, 'x'));
  reply.end_call();
  reply.begin_call();
  EXPECT_EQ(reply.add("y"), "\n\ny");
  EXPECT_FALSE(reply.full());
  EXPECT_EQ(reply.add("z"), "");
  EXPECT_TRUE(reply.full());
  EXPECT_EQ(reply.add("z"), "");
}

TEST(SpokenReply, AtTheMaximumNoCharacterIsCutInTwo) {
  SpokenReply reply;
  reply.begin_call();
  reply.add(std::string(kMaxReplyBytes - 1, 'x'));
  EXPECT_EQ(reply.add("é"), "");
  EXPECT_TRUE(reply.full());
  EXPECT_EQ(reply.end_call(), "");
}

TEST(SpokenReply, AWholeTextOfOurOwnHasRoomAlways) {
  SpokenReply reply;
  reply.begin_call();
  reply.add(std::string(kMaxReplyBytes, 'x'));
  EXPECT_EQ(reply.add_whole("Not saved."), "\n\nNot saved.");
}

}  // namespace
}  // namespace pandora
