#include "recall/ranking.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>

#include "domain/analyzer.h"

namespace pandora {
namespace {

template <class T>
const T* field(const Candidate& candidate, const char* name) {
  const auto found = candidate.payload.find(name);
  return found == candidate.payload.end() ? nullptr : std::get_if<T>(&found->second);
}

double recency(const Candidate& candidate, const char* name, Timestamp now) {
  const auto* at = field<Timestamp>(candidate, name);
  if (!at) return 0;
  const double days = std::max(0.0, static_cast<double>((now - *at).count()) / 86'400e6);
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
      known->second = !parts.empty() && std::ranges::all_of(parts, [&](const Term& part) { return terms_.contains(part.text); });
    }
    return known->second;
  }

 private:
  std::set<std::string> terms_;
  std::map<std::string, bool> known_;
};

void sort_by_score(std::vector<Candidate>& candidates) {
  std::ranges::sort(candidates, [](const Candidate& a, const Candidate& b) {
    return a.score != b.score ? a.score > b.score : a.id < b.id;
  });
}

}  // namespace

void rank_turns(std::vector<Candidate>& turns, std::string_view question, Timestamp now) {
  constexpr int kBest = 3;
  constexpr double kWorst = -3;
  struct Session {
    double sum = 0;
    int count = 0;
  };
  std::map<std::string, Session> sessions;
  for (const auto& turn : turns) {  // in descending order: the first three of a session are its best
    const auto* session = field<std::string>(turn, "session_id");
    if (!session) continue;
    auto& entry = sessions[*session];
    if (entry.count == kBest) continue;
    entry.sum += std::max(turn.score, kWorst);
    ++entry.count;
  }
  NamedSpeakers named(question);
  for (auto& turn : turns) {
    if (const auto* session = field<std::string>(turn, "session_id"))
      turn.score += kSessionWeight * sessions[*session].sum / sessions[*session].count;
    turn.score += kRecencyWeight * recency(turn, "timestamp", now);
    if (const auto* quality = field<double>(turn, "quality")) turn.score += kQualityWeight * (*quality - 0.5);
    if (const auto* asks = field<bool>(turn, "asks"); asks && *asks) turn.score -= kAskingWeight;
    if (const auto* speaker = field<std::string>(turn, "speaker"); speaker && named.names(*speaker)) turn.score += kSpeakerWeight;
  }
  sort_by_score(turns);
}

void spread_over_sessions(std::vector<Candidate>& turns) {
  std::set<std::string> sessions;
  std::vector<Candidate> first, rest;
  for (auto& turn : turns) {
    const auto* session = field<std::string>(turn, "session_id");
    const bool is_new = session && !sessions.contains(*session) && sessions.size() < kSpreadSessions;
    if (is_new) sessions.insert(*session);
    (first.size() < kUndisturbed || is_new ? first : rest).push_back(std::move(turn));
  }
  first.insert(first.end(), std::make_move_iterator(rest.begin()), std::make_move_iterator(rest.end()));
  turns = std::move(first);
}

void rank_knowledge(std::vector<Candidate>& items, Timestamp now) {
  for (auto& item : items) item.score += kRecencyWeight * recency(item, "created_at", now);
  sort_by_score(items);
}

bool is_noise(const Candidate& candidate) { return candidate.lexical <= 0 && candidate.dense < kDenseFloor; }

}  // namespace pandora
