#include <gtest/gtest.h>

#include "domain/derive.h"

namespace pandora {
namespace {

struct IntentExample {
  std::string_view message;
  Intent intent;
};

constexpr IntentExample kIntents[] = {
    {"What is the capital of Portugal?", Intent::kQuestion},
    {"why is the sky blue", Intent::kQuestion},
    {"How do vaccines work?", Intent::kQuestion},
    {"Is Pluto a planet?", Intent::kQuestion},
    {"Who painted the Night Watch?", Intent::kQuestion},
    {"In which year did the war end?", Intent::kQuestion},
    {"Should I put salt in order to boil it faster?", Intent::kQuestion},
    {"What did I say about Lisbon?", Intent::kLookup},
    {"When is my sister's birthday?", Intent::kLookup},
    {"What's my favourite colour?", Intent::kLookup},
    {"Do you remember my dog's name?", Intent::kLookup},
    {"What did we talk about last time?", Intent::kLookup},
    {"Where do I live?", Intent::kLookup},
    {"Am I allergic to anything?", Intent::kLookup},
    {"Write a poem about autumn.", Intent::kTask},
    {"Could you please translate this into German?", Intent::kTask},
    {"Summarise the meeting notes below.", Intent::kTask},
    {"Plan a weekend in Rome for four people", Intent::kTask},
    {"Please draft an e-mail to my landlord.", Intent::kTask},
    {"Can you help me plan a party?", Intent::kTask},
    {"I need you to list the planets.", Intent::kTask},
    {"Fix this: ```int main() { return x; }```", Intent::kCode},
    {"Why does my Python script throw a TypeError?", Intent::kCode},
    {"How do I write a regex for dates?", Intent::kCode},
    {"std::vector<int> v; v.at(3); crashes", Intent::kCode},
    {"Refactor this recursive function.", Intent::kCode},
    {"What does this SQL do: SELECT * FROM users", Intent::kCode},
    {"Where can I buy a used bike?", Intent::kShopping},
    {"Find me the cheapest flight to Oslo", Intent::kShopping},
    {"How much does an iPad cost?", Intent::kShopping},
    {"Is the PS5 in stock anywhere?", Intent::kShopping},
    {"Compare the health systems of France and Spain", Intent::kResearch},
    {"Research the history of tea in Portugal.", Intent::kResearch},
    {"Can you look up the opening hours of the museum?", Intent::kResearch},
    {"What are the pros and cons of heat pumps?", Intent::kResearch},
    {"I prefer short answers.", Intent::kPreference},
    {"I don't like mushrooms", Intent::kPreference},
    {"My favourite colour is green.", Intent::kPreference},
    {"Call me Mel.", Intent::kPreference},
    {"Always answer in English.", Intent::kPreference},
    {"Remember that my flight leaves at nine.", Intent::kMemory},
    {"Please note that the office is closed on Friday.", Intent::kMemory},
    {"Forget what I told you about Anna.", Intent::kMemory},
    {"Can you remember that I'm vegan?", Intent::kMemory},
    {"I live in Lisbon.", Intent::kMemory},
    {"Hi!", Intent::kSmalltalk},
    {"Good morning", Intent::kSmalltalk},
    {"Thanks a lot!", Intent::kSmalltalk},
    {"How are you?", Intent::kSmalltalk},
    {"ok", Intent::kSmalltalk},
    {"", Intent::kOther},
    {"🙂", Intent::kOther},
    {"The train was late again", Intent::kOther},
    {"Hmm.", Intent::kOther},
    {"Do not use bullet points.", Intent::kOther},
    {"How do I reset it?", Intent::kQuestion},
    {"Great idea, how do we start?", Intent::kQuestion},
    {"no that's not right", Intent::kOther},
    {"Turn the lights off", Intent::kTask},
};

TEST(DeriveIntent, FollowsTheWordsAndFormOfTheMessage) {
  for (const auto& [message, intent] : kIntents)
    EXPECT_EQ(derive_intent(message), intent) << message << " → " << to_string(derive_intent(message));
}

constexpr std::string_view kRejections[] = {
    "No, that is wrong.",
    "No, that's not what I asked.",
    "That's wrong.",
    "That’s incorrect, it was in May.",
    "Wrong.",
    "incorrect!",
    "You're wrong about that.",
    "You misunderstood me.",
    "Thanks, but that's not what I meant.",
    "Sorry, that is not right.",
    "No. That is not true.",
    "No, I meant the other Paris.",
    "No, I said Tuesday.",
    "no that's not right",
};
constexpr std::string_view kGoingOn[] = {
    "Thanks!",  "Thank you, that helps.",         "Perfect.",         "And what about Sunday?", "Tell me more", "Go on",
    "Exactly!", "Great, and how do I get there?", "What about Rome?", "That makes sense.",
};
constexpr std::string_view kNeither[] = {
    "",
    "Good morning",
    "What is wrong with my car?",
    "Wrong number of arguments: what does it mean?",
    "Is that wrong?",
    "No",
    "No thanks",
    "No I live in Rome",
    "No, I live in Rome.",
    "I said hello to him yesterday.",
    "I meant to call her.",
    "My answer was wrong in the exam.",
    "Great Britain left the EU in 2020, right?",
    "Thanks, but what about my other question, which you have not looked at yet?",
    "What is the capital of Portugal?",
};

TEST(DeriveFeedback, ARejectionIsSaidOutright) {
  for (const std::string_view message : kRejections) EXPECT_EQ(derive_feedback(message), Feedback::kRejects) << message;
}
TEST(DeriveFeedback, ThanksAndFollowUpsGoOn) {
  for (const std::string_view message : kGoingOn) EXPECT_EQ(derive_feedback(message), Feedback::kContinues) << message;
}
TEST(DeriveFeedback, WhatIsNotSureIsNone) {
  for (const std::string_view message : kNeither) EXPECT_EQ(derive_feedback(message), Feedback::kNone) << message;
}

}  // namespace
}  // namespace pandora
