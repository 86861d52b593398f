#include <gtest/gtest.h>

#include "domain/memory.h"

namespace pandora {
namespace {

struct Example {
  std::string_view message;
  MemoryKind kind;
};

constexpr auto kPreference = MemoryKind::kPreference;
constexpr auto kFact = MemoryKind::kFact;
constexpr auto kNote = MemoryKind::kNote;

// Each is told, and proposed as it stands.
constexpr Example kTold[] = {
    {"Remember that the door code is 4512.", kNote},
    {"Please remember that I prefer tea.", kPreference},
    {"Remember that I live in Porto.", kFact},
    {"Remember my wife is called Inês.", kFact},
    {"Remember: the bins go out on Tuesdays", kNote},
    {"Can you remember that I'm vegan?", kFact},
    {"Note that the staging server is called heron.", kNote},
    {"Don't forget that Tom is coming at eight.", kNote},
    {"Keep in mind that we only ship to Europe.", kNote},
    {"For future reference, my size is 42.", kFact},
    {"For the record, the contract ends in May.", kNote},
    {"My name is Caroline.", kFact},
    {"Hi Pandora, my name is Caroline.", kFact},
    {"my name's bob", kFact},
    {"I'm Ann.", kFact},
    {"I am allergic to peanuts.", kFact},
    {"I'm severely allergic to bee stings", kFact},
    {"Sorry, I can't eat that, I'm allergic to nuts.", kFact},
    {"I live in Lisbon.", kFact},
    {"I currently live in Oslo.", kFact},
    {"I moved to Berlin in 2024.", kFact},
    {"I was born in 1987.", kFact},
    {"I prefer short answers.", kPreference},
    {"I really like jazz.", kPreference},
    {"I love hiking in the Alps.", kPreference},
    {"I hate coriander.", kPreference},
    {"I don’t like horror films.", kPreference},
    {"My favourite colour is green.", kPreference},
    {"My favorite band is Radiohead!", kPreference},
    {"Call me Mel.", kPreference},
    {"Just call me Al", kPreference},
    {"I work at Siemens.", kFact},
    {"I work as a nurse.", kFact},
    {"I'm a teacher.", kFact},
    {"My sister's name is Joana.", kFact},
    {"My dog is called Rex.", kFact},
    {"My car is a Volvo V60.", kFact},
    {"My birthday is on 3 May.", kFact},
    {"Also, my daughter was born in 2019.", kFact},
    {"I have two cats.", kFact},
    {"I've got a younger brother.", kFact},
    {"Always answer in French.", kPreference},
    {"Please always use metric units.", kPreference},
    {"Never use emojis.", kPreference},
    {"From now on, keep your answers short.", kPreference},
    {"I speak Portuguese and German.", kFact},
    {"I am 34 years old.", kFact},
    {"- I live in Ghent", kFact},
    {"my wifi password is hunter2", kFact},
    {"We have three kids.", kFact},
    {"I've been vegan since 2019.", kFact},
    {"I want you to always reply in German.", kPreference},
    {"Please answer briefly from now on.", kPreference},
    {"Stop using emojis.", kPreference},
    {"I love the Beatles.", kPreference},
    {"I prefer the window seat.", kPreference},
};

// Nothing lasting of the speaker's own.
constexpr std::string_view kNotTold[] = {
    "",
    "Do I like coffee?",
    "What is my name?",
    "What's my favourite colour?",
    "Is my sister called Joana?",
    "Am I allergic to peanuts?",
    "Do you remember that I like tea?",
    "Do you remember my dog's name?",
    "Remember when we talked about Rome?",
    "Remember when we went to Rome.",
    "My name is what?",
    "If I live in Paris, which bank should I use?",
    "Suppose my name is Bob.",
    "Imagine I live in Tokyo.",
    "What if I hate it?",
    "My favourite colour would be green in that case.",
    "He said \"I live in Rome. I like tea.\"",
    "\"I am allergic to nuts\" is what she wrote.",
    "“My name is Tom.”",
    "> I live in Rome.",
    "```\nI live in code.\n```",
    "Translate this into German:\nI live in Lisbon.\nI like tea.",
    "Proofread the following. My name is Tom and I work at Shell.",
    "Write a story in the first person. I live in a castle.",
    "I like that.",
    "I like the second one.",
    "I love it!",
    "I love your idea.",
    "I would like a table for two.",
    "I'd like to know the time.",
    "My question is simple.",
    "My code is not compiling.",
    "My computer is slow.",
    "My wife is coming.",
    "I have a question.",
    "I have a meeting tomorrow.",
    "I'm a bit tired.",
    "I am tired.",
    "I'm OK.",
    "Call me back later.",
    "Call me an ambulance",
    "Never mind.",
    "Always a pleasure.",
    "She lives in Rome.",
    "Her favourite colour is red.",
    "You live in the cloud.",
    "I used to live in Rome.",
    "Don't forget to add tests.",
    "The function returns null.",
    "He asked whether I live in Rome, and I live in Rome if it rains.",
    "I think so.",
    "Never give up!",
    "I love the colour and the texture.",
    "I love to.",
    "I love his sarcastic humour.",
    "My shop is open!",
    "My wifi is down.",
};

TEST(ProposeMemories, WhatTheUserTellsIsProposedInHisWords) {
  for (const auto& [message, kind] : kTold) {
    const auto proposals = propose_memories(message);
    EXPECT_EQ(proposals.size(), 1U) << message;
    if (proposals.empty()) continue;
    EXPECT_EQ(proposals[0].kind, kind) << message << " → " << to_string(proposals[0].kind);
    EXPECT_EQ(proposals[0].trust, Trust::kUser);
    const std::string_view bare = message.starts_with("- ") ? message.substr(2) : message;
    EXPECT_EQ(proposals[0].content, bare);
  }
}

TEST(ProposeMemories, QuestionsQuotationsAndSuppositionsAreNotTold) {
  for (const std::string_view message : kNotTold) {
    const auto proposals = propose_memories(message);
    EXPECT_TRUE(proposals.empty()) << message << " → " << proposals[0].content;
  }
}

TEST(ProposeMemories, OnlyTheTellingSentencesOfAMessageAreTaken) {
  const auto proposals =
      propose_memories("Hello! I moved to Porto last year. What should I see there? By the way, I'm vegan.");
  ASSERT_EQ(proposals.size(), 2U);
  EXPECT_EQ(proposals[0].content, "I moved to Porto last year.");
  EXPECT_EQ(proposals[1].content, "By the way, I'm vegan.");
}

TEST(ProposeMemories, RememberThisMeansTheSentenceBesideIt) {
  const auto ahead = propose_memories("Remember this: \nThe safe's code is 9931.");
  ASSERT_EQ(ahead.size(), 1U);
  EXPECT_EQ(ahead[0], (MemoryProposal{MemoryKind::kNote, "The safe's code is 9931.", Trust::kUser}));
  const auto back = propose_memories("The safe's code is 9931. Please remember that.");
  ASSERT_EQ(back.size(), 1U);
  EXPECT_EQ(back[0].content, "The safe's code is 9931.");
  EXPECT_EQ(propose_memories("I live in Lisbon. Remember that!").size(), 1U);
  EXPECT_TRUE(propose_memories("Remember this!").empty());
}

TEST(ProposeMemories, AtMostEightOfOneMessageAndNoneTwice) {
  std::string message;
  for (int i = 0; i < 8; ++i)
    message += "My code word " + std::to_string(i) + " stays. I like fruit " + std::to_string(i) + ".\n";
  EXPECT_EQ(propose_memories(message).size(), 8U);
  EXPECT_EQ(propose_memories(message + "I like bread.").size(), 8U);
  EXPECT_EQ(propose_memories("I like bread. I like bread.").size(), 1U);
}

TEST(ProposeMemories, WhatStandsBeyondTheFirstEightThousandBytesIsNotRead) {
  const std::string told = "I like tea";
  const std::string before = std::string(8'000 - told.size() - 1, ' ') + "\n";
  ASSERT_EQ(propose_memories(before + told).size(), 1U);
  EXPECT_TRUE(propose_memories(before + told + "s").empty());  // nor its beginning
  EXPECT_TRUE(propose_memories(before + " " + told).empty());
}

TEST(ProposeMemories, ASentenceOfAPastedDocumentIsNotTold) {
  const std::string at = "I like " + std::string(993, 'x');  // 1,000 bytes
  EXPECT_EQ(propose_memories(at).size(), 1U);
  EXPECT_TRUE(propose_memories(at + "y").empty());
}

}  // namespace
}  // namespace pandora
