// Rows of memories, research and sources. Visibility, errors, limits, threads and durability as in turn_store.h, but:
// what is global is visible to every user, and writing what one sees but does not own is kPermissionDenied. What is of
// scope kSession is visible to its user in every session; recall narrows. An id keeps its owner: putting another user's
// is kPermissionDenied. Each write puts the file's and the point's outbox entries into the same transaction; a source
// has a file only. "Expired by then" means expires_at <= valid_at.
#pragma once
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "domain/memory.h"
#include "domain/research.h"
#include "domain/source.h"
#include "domain/turn_record.h"

namespace pandora {

struct MemoryQuery {
  std::optional<MemoryKind> kind;
  bool include_superseded = false;
  std::optional<Timestamp> valid_at;  // leaves out what has expired by then
  std::optional<Uuid> after;          // ids above: the next page
  std::size_t limit = 200;
};

class MemoryStore {
 public:
  virtual ~MemoryStore() = default;
  // Replaces by id. `supersedes` get their superseded_by set, and their outbox entries, in the same transaction:
  // kNotFound when one does not exist, kInvalidArgument when it is the memory itself.
  virtual Status put(const Memory& memory, std::span<const Uuid> supersedes, const Principal& who,
                     const Deadline& deadline) = 0;
  virtual Result<Memory> find(const Uuid& id, const Principal& who, const Deadline& deadline) = 0;
  virtual Result<std::vector<Memory>> list(const MemoryQuery& query, const Principal& who,
                                           const Deadline& deadline) = 0;  // ascending ids: oldest first
  // Gives what was removed. What it superseded stays superseded.
  virtual Result<Memory> remove(const Uuid& id, const Principal& who, const Deadline& deadline) = 0;
};

struct ResearchQuery {
  std::optional<std::string> topic;   // of the same research_topic_key (domain/research.h)
  std::optional<Timestamp> valid_at;  // leaves out what has expired
  std::optional<Uuid> after;
  std::size_t limit = 200;
};

class ResearchStore {
 public:
  virtual ~ResearchStore() = default;
  virtual Status put(const Research& research, const Principal& who, const Deadline& deadline) = 0;  // replaces by id
  virtual Result<Research> find(const Uuid& id, const Principal& who, const Deadline& deadline) = 0;
  virtual Result<std::vector<Research>> list(const ResearchQuery& query, const Principal& who,
                                             const Deadline& deadline) = 0;  // ascending ids
  // What `how` makes of it takes its place, as one step with the reading of it; gives that. kNotFound when it is gone:
  // it is not made again. `how` leaves id and owner as they are, and may be called more than once.
  virtual Result<Research> change(const Uuid& id, const std::function<void(Research&)>& how, const Principal& who,
                                  const Deadline& deadline) = 0;
  virtual Result<Research> remove(const Uuid& id, const Principal& who, const Deadline& deadline) = 0;
  // Another store has removed these, or written research of these topics, as part of a turn. A store that keeps copies
  // gives none of what was removed once this has succeeded.
  virtual Status written_elsewhere(std::span<const Uuid> removed, std::span<const std::string> topics,
                                   const Deadline& deadline) {
    (void)removed, (void)topics, (void)deadline;
    return {};
  }
};

inline constexpr Duration kRecentAttempts = std::chrono::hours(24 * 30);

// Sources belong to the installation: every user sees and adds to them. A domain is as normalise_domain gives it
// (domain/source.h); to write another is kInvalidArgument.
class SourceStore {
 public:
  virtual ~SourceStore() = default;
  // Counts it; the source is created when unknown. last_* keep the latest time, whatever the order of the calls. A
  // detail comes to the front of `worked` or `failed`, each text once, at most kMaxSitePatterns; an empty one leaves
  // them.
  virtual Status record(const FetchAttempt& attempt, const Deadline& deadline) = 0;
  // recent_* count the attempts after `now` − kRecentAttempts, up to and with `now`. Older ones, by the clock, may be
  // dropped by the next `record`: a `now` that lies back may count too few.
  virtual Result<Source> find(const std::string& domain, Timestamp now, const Deadline& deadline) = 0;
  virtual Result<std::vector<Source>> list(Timestamp now, const Deadline& deadline) = 0;  // all, by domain
  virtual Result<Source> set_override(const std::string& domain, SourceOverride value, Timestamp now,
                                      const Deadline& deadline) = 0;  // creates it when unknown
  // Replaces the whole row: reconcile brings one back from its file. recent_* are not of the row: attempts stay.
  virtual Status restore(const Source& source, const Deadline& deadline) = 0;
};

}  // namespace pandora
