// A collection on disk: one SQLite file, the truth of which memory is made at the start.
//
// `points` holds id, number of the last operation, payload and vectors of each point, with a checksum over them;
// `facts` holds what the collection is made of, its payload indexes and the number of its last operation. A change is
// one transaction, on disk (synced) when `write` returns. docs/formats.md describes the bytes. Not thread-safe: one
// thread at a time.
#pragma once
#include <functional>

#include "sqlite/connection.h"
#include "vectors/collection_memory.h"

namespace pandora::qdrant {

inline constexpr int kCollectionFormat = 1;

struct CollectionFacts {
  CollectionParams params;
  std::vector<IndexRequest> indexes;
  std::uint64_t operations = 0;  // number of the last one
};

class CollectionFile {
 public:
  // A new file; kConflict when there is one.
  static Result<std::unique_ptr<CollectionFile>> create(const std::string& path, const CollectionParams& params);
  // kDataCorrupt, kIncompatible, kNotFound, …
  static Result<std::unique_ptr<CollectionFile>> open(const std::string& path);

  Result<CollectionFacts> facts();
  // Every point, in no order; kDataCorrupt names the first that is damaged.
  Status load(std::size_t name_count, const std::function<void(StoredPoint)>& take);

  struct Change {
    std::vector<const StoredPoint*> put;
    std::vector<PointId> removed;
    std::uint64_t operations = 0;
  };
  Status write(const Change& change);
  Status write_params(const CollectionParams& params);
  Status write_index(const IndexRequest& index);
  Status remove_index(const std::string& path);

 private:
  explicit CollectionFile(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}
  Status in_transaction(const std::function<Status()>& work);
  Status set_fact(const std::string& name, const std::string& value);
  std::unique_ptr<Connection> connection_;
};

// How a point's vectors lie in its row, with the checksum of the row behind them.
std::string encode_row(const StoredPoint& point);
Result<StoredVectors> decode_row(const StoredPoint& point, std::string_view bytes, std::size_t name_count);

}  // namespace pandora::qdrant
