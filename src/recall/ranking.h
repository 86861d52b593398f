// What weighs in besides the words: pure functions over the payload of candidates.
#pragma once
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "recall/fusion.h"

namespace pandora {

// This share of the mean of a session's best three scores (at least −3 each) is added to each of its turns: a session that holds
// several good turns is likelier to be the one meant.
inline constexpr double kSessionWeight = 0.4;
// e^(−age / 90 days), up to this much: the newer of two equals.
inline constexpr double kRecencyWeight = 0.2;
// (quality − 0.5) times this: what the user rejected or went on from.
inline constexpr double kQualityWeight = 0.4;

// A turn that only asks ("asks" in its payload) holds no answer: this much less.
inline constexpr double kAskingWeight = 1.0;
// The question names who said it: this much more.
inline constexpr double kSpeakerWeight = 0.6;

// Adjusts the scores of turns and sorts them again: descending score, then ascending id.
void rank_turns(std::vector<Candidate>& turns, std::string_view question, Timestamp now);

// Descending order, except that behind the first kUndisturbed the best turn of each session that has none yet comes before the
// rest, until kSpreadSessions sessions are there: what else is injected shows more of the past instead of more of the same.
inline constexpr std::size_t kUndisturbed = 10, kSpreadSessions = 10;
void spread_over_sessions(std::vector<Candidate>& turns);
// Of memories and research: recency alone (confidence is judged when their rows are read).
void rank_knowledge(std::vector<Candidate>& items, Timestamp now);

// A candidate that neither leg finds near: no shared word, and a cosine of unrelated text. Such a one is noise whatever
// its rank. `floor` belongs to the encoder (bge-small: unrelated sentences lie about 0.4 to 0.5).
inline constexpr double kDenseFloor = 0.5;
bool is_noise(const Candidate& candidate);

}  // namespace pandora
