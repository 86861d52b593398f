// Forgetting: a turn or a memory leaves every store, and the report can be checked again later.
//
// Order: the journal is emptied; a tombstone (the uid, no word of the text) is written durably, so that an interrupted
// forgetting is completed by `reconcile` and nothing brings the turn back; then quotes in the documents of other turns,
// receipts of recalls, rows, points and the windows of neighbours, files, objects that no other turn names; last, the
// databases overwrite what they deleted. A turn that was shown the words and has no row yet, since its reply is under
// way or waits in another gateway's journal, is cleaned when it gets its row and its files (turns/redaction.h).
#pragma once
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ports/stores.h"
#include "turns/redaction.h"
#include "turns/turn_saver.h"

namespace pandora {

struct ForgetReport {
  std::string what;  // "turn" or "memory"
  Uuid uid;
  TurnNumber number;  // of a turn
  Timestamp at;
  std::string content_sha256;  // of a turn: to recognise the same content under another uid
  std::int64_t rows = 0, files = 0, points = 0, redacted = 0, windows = 0;
  std::vector<Uuid> memories, research;  // that came from it
  std::int64_t receipts = 0;             // of recalls: removed, or cleaned of it
  std::vector<std::string> objects;      // of a turn: keys of those that no other turn names, which are gone
  std::int64_t objects_left = 0;         // not looked at: other gateways may have turns that name them
  TurnNumber said_in;                    // of a memory: the turn that still says it; 0: none
};
struct ForgetFinding {
  std::string store;  // "rows", "points", "files", "journal", "documents", "quarantine", "receipts", "objects"
  std::string detail;
};

class Forgetting {
 public:
  using OverwriteDeleted = std::function<Status(const Deadline&)>;
  Forgetting(Stores stores, TurnSaver& saver, FileSystem& files, const Clock& clock, std::string journal_directory,
             OverwriteDeleted overwrite_deleted)
      : stores_(stores),
        saver_(saver),
        files_(files),
        clock_(clock),
        journal_directory_(std::move(journal_directory)),
        overwrite_deleted_(std::move(overwrite_deleted)) {}

  Result<ForgetReport> forget_turn(TurnNumber number, const Principal& who, const Deadline& deadline);
  Result<ForgetReport> forget_memory(const Uuid& id, const Principal& who, const Deadline& deadline);
  // What the tombstone still knows of a report: all but the counts and the content's hash. kNotFound: `id` was not
  // forgotten.
  Result<ForgetReport> report_of(const Uuid& id, const Deadline& deadline);
  // Looks into every store again; empty: nothing is left.
  Result<std::vector<ForgetFinding>> verify(const ForgetReport& report, const Deadline& deadline);

 private:
  Status write_tombstone(const ForgetReport& report, const Deadline& deadline);
  Result<std::optional<TurnRecord>> record_of(const Turn& turn, const std::string& folder, const Deadline& deadline);
  // In the turns above `after`; the last one that was looked at.
  Status redact_quotes_of(Turn turn, const Forgotten& forgotten, ForgetReport& report, const Deadline& deadline);
  Result<TurnNumber> redact_quotes(const Forgotten& forgotten, TurnNumber after, ForgetReport& report,
                                   const Deadline& deadline);
  Status clean_receipts(const Forgotten& forgotten, ForgetReport& report, const Deadline& deadline);
  Status find_derived(const Turn& turn, ForgetReport& report, const Deadline& deadline);
  Status search_quarantine(const std::string& folder, const Uuid& uid, int depth, std::vector<ForgetFinding>& left,
                           const Deadline& deadline);
  Status finish(const Deadline& deadline);

  Stores stores_;
  TurnSaver& saver_;
  FileSystem& files_;
  const Clock& clock_;
  std::string journal_directory_;
  OverwriteDeleted overwrite_deleted_;
};

}  // namespace pandora
