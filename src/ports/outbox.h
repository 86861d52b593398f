// The outbox: what must follow from a committed row. Written in the same transaction as the row.
//
// An entry says "bring X up to date", never a delta, so doing it twice is doing it once. One entry a (kind, key):
// asking again raises its version, ends its lease, forgets its attempts and its error, and makes it due at once; it
// keeps its place in the order. Versions rise for ever, over all entries, and each is at least the time in
// microseconds, so that those of a database that was made anew are higher too: points carry them.
//
// A claim is a lease and a new version: who lost his lease to another can neither ack nor retry what the other works
// on. A lease that ran out, or that `release` ended, is only free to be claimed: until somebody does, a late ack
// counts.
//
// Due times and leases are of the wall clock, and none is longer than kMaxOutboxWait (more is read as that). An entry
// that seems to wait longer does so because the clock was set back: it is due, or free, at once.
// Thread-safe; durable, and errors, like TurnStore.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace pandora {

enum class OutboxKind {
  kTurnDirectory,  // key: turn uid
  kTurnPoint,      // and the points of up to kWindow turns either side in its session: they hold its words too
  kMemoryFile,     // key: memory id
  kMemoryPoint,
  kResearchFile,  // key: research id
  kResearchPoint,
  kSourceFile,  // key: domain
};
std::string_view to_string(OutboxKind kind);
Result<OutboxKind> parse_outbox_kind(std::string_view text);

struct OutboxItem {
  OutboxKind kind;
  std::string key;
  bool operator==(const OutboxItem&) const = default;
};
struct OutboxEntry {
  std::int64_t id = 0;
  OutboxItem item;
  std::int64_t version = 0;
  int attempts = 0;        // claims since it was last asked for, this one included
  std::string last_error;  // of the last `retry` since then
};
inline constexpr std::size_t kMaxClaim = 256;
inline constexpr Duration kMaxOutboxWait = std::chrono::hours(1);

class Outbox {
 public:
  virtual ~Outbox() = default;
  virtual Status enqueue(std::span<const OutboxItem> items, const Deadline& deadline) = 0;
  // Up to n (at most kMaxClaim) entries that are due and not leased, oldest first: in the order in which each was first
  // asked for since it was last removed.
  virtual Result<std::vector<OutboxEntry>> claim(std::string_view owner, Duration lease, std::size_t n,
                                                 const Deadline& deadline) = 0;
  // Ends every lease of `owner`: for the process that takes over from a dead one of that name.
  virtual Status release(std::string_view owner, const Deadline& deadline) = 0;
  // The last version that was given. Points outlive their rows' store (a move, a database that was made anew): the one
  // that goes on with them gives versions above it, else its writes would count as old ones.
  virtual Result<std::int64_t> last_version(const Deadline& deadline) = 0;
  virtual Status versions_through(std::int64_t version, const Deadline& deadline) = 0;
  // true: removed; false: the version is no longer that of the entry: it was asked for again, or claimed by another.
  virtual Result<bool> ack(std::int64_t id, std::int64_t version, const Deadline& deadline) = 0;
  // Acks each; how many were removed. A store does it in one transaction.
  virtual Result<std::size_t> ack_all(std::span<const OutboxEntry> entries, const Deadline& deadline) {
    std::size_t removed = 0;
    for (const auto& entry : entries) {
      PANDORA_TRY(gone, ack(entry.id, entry.version, deadline));
      removed += gone ? 1 : 0;
    }
    return removed;
  }
  // Ends the lease; due again after `delay`. Nothing when the version is no longer that of the entry.
  virtual Status retry(std::int64_t id, std::int64_t version, Duration delay, std::string_view error,
                       const Deadline& deadline) = 0;
  virtual Result<std::int64_t> size(const Deadline& deadline) = 0;  // due, leased and delayed
  // Whether it was asked for and nobody has acked it since, of whichever process it is.
  virtual Result<bool> is_waiting(const OutboxItem& item, const Deadline& deadline) = 0;
};

}  // namespace pandora
