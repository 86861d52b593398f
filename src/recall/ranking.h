// What weighs in besides the words: pure functions over candidates. The order in which they come is no matter.
#pragma once
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "domain/recall_receipt.h"

namespace pandora {

// Raised whenever the same evidence gives another score, order or choice: a receipt says by which it was ranked.
inline constexpr int kRankingFormula = 3;

// This share of the mean of a session's best three scores (at least −3 each) is added to each of its turns: a session
// that holds several good turns is likelier to be the one meant.
inline constexpr double kSessionWeight = 0.4;
// e^(−age / 90 days), up to this much: the newer of two equals.
inline constexpr double kRecencyWeight = 0.2;
// (quality − 0.5) times this: what the user rejected or went on from; of a memory how far its source is trusted; of
// research what its sources are worth.
inline constexpr double kQualityWeight = 0.4;
// A turn that only asks holds no answer: this much less.
inline constexpr double kAskingWeight = 1.0;
// It follows a turn that only asks: this share of what the words of that one, if they are near, give it. What answers a
// question says little of what was asked.
inline constexpr double kAnsweringWeight = 0.3;
// The question names who said it: this much more.
inline constexpr double kSpeakerWeight = 0.6;

// The question names a time ("last Tuesday"): this much more for what was said then, or within kTimeSlack after it,
// when people still tell of it.
inline constexpr double kTimeWeight = 3;
inline constexpr Duration kTimeSlack = std::chrono::hours(72);

struct RankingTerms {  // what each feature adds
  double dense = 0, lexical = 0, session = 0, recency = 0, quality = 0, asking = 0, speaker = 0, time = 0,
         answering = 0;
  // In this order, always: a sum of floats depends on it.
  double sum() const { return dense + lexical + session + recency + quality + asking + speaker + time + answering; }
};
struct AskedFor {  // what ranking reads of the question
  std::string_view question;
  Timestamp now;
  std::optional<TimeRange> time;
};
struct Ranked {
  std::size_t index = 0;  // of the candidate
  double score = 0;
  RankingTerms terms;
};

// Best first: descending score, then ascending uid. Noise is left out.
std::vector<Ranked> rank_turns(std::span<const RecallCandidate> turns, const AskedFor& asked);
// Of memories and research: recency and quality weigh in (confidence is judged by their rows).
std::vector<Ranked> rank_knowledge(std::span<const RecallCandidate> items, Timestamp now);

// Keeps the order, except that behind the first kUndisturbed the best turn of each session that has none yet comes
// before the rest, until kSpreadSessions sessions are there: what else is injected shows more of the past instead of
// more of the same. At most `most` of them are left.
inline constexpr std::size_t kUndisturbed = 10, kSpreadSessions = 10;
std::vector<std::size_t> spread_over_sessions(std::span<const Ranked> ranked, std::span<const RecallCandidate> turns,
                                              std::size_t most);

// A candidate that neither leg finds near: no shared word, and a cosine of unrelated text. Such a one is noise whatever
// its rank. The floor belongs to the encoder (docs/recall.md).
inline constexpr float kDenseFloor = 0.45F;
bool is_noise(const RecallCandidate& candidate);

}  // namespace pandora
