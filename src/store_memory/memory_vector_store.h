// VectorStore in a map: the reference that the others are compared with. See ports/vector_store.h for what it promises.
//
// Every call looks at every point. Everything is durable for as long as the object lives; snapshots too, which are kept
// in it by their path.
#pragma once
#include <map>
#include <memory>
#include <mutex>

#include "ports/vector_store.h"

namespace pandora {

class MemoryVectorStore final : public VectorStore {
 public:
  // A store that holds what the snapshot holds; null when there is none.
  std::unique_ptr<VectorStore> open_snapshot(const std::string& path);

  Status ensure_collection(const CollectionSpec& spec, const Deadline& deadline) override;
  Result<std::vector<CollectionSpec>> collections(const Deadline& deadline) override;
  Status drop_collection(const std::string& collection, const Deadline& deadline) override;
  Status alias_switch(const std::string& alias, const std::string& collection, const Deadline& deadline) override;
  Result<std::size_t> upsert(const std::string& collection, std::span<const Point> points, const Principal& who,
                             const Deadline& deadline) override;
  Result<std::size_t> remove(const std::string& collection, std::span<const Uuid> ids, const Principal& who,
                             const Deadline& deadline) override;
  Result<std::vector<ScoredPoint>> query(const std::string& collection, const PointQuery& query, const Principal& who,
                                         const Deadline& deadline) override;
  Result<std::vector<Point>> retrieve(const std::string& collection, std::span<const Uuid> ids, const Principal& who,
                                      const Deadline& deadline) override;
  Result<std::vector<Point>> scroll(const std::string& collection, const Filter& filter,
                                    const std::optional<Uuid>& after, std::size_t limit, const Principal& who,
                                    const Deadline& deadline) override;
  Result<std::int64_t> count(const std::string& collection, const Filter& filter, const Principal& who,
                             const Deadline& deadline) override;
  Status snapshot(const std::string& collection, const std::string& path, const Deadline& deadline) override;

 private:
  struct Collection {
    CollectionSpec spec;
    std::map<Uuid, Point> points;
  };
  Result<Collection*> find(const std::string& name);

  std::mutex mutex_;
  std::map<std::string, Collection> collections_;
  std::map<std::string, std::string> aliases_;
  std::map<std::string, Collection> snapshots_;
};

}  // namespace pandora
