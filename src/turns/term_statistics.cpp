#include "turns/term_statistics.h"

#include <memory>

namespace pandora {
namespace {

constexpr std::int64_t kShare = 16;
constexpr std::size_t kMostUsers = 10'000;  // that are remembered

}  // namespace

double TurnCounts::of(TurnStore& store, const Principal& who, const Deadline& deadline) {
  {
    const std::lock_guard lock(mutex_);
    const auto known = users_.find(who.user.str());
    if (known != users_.end() && known->second.since < known->second.counted / kShare)
      return static_cast<double>(known->second.counted + ++known->second.since);
  }
  const auto counted = store.count(who, deadline);
  if (!counted) return 0;
  const std::lock_guard lock(mutex_);
  if (users_.size() >= kMostUsers) users_.clear();
  users_[who.user.str()] = {*counted, 0};
  return static_cast<double>(*counted);
}

TermStatistics term_statistics(TurnStore& store, TurnCounts& counts, const Principal& who, const Deadline& deadline) {
  auto seen = std::make_shared<std::unordered_map<std::string, double>>();
  TermStatistics statistics;
  statistics.turns = counts.of(store, who, deadline);
  statistics.turns_with = [&store, who, deadline, seen](std::span<const std::string_view> terms) {
    std::vector<std::string> unseen;
    for (const std::string_view term : terms)
      if (std::string text(term); !seen->contains(text)) unseen.push_back(std::move(text));
    if (!unseen.empty()) {
      const auto found = store.keyword_counts(unseen, who, deadline);
      for (std::size_t i = 0; i < unseen.size(); ++i)
        (*seen)[unseen[i]] = found ? static_cast<double>((*found)[i]) : 0.0;
    }
    std::vector<double> with;
    for (const std::string_view term : terms) with.push_back(seen->at(std::string(term)));
    return with;
  };
  return statistics;
}

}  // namespace pandora
