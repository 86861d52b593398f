// The 30-day rule: the folder of an old turn moves to archive/; its row and summary stay, and it is still found.
#pragma once
#include "ports/stores.h"

namespace pandora {

struct ArchiveReport {
  std::vector<TurnNumber> turns;  // archived, or (dry run) that would be
};
enum class Apply { kDryRun, kApply };

// The user's turns older than `age`, oldest first. The folder moves when the outbox comes to it.
Result<ArchiveReport> archive_turns(TurnStore& turns, Timestamp now, Duration age, Apply apply, const Principal& who,
                                    const Deadline& deadline);

}  // namespace pandora
