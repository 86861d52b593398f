// Stores that count what is asked of them, and how much the longest answer held.
#pragma once
#include <algorithm>
#include <map>
#include <string>

#include "ports/stores.h"
#include "support/forwarding_turn_store.h"

namespace pandora::testing {

struct Counts {
  std::map<std::string, int> calls;
  std::map<std::string, std::size_t> longest;

  void note(const std::string& call) { ++calls[call]; }
  template <class T>
  Result<std::vector<T>> note(const std::string& call, Result<std::vector<T>> answer) {
    ++calls[call];
    if (answer) longest[call] = std::max(longest[call], answer->size());
    return answer;
  }
};

class CountedDocuments : public DocumentStore {
 public:
  CountedDocuments(DocumentStore& store, Counts& counts) : store_(store), counts_(counts) {}
  Status put_folder(const std::string& folder, const std::vector<Document>& documents, Durability durability,
                    const Deadline& deadline) override {
    return store_.put_folder(folder, documents, durability, deadline);
  }
  Status put(const std::string& path, std::string_view bytes, Durability durability,
             const Deadline& deadline) override {
    return store_.put(path, bytes, durability, deadline);
  }
  Result<std::string> read(const std::string& path, const Deadline& deadline) override {
    counts_.note("documents.read");
    return store_.read(path, deadline);
  }
  Result<std::vector<FileInfo>> list(const std::string& folder, const Deadline& deadline) override {
    return counts_.note("documents.list", store_.list(folder, deadline));
  }
  Result<std::vector<FileInfo>> list_after(const std::string& folder, const std::string& after, std::size_t limit,
                                           const Deadline& deadline) override {
    return counts_.note("documents.list_after", store_.list_after(folder, after, limit, deadline));
  }
  Result<bool> exists(const std::string& path, const Deadline& deadline) override {
    counts_.note("documents.exists");
    return store_.exists(path, deadline);
  }
  Status move(const std::string& from, const std::string& to, const Deadline& deadline) override {
    return store_.move(from, to, deadline);
  }
  Status remove(const std::string& path, const Deadline& deadline) override { return store_.remove(path, deadline); }
  Result<std::string> quarantine(const std::string& path, const std::string& reason,
                                 const Deadline& deadline) override {
    return store_.quarantine(path, reason, deadline);
  }
  Status sync(const Deadline& deadline) override { return store_.sync(deadline); }

 private:
  DocumentStore& store_;
  Counts& counts_;
};

class CountedTurns : public ForwardingTurnStore {
 public:
  CountedTurns(TurnStore& store, Counts& counts) : ForwardingTurnStore(store), counts_(counts) {}
  Result<Turn> find(TurnNumber number, const Principal& who, const Deadline& deadline) override {
    counts_.note("turns.find");
    return turns_.find(number, who, deadline);
  }
  Result<std::vector<Turn>> find_all(std::span<const Uuid> uids, const Principal& who,
                                     const Deadline& deadline) override {
    return counts_.note("turns.find_all", turns_.find_all(uids, who, deadline));
  }
  Result<std::vector<Turn>> list(const TurnQuery& query, const Principal& who, const Deadline& deadline) override {
    return counts_.note("turns.list", turns_.list(query, who, deadline));
  }
  Result<std::vector<Turn>> scan(TurnNumber after, std::size_t limit, const Principal& who,
                                 const Deadline& deadline) override {
    return counts_.note("turns.scan", turns_.scan(after, limit, who, deadline));
  }

 private:
  Counts& counts_;
};

class CountedPoints : public VectorStore {
 public:
  CountedPoints(VectorStore& store, Counts& counts) : store_(store), counts_(counts) {}
  Status ensure_collection(const CollectionSpec& spec, const Deadline& deadline) override {
    return store_.ensure_collection(spec, deadline);
  }
  Result<std::vector<CollectionSpec>> collections(const Deadline& deadline) override {
    return store_.collections(deadline);
  }
  Status drop_collection(const std::string& collection, const Deadline& deadline) override {
    return store_.drop_collection(collection, deadline);
  }
  Status alias_switch(const std::string& alias, const std::string& collection, const Deadline& deadline) override {
    return store_.alias_switch(alias, collection, deadline);
  }
  Result<std::size_t> upsert(const std::string& collection, std::span<const Point> points, const Principal& who,
                             const Deadline& deadline) override {
    return store_.upsert(collection, points, who, deadline);
  }
  Result<std::size_t> remove(const std::string& collection, std::span<const Uuid> ids, const Principal& who,
                             const Deadline& deadline) override {
    return store_.remove(collection, ids, who, deadline);
  }
  Result<std::vector<ScoredPoint>> query(const std::string& collection, const PointQuery& query, const Principal& who,
                                         const Deadline& deadline) override {
    return store_.query(collection, query, who, deadline);
  }
  Result<std::vector<Point>> retrieve(const std::string& collection, std::span<const Uuid> ids, const Principal& who,
                                      const Deadline& deadline) override {
    return counts_.note("points.retrieve", store_.retrieve(collection, ids, who, deadline));
  }
  Result<std::vector<Point>> scroll(const std::string& collection, const Filter& filter,
                                    const std::optional<Uuid>& after, std::size_t limit, const Principal& who,
                                    const Deadline& deadline) override {
    return counts_.note("points.scroll", store_.scroll(collection, filter, after, limit, who, deadline));
  }
  Result<std::int64_t> count(const std::string& collection, const Filter& filter, const Principal& who,
                             const Deadline& deadline) override {
    return store_.count(collection, filter, who, deadline);
  }
  Status snapshot(const std::string& collection, const std::string& path, const Deadline& deadline) override {
    return store_.snapshot(collection, path, deadline);
  }

 private:
  VectorStore& store_;
  Counts& counts_;
};

}  // namespace pandora::testing
