// How common terms are among a user's turns: asked of the store, all of a text in one call, and remembered for one
// turn; how many turns there are, for longer.
#pragma once
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>

#include "domain/derive.h"
#include "ports/turn_store.h"

namespace pandora {

// How many turns a user has, near enough for tf·idf. A count reads all of them (some 10 ms of 100,000), so they are
// counted anew only when a sixteenth as many may have come since: who asks is taken to add one. What other gateways
// add, and what is forgotten, counts from then on. Thread-safe.
class TurnCounts {
 public:
  // 0 when the store does not answer.
  double of(TurnStore& store, const Principal& who, const Deadline& deadline);

 private:
  struct Counted {
    std::int64_t counted = 0, since = 0;
  };
  std::mutex mutex_;
  std::unordered_map<std::string, Counted> users_;
};

// Lives no longer than `store`. A store that does not answer counts as an empty one: topic and keywords are only weaker
// then.
TermStatistics term_statistics(TurnStore& store, TurnCounts& counts, const Principal& who, const Deadline& deadline);

}  // namespace pandora
