// Rows of memories, research and sources. Visibility, errors, threads and durability as in turn_store.h; what is global
// is visible to every user. Each write puts the file's and the point's outbox entries into the same transaction.
#pragma once
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
  // Idempotent by id. `supersedes` get their superseded_by set, in the same transaction.
  virtual Status put(const Memory& memory, std::span<const Uuid> supersedes, const Principal& who,
                     const Deadline& deadline) = 0;
  virtual Result<Memory> find(const Uuid& id, const Principal& who, const Deadline& deadline) = 0;
  virtual Result<std::vector<Memory>> list(const MemoryQuery& query, const Principal& who,
                                           const Deadline& deadline) = 0;  // ascending ids: oldest first
  virtual Result<Memory> remove(const Uuid& id, const Principal& who, const Deadline& deadline) = 0;
};

struct ResearchQuery {
  std::optional<std::string> topic;   // equal after collapsing space and case
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
  virtual Result<Research> remove(const Uuid& id, const Principal& who, const Deadline& deadline) = 0;
};

// Sources belong to the installation: every user sees and adds to them.
class SourceStore {
 public:
  virtual ~SourceStore() = default;
  virtual Status record(const FetchAttempt& attempt, const Deadline& deadline) = 0;
  // recent_* count the attempts of the 30 days before `now`.
  virtual Result<Source> find(const std::string& domain, Timestamp now, const Deadline& deadline) = 0;
  virtual Result<std::vector<Source>> list(Timestamp now, const Deadline& deadline) = 0;  // by domain
  virtual Result<Source> set_override(const std::string& domain, SourceOverride value, Timestamp now,
                                      const Deadline& deadline) = 0;  // creates it when unknown
  // Replaces the whole row: reconcile brings one back from its file.
  virtual Status restore(const Source& source, const Deadline& deadline) = 0;
};

}  // namespace pandora
