// How common a term is among a user's turns, asked of the store when needed and remembered for one turn.
#pragma once
#include <map>
#include <memory>
#include <string>

#include "domain/derive.h"
#include "ports/turn_store.h"

namespace pandora {

// Lives no longer than `store`. A store that does not answer counts as an empty one: topic and keywords are only weaker
// then.
inline TermStatistics term_statistics(TurnStore& store, const Principal& who, const Deadline& deadline) {
  auto seen = std::make_shared<std::map<std::string, double, std::less<>>>();
  TermStatistics statistics;
  statistics.turns = static_cast<double>(store.count(who, deadline).value_or(0));
  statistics.turns_with = [&store, who, deadline, seen](std::string_view term) {
    if (const auto found = seen->find(term); found != seen->end()) return found->second;
    const std::string key(term);
    const auto counts = store.keyword_counts({&key, 1}, who, deadline);
    return (*seen)[key] = counts ? static_cast<double>(counts->front()) : 0.0;
  };
  return statistics;
}

}  // namespace pandora
