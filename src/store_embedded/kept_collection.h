// A collection with its derived files, and how far it follows its rows. Internal to store_embedded.
//
// The store's locks guard it: `writing` (one at a time brings the index up to its rows) and `memory` (readers and
// writers of what is in memory), taken in this order. Here stands what the store's thread does; each call takes what it
// needs.
#pragma once
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <shared_mutex>

#include "sqlite/database.h"
#include "store_embedded/point_collection.h"
#include "store_embedded/point_rows.h"
#include "vecdb/index_files.h"

namespace pandora {

struct StoreLocks {
  std::mutex writing;
  std::shared_mutex memory;       // taken after writing
  std::uint64_t last_seq = 0;     // every change up to it is in, or was undone; guarded by writing
  std::condition_variable risen;  // last_seq has
};

class KeptCollection {
 public:
  // `files` empty: everything stays in memory.
  KeptCollection(const CollectionRow& row, ThreadPool* pool, std::optional<IndexFiles> files);

  PointCollection& points() { return points_; }
  const PointCollection& points() const { return points_; }
  const CollectionSpec& spec() const { return points_.spec(); }

  Status begin_anew();  // before anybody else is there: files of an earlier one of this name go
  // What the files have, and whether something is missing.
  Status load(Connection& connection, std::uint64_t last_seq);  // before anybody else is there
  // Points that are searched only once their rows have been fed. Under `memory`.
  std::int64_t unsearched() const;
  bool behind() const { return behind_; }

  // Some of what is missing, from the rows; true: there is more. Takes both locks.
  Result<bool> feed(SqliteDatabase& database, StoreLocks& locks);
  // Writes what has changed, when it is `least` changes, or, to purge, whatever there is. Takes both locks, shortly.
  Status checkpoint(SqliteDatabase& database, StoreLocks& locks, std::size_t least, IndexFiles::Scope scope);
  // A few points out of parts that are mostly dead; true: there may be more. Takes both locks.
  Result<bool> move_some(StoreLocks& locks);
  // After kDataCorrupt of a search or a change: lets go of what is damaged, to be fed again. False: nothing is. Under
  // `memory`, alone.
  bool heal();
  void applied(std::uint64_t seq);  // a change that is in now, under both locks
  // It is gone: waits for a checkpoint, and no other writes files.
  Status remove_files();

 private:
  PointCollection points_;
  std::mutex checkpointing_;  // taken before the store's
  std::optional<IndexFiles> files_;
  const std::uint64_t removals_since_;
  std::atomic<bool> behind_ = false;  // rows after `applied` are not all in; changed under `memory`
  bool removals_fed_ = false;
  std::size_t healed_ = 0;  // how often; under `memory`
  std::int64_t rows_ = 0;   // when behind, about
};

}  // namespace pandora
