#include "recall/ranking.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

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

void sort_by_score(std::vector<Candidate>& candidates) {
  std::ranges::sort(candidates, [](const Candidate& a, const Candidate& b) {
    return a.score != b.score ? a.score > b.score : a.id < b.id;
  });
}

}  // namespace

void rank_turns(std::vector<Candidate>& turns, Timestamp now) {
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
  for (auto& turn : turns) {
    if (const auto* session = field<std::string>(turn, "session_id"))
      turn.score += kSessionWeight * sessions[*session].sum / sessions[*session].count;
    turn.score += kRecencyWeight * recency(turn, "timestamp", now);
    if (const auto* quality = field<double>(turn, "quality")) turn.score += kQualityWeight * (*quality - 0.5);
  }
  sort_by_score(turns);
}

void rank_knowledge(std::vector<Candidate>& items, Timestamp now) {
  for (auto& item : items) item.score += kRecencyWeight * recency(item, "created_at", now);
  sort_by_score(items);
}

bool is_noise(const Candidate& candidate) { return candidate.lexical <= 0 && candidate.dense < kDenseFloor; }

}  // namespace pandora
