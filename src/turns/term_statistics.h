// How common terms are among a user's turns: asked of the store, all of a text in one call, and remembered for one
// turn.
#pragma once
#include <memory>
#include <string>
#include <unordered_map>

#include "domain/derive.h"
#include "ports/turn_store.h"

namespace pandora {

// Lives no longer than `store`. A store that does not answer counts as an empty one: topic and keywords are only weaker
// then.
inline TermStatistics term_statistics(TurnStore& store, const Principal& who, const Deadline& deadline) {
  auto seen = std::make_shared<std::unordered_map<std::string, double>>();
  TermStatistics statistics;
  statistics.turns = static_cast<double>(store.count(who, deadline).value_or(0));
  statistics.turns_with = [&store, who, deadline, seen](std::span<const std::string_view> terms) {
    std::vector<std::string> unseen;
    for (const std::string_view term : terms)
      if (std::string text(term); !seen->contains(text)) unseen.push_back(std::move(text));
    if (!unseen.empty()) {
      const auto counts = store.keyword_counts(unseen, who, deadline);
      for (std::size_t i = 0; i < unseen.size(); ++i)
        (*seen)[unseen[i]] = counts ? static_cast<double>((*counts)[i]) : 0.0;
    }
    std::vector<double> with;
    for (const std::string_view term : terms) with.push_back(seen->at(std::string(term)));
    return with;
  };
  return statistics;
}

}  // namespace pandora
