#include "store_memory/memory_text_search.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "domain/analyzer.h"
#include "domain/spoken_words.h"

namespace pandora {
namespace {

bool is_asked_for(const Turn& turn, const TextQuery& query) {
  return !turn.rejected && (!query.session || turn.session == *query.session) &&
         (!query.from || turn.created_at >= *query.from) && (!query.to || turn.created_at < *query.to);
}

}  // namespace

Result<TextMatches> MemoryTextSearch::turns(const TextQuery& query, const Principal& who, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("searching by words"));
  const std::lock_guard lock(state_.mutex);
  const std::size_t terms = std::min(query.terms.size(), kMaxTextTerms);
  TextMatches matches;
  matches.with_term.assign(query.terms.size(), 0);
  struct Match {
    const Turn* turn;
    std::vector<std::size_t> terms;
    double weight = 0;
  };
  std::vector<Match> found;
  for (const auto& [number, turn] : state_.turns) {
    if (turn.user != who.user) continue;
    ++matches.turns_in_all;
    const auto own = state_.vectors.lower_bound({turn.uid, ""});
    if (own == state_.vectors.end() || own->first.first != turn.uid) continue;  // its words come with its vector
    std::set<std::string> words;
    for (const Term& term : analyze(spoken_words(turn))) words.insert(term.text);
    Match match{&turn, {}};
    for (std::size_t i = 0; i < terms; ++i) {
      if (!words.contains(query.terms[i])) continue;
      ++matches.with_term[i];
      match.terms.push_back(i);
    }
    if (!match.terms.empty() && is_asked_for(turn, query)) found.push_back(std::move(match));
  }
  const auto all = static_cast<double>(matches.turns_in_all);
  for (auto& match : found)
    for (const std::size_t i : match.terms) {
      const auto with = static_cast<double>(matches.with_term[i]);
      match.weight += std::log1p((all - with + 0.5) / (with + 0.5));
    }
  std::ranges::sort(found, [](const Match& a, const Match& b) {
    return a.weight != b.weight ? a.weight > b.weight : a.turn->number > b.turn->number;
  });
  found.resize(std::min({found.size(), query.limit, kMaxTextMatches}));
  for (const auto& match : found) matches.turns.push_back(match.turn->uid);
  return matches;
}

}  // namespace pandora
