// The attempts behind the sources' counts of the last kRecentAttempts: what a move between stores carries, so that
// scores are the same there. Threads, durability and errors as in turn_store.h.
#pragma once
#include <string>
#include <vector>

#include "ports/knowledge_stores.h"

namespace pandora {

struct SourceAttempt {
  std::string domain;
  Timestamp at;
  bool ok = true;
  auto operator<=>(const SourceAttempt&) const = default;
};

class AttemptLog {
 public:
  virtual ~AttemptLog() = default;
  virtual Result<std::vector<SourceAttempt>> list(const Deadline& deadline) = 0;  // all, ascending
  // All of these, and no others, in one transaction. kConflict: one is of a domain without a row.
  virtual Status replace(const std::vector<SourceAttempt>& attempts, const Deadline& deadline) = 0;
};

}  // namespace pandora
