// What is derived of a turn without a model: the table "What is derived without a model" of docs/rules.md. Pure.
#pragma once
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "domain/turn.h"

namespace pandora {

// How many of the user's turns hold each of these terms, and how many turns there are: for tf·idf. One call asks for
// all terms of a text, each once; without a function none holds any.
struct TermStatistics {
  std::function<std::vector<double>(std::span<const std::string_view> terms)> turns_with;
  double turns = 0;
};

// The question with "it", "that laptop", "the second one" … resolved from the last turns, newest first; unchanged when
// it stands alone. By rules: a pronoun or demonstrative without a noun of its own gains the last topic in brackets.
std::string self_contained_question(std::string_view message, const std::vector<Turn>& last_turns);
// The self-contained question and the first sentences of the reply, at most kMaxSummaryBytes, cut at a sentence or
// word.
std::string derive_summary(std::string_view question, std::string_view reply);
// The two or three heaviest terms of the question by tf·idf, in their written form and order.
std::string derive_topic(std::string_view question, const TermStatistics& statistics);
std::vector<std::string> derive_keywords(std::string_view question, std::string_view reply,
                                         const TermStatistics& statistics);
Intent derive_intent(std::string_view message);
// Does the message go on from the reply before it (thanks, a follow-up), or reject it ("no, that is wrong")?
enum class Feedback { kNone, kContinues, kRejects };
Feedback derive_feedback(std::string_view message);
// Fills question … keywords of a turn whose message and reply stand.
void derive_fields(Turn& turn, const std::vector<Turn>& last_turns, const TermStatistics& statistics);

}  // namespace pandora
