// Carries out outbox entries: brings files and points up to date with rows. Not thread-safe: one worker, one thread.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ports/stores.h"
#include "turns/indexer.h"

namespace pandora {

class OutboxWorker {
 public:
  // The record of a turn that is still in the journal, or null: then the files are what there is.
  using FindRecord = std::function<std::shared_ptr<const TurnRecord>(const Uuid& turn_uid)>;
  OutboxWorker(Stores stores, PointSpaces& spaces, const Clock& clock, FindRecord find_record)
      : stores_(stores), spaces_(spaces), indexer_(stores), clock_(clock), find_record_(std::move(find_record)) {}

  struct Outcome {
    std::vector<OutboxEntry> done;    // acked
    std::optional<Error> last_error;  // of an entry that will be tried again
    std::size_t claimed = 0;
  };
  // Claims what is due (at most kMaxClaim), does it, acks it. An error only when the outbox itself does not answer;
  // what failed otherwise is due again after a delay that doubles up to kMaxRetryDelay.
  Result<Outcome> run_once(std::string_view owner, Duration lease, const Deadline& deadline);

 private:
  using Entries = std::vector<OutboxEntry>;
  Status write_points(OutboxKind kind, const Entries& entries, const Deadline& deadline);
  Status carry_out(OutboxKind kind, const Entries& entries, const Deadline& deadline);
  Status set_stranger_aside(const std::string& folder, const Uuid& uid, const Deadline& deadline);
  Status write_turn_directory(const Uuid& uid, const Deadline& deadline);
  Status write_memory(const Uuid& id, const Deadline& deadline);
  Status write_research(const Uuid& id, const Deadline& deadline);
  Status write_source(const std::string& domain, const Deadline& deadline);
  Result<TurnRecord> record_of(const Turn& turn, bool& journalled, const Deadline& deadline);

  Stores stores_;
  PointSpaces& spaces_;
  Indexer indexer_;
  const Clock& clock_;
  FindRecord find_record_;
  std::optional<std::string> ready_;  // the space (its suffix) whose collections are there
};

inline constexpr Duration kMinRetryDelay = std::chrono::milliseconds(100);
inline constexpr Duration kMaxRetryDelay = std::chrono::seconds(60);

}  // namespace pandora
