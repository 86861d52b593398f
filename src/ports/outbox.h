// The outbox: what must follow from a committed row. Written in the same transaction as the row.
//
// An entry says "bring X up to date", never a delta, so doing it twice is doing it once. One entry a (kind, key):
// asking again raises its version and makes it due at once. A claim is a lease; when it runs out another owner may
// claim. `ack` removes the entry only if its version is still the claimed one. Thread-safe; durable like TurnStore.
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
  kTurnPoint,
  kMemoryFile,  // key: memory id
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
  int attempts = 0;  // claims so far, this one included
  std::string last_error;
};
inline constexpr std::size_t kMaxClaim = 256;

class Outbox {
 public:
  virtual ~Outbox() = default;
  virtual Status enqueue(std::span<const OutboxItem> items, const Deadline& deadline) = 0;
  // Up to n (at most kMaxClaim) entries that are due and not leased, oldest first.
  virtual Result<std::vector<OutboxEntry>> claim(std::string_view owner, Duration lease, std::size_t n,
                                                 const Deadline& deadline) = 0;
  // Ends every lease of `owner`: for the process that takes over from a dead one of that name.
  virtual Status release(std::string_view owner, const Deadline& deadline) = 0;
  // true: removed; false: it was asked for again meanwhile (now due again), or the lease was lost.
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
  // Ends the lease; due again after `delay`.
  virtual Status retry(std::int64_t id, Duration delay, std::string_view error, const Deadline& deadline) = 0;
  virtual Result<std::int64_t> size(const Deadline& deadline) = 0;  // due, leased and delayed
};

}  // namespace pandora
