#include "recall/ranking.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <unordered_map>

#include "domain/analyzer.h"
#include "recall/fusion.h"

namespace pandora {
namespace {

double recency(const RecallCandidate& candidate, Timestamp now) {
  if (!candidate.at) return 0;
  const double days = std::max(0.0, static_cast<double>((now - *candidate.at).count()) / 86'400e6);
  return std::exp(-days / 90.0);
}

// The names in a question: each speaker is looked at once.
class NamedSpeakers {
 public:
  explicit NamedSpeakers(std::string_view question) {
    for (auto& term : analyze(question)) terms_.insert(std::move(term.text));
  }
  bool names(const std::string& speaker) {
    const auto [known, is_new] = known_.try_emplace(speaker, false);
    if (is_new) {
      const auto parts = analyze(speaker);
      known->second =
          !parts.empty() && std::ranges::all_of(parts, [&](const Term& part) { return terms_.contains(part.text); });
    }
    return known->second;
  }

 private:
  std::set<std::string> terms_;
  std::map<std::string, bool> known_;
};

void sort_by_score(std::vector<Ranked>& ranked, std::span<const RecallCandidate> candidates) {
  std::ranges::sort(ranked, [&](const Ranked& a, const Ranked& b) {
    return a.score != b.score ? a.score > b.score : candidates[a.index].uid < candidates[b.index].uid;
  });
}

// By the words alone.
std::vector<Ranked> rank_fused(std::span<const RecallCandidate> candidates) {
  const auto fused = fuse(candidates);
  std::vector<Ranked> ranked;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (is_noise(candidates[i])) continue;
    ranked.push_back({i, fused[i].sum(), {.dense = fused[i].dense, .lexical = fused[i].lexical}});
  }
  sort_by_score(ranked, candidates);
  return ranked;
}

// The scores by the words alone of turns that only ask.
using QuestionScores = std::unordered_map<Uuid, double>;
QuestionScores question_scores(std::span<const Ranked> ranked, std::span<const RecallCandidate> turns) {
  QuestionScores questions;
  for (const auto& one : ranked)
    if (turns[one.index].asks) questions.emplace(turns[one.index].uid, one.score);
  return questions;
}

struct SessionScore {
  double sum = 0;
  int count = 0;
};
using SessionScores = std::map<std::string_view, SessionScore>;

SessionScores session_scores(std::span<const Ranked> ranked, std::span<const RecallCandidate> turns) {
  constexpr int kBest = 3;
  constexpr double kWorst = -3;
  SessionScores sessions;
  for (const auto& one : ranked) {  // in descending order: the first three of a session are its best
    const std::string& session = turns[one.index].session;
    if (session.empty()) continue;
    auto& entry = sessions[session];
    if (entry.count == kBest) continue;
    entry.sum += std::max(one.score, kWorst);
    ++entry.count;
  }
  return sessions;
}

}  // namespace

std::vector<Ranked> rank_turns(std::span<const RecallCandidate> turns, const AskedFor& asked) {
  auto ranked = rank_fused(turns);
  const SessionScores sessions = session_scores(ranked, turns);
  const QuestionScores questions = question_scores(ranked, turns);
  NamedSpeakers named(asked.question);
  for (auto& [index, score, terms] : ranked) {
    const RecallCandidate& turn = turns[index];
    if (const auto session = sessions.find(turn.session); session != sessions.end())
      terms.session = kSessionWeight * session->second.sum / session->second.count;
    terms.recency = kRecencyWeight * recency(turn, asked.now);
    terms.quality = kQualityWeight * (turn.quality - 0.5);
    if (turn.asks) terms.asking = -kAskingWeight;
    if (!turn.speaker.empty() && named.names(turn.speaker)) terms.speaker = kSpeakerWeight;
    if (asked.time && turn.at && TimeRange{asked.time->from, asked.time->to + kTimeSlack}.holds(*turn.at))
      terms.time = kTimeWeight;
    if (const auto question = turn.follows ? questions.find(*turn.follows) : questions.end();
        question != questions.end())
      terms.answering = kAnsweringWeight * std::max(0.0, question->second);
    score = terms.sum();
  }
  sort_by_score(ranked, turns);
  return ranked;
}

std::vector<Ranked> rank_knowledge(std::span<const RecallCandidate> items, Timestamp now) {
  auto ranked = rank_fused(items);
  for (auto& [index, score, terms] : ranked) {
    terms.recency = kRecencyWeight * recency(items[index], now);
    terms.quality = kQualityWeight * (items[index].quality - 0.5);
    score = terms.sum();
  }
  sort_by_score(ranked, items);
  return ranked;
}

std::vector<std::size_t> spread_over_sessions(std::span<const Ranked> ranked, std::span<const RecallCandidate> turns,
                                              std::size_t most) {
  std::set<std::string_view> sessions;
  std::vector<std::size_t> first, rest;
  for (const auto& one : ranked.first(std::min(most, ranked.size()))) {
    const std::string& session = turns[one.index].session;
    const bool is_new = !session.empty() && sessions.size() < kSpreadSessions && sessions.insert(session).second;
    (first.size() < kUndisturbed || is_new ? first : rest).push_back(one.index);
  }
  first.insert(first.end(), rest.begin(), rest.end());
  return first;
}

bool is_noise(const RecallCandidate& candidate) {
  return candidate.lexical.value_or(0) <= 0 && candidate.dense.value_or(0) < kDenseFloor;
}

}  // namespace pandora
