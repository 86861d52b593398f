// What a collection is made of, and its youngest changes, on disk: one SQLite file.
//
// Points lie in vecdb's parts (`vecdb/index_files.h`); here is what has changed since the last of those was written, so
// that the two together are the collection (ADR 18). `changes` holds a group of operations each, in rows of some
// 128 KiB with a checksum; `facts` holds what the collection is made of, its payload indexes, and up to which operation
// the parts hold everything. A change is one transaction, on disk (synced) when `write` returns. docs/formats.md
// describes the bytes. Not thread-safe: one thread at a time.
#pragma once
#include <functional>

#include "sqlite/connection.h"
#include "vectors/collection_memory.h"

namespace pandora::qdrant {

inline constexpr int kCollectionFormat = 2;
inline constexpr std::size_t kCheckpointPages = 2'000;
inline constexpr std::size_t kChangeRowBytes = std::size_t{1} << 17;  // a row is begun no later than behind so many

struct CollectionFacts {
  CollectionParams params;
  std::vector<IndexRequest> indexes;
  Uuid epoch;                    // of its parts
  std::uint64_t kept = 0;        // the parts hold every operation up to it
  std::uint64_t operations = 0;  // number of the last one
};

class CollectionFile {
 public:
  // A new file; kConflict when there is one. `vfs`: SQLite's name of a file system, empty for the default.
  static Result<std::unique_ptr<CollectionFile>> create(const std::string& path, const CollectionParams& params,
                                                        const std::string& vfs);
  // kDataCorrupt, kIncompatible, kNotFound, …
  static Result<std::unique_ptr<CollectionFile>> open(const std::string& path, const std::string& vfs);

  Result<CollectionFacts> facts();
  // Changes of operations after `number`, in order; kDataCorrupt when one is damaged.
  struct Take {
    std::function<void(const StoredPoint&)> put;
    std::function<void(const PointId&, std::uint64_t version)> remove;
  };
  Status load(std::uint64_t number, std::size_t name_count, const Take& take);

  struct Change {
    std::vector<const StoredPoint*> put;
    std::vector<PointId> removed;
    std::uint64_t number = 0;  // of the last operation of the group; that with which points were removed
  };
  Result<std::size_t> write(const Change& change);  // how many bytes
  // The parts hold every operation up to `number` now.
  Status forget(std::uint64_t number);
  // SQLite's log has grown, and should be brought into the file: some milliseconds. What is committed is safe in
  // either.
  bool wants_checkpoint() const { return logged_pages_ >= kCheckpointPages; }
  Status checkpoint();
  Status write_params(const CollectionParams& params);
  Status write_index(const IndexRequest& index);
  Status remove_index(const std::string& path);

 private:
  explicit CollectionFile(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}
  Status in_transaction(const std::function<Status()>& work);
  Status set_fact(const std::string& name, const std::string& value);
  Status add_row(std::uint64_t number, std::string& bytes);
  std::unique_ptr<Connection> connection_;
  std::size_t logged_pages_ = 0;  // since the last checkpoint, about
};

}  // namespace pandora::qdrant
