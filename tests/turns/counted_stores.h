// Stores that count what is asked of them, and how much the longest answer held.
#pragma once
#include <algorithm>
#include <map>
#include <string>

#include "ports/stores.h"

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

class CountedTurns : public TurnStore {
 public:
  CountedTurns(TurnStore& store, Counts& counts) : store_(store), counts_(counts) {}
  Result<TurnNumber> reserve_number(const Principal& who, const Deadline& deadline) override {
    return store_.reserve_number(who, deadline);
  }
  Status reserve_through(TurnNumber number, const Principal& who, const Deadline& deadline) override {
    return store_.reserve_through(number, who, deadline);
  }
  Result<TurnNumber> commit_turn(const TurnRecord& record, const Principal& who, const Deadline& deadline) override {
    return store_.commit_turn(record, who, deadline);
  }
  Result<Turn> find(TurnNumber number, const Principal& who, const Deadline& deadline) override {
    counts_.note("turns.find");
    return store_.find(number, who, deadline);
  }
  Result<std::vector<Turn>> find_all(std::span<const Uuid> uids, const Principal& who,
                                     const Deadline& deadline) override {
    return counts_.note("turns.find_all", store_.find_all(uids, who, deadline));
  }
  Result<std::vector<Turn>> list(const TurnQuery& query, const Principal& who, const Deadline& deadline) override {
    return counts_.note("turns.list", store_.list(query, who, deadline));
  }
  Result<std::vector<Turn>> scan(TurnNumber after, std::size_t limit, const Principal& who,
                                 const Deadline& deadline) override {
    return counts_.note("turns.scan", store_.scan(after, limit, who, deadline));
  }
  Result<std::vector<std::pair<int, Turn>>> neighbours(const Uuid& uid, int radius, const Principal& who,
                                                       const Deadline& deadline) override {
    return store_.neighbours(uid, radius, who, deadline);
  }
  Result<std::optional<TurnNumber>> find_content(const std::string& content, const SessionId& session,
                                                 const Principal& who, const Deadline& deadline) override {
    return store_.find_content(content, session, who, deadline);
  }
  Result<std::vector<SessionSummary>> sessions(const Principal& who, const Deadline& deadline) override {
    return store_.sessions(who, deadline);
  }
  Result<std::int64_t> count(const Principal& who, const Deadline& deadline) override {
    return store_.count(who, deadline);
  }
  Result<std::vector<std::int64_t>> keyword_counts(std::span<const std::string> terms, const Principal& who,
                                                   const Deadline& deadline) override {
    return store_.keyword_counts(terms, who, deadline);
  }
  Result<Turn> change(TurnNumber number, const TurnChange& change, const Principal& who,
                      const Deadline& deadline) override {
    return store_.change(number, change, who, deadline);
  }
  Status rewrite(const Turn& turn, const Principal& who, const Deadline& deadline, const Turn* was) override {
    return store_.rewrite(turn, who, deadline, was);
  }
  Result<RemovedTurn> remove(TurnNumber number, const Principal& who, const Deadline& deadline) override {
    return store_.remove(number, who, deadline);
  }
  Status put_vector(const Uuid& uid, const EmbedderIdentity& embedder, std::span<const float> vector,
                    const Deadline& deadline) override {
    return store_.put_vector(uid, embedder, vector, deadline);
  }
  Result<std::vector<TurnVector>> vectors_around(const Uuid& uid, int radius, const EmbedderIdentity& embedder,
                                                 const Deadline& deadline) override {
    return store_.vectors_around(uid, radius, embedder, deadline);
  }
  Result<std::optional<Uuid>> drop_other_vectors(const EmbedderIdentity& kept, const std::optional<Uuid>& after,
                                                 std::size_t limit, const Deadline& deadline) override {
    return store_.drop_other_vectors(kept, after, limit, deadline);
  }

 private:
  TurnStore& store_;
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
