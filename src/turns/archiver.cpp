#include "turns/archiver.h"

namespace pandora {

Result<ArchiveReport> archive_turns(TurnStore& turns, Timestamp now, Duration age, Apply apply, const Principal& who,
                                    const Deadline& deadline) {
  ArchiveReport report;
  TurnNumber after;
  for (;;) {
    PANDORA_TRY(page, turns.scan(after, kMaxPage, who, deadline));
    if (page.empty()) return report;
    for (const auto& turn : page) {
      after = turn.number;
      if (turn.archived || now - turn.created_at < age) continue;
      if (apply == Apply::kApply)
        PANDORA_CHECK(turns.change(turn.number, {.archived = true}, who, deadline).map([](auto&&) {}));
      report.turns.push_back(turn.number);
    }
  }
}

}  // namespace pandora
