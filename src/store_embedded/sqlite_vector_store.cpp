#include "store_embedded/sqlite_vector_store.h"

#include <algorithm>
#include <set>
#include <shared_mutex>
#include <thread>

#include <fmt/format.h>

#include "ports/vector_checks.h"
#include "store_embedded/point_codec.h"
#include "store_embedded/point_collection.h"

namespace pandora {
namespace {

constexpr std::size_t kPutAtOnce = 32;  // points; well below a millisecond of encoding

// A query's caller scans too, so one processor of them is taken already.
std::size_t threads_that_help() {
  const std::size_t processors = std::thread::hardware_concurrency();  // 0: unknown
  return processors > 1 ? processors - 1 : 0;
}

class SqliteVectorStoreImpl final : public SqliteVectorStore {
 public:
  SqliteVectorStoreImpl(std::unique_ptr<SqliteDatabase> database, std::string vfs)
      : database_(std::move(database)), vfs_(std::move(vfs)) {}
  SqliteDatabase& database() override { return *database_; }

  Status load() {
    return database_->read(
        [this](Connection& connection) -> Status {
          PANDORA_CHECK(load_collections(connection));
          PANDORA_CHECK(load_aliases(connection));
          return load_points(connection);
        },
        Deadline::never());
  }

  Status ensure_collection(const CollectionSpec& spec, const Deadline& deadline) override {
    PANDORA_CHECK(deadline.check("making a collection"));
    PANDORA_CHECK(check_spec(spec));
    const std::lock_guard writing(writing_);
    if (aliases_.contains(spec.name)) return fail(ErrorCode::kConflict, spec.name + " is an alias");
    if (const auto existing = collections_.find(spec.name); existing != collections_.end()) {
      if (existing->second->spec() == spec) return {};
      const CollectionSpec& old = existing->second->spec();
      return fail(
          ErrorCode::kIncompatible,
          fmt::format("collection {} was made with {} ({} dimensions, analyser {}), this is {} ({}, analyser {})",
                      spec.name, old.embedder, old.dimension, old.analyzer_version, spec.embedder, spec.dimension,
                      spec.analyzer_version),
          "use the encoder that it was made with, or remove vectors.db and run `pandora reconcile --apply`");
    }
    PANDORA_CHECK(database_->write(
        [&](Connection& connection) {
          return connection.run("INSERT INTO collections VALUES (?, ?)", spec.name, encode_spec(spec));
        },
        deadline));
    const std::unique_lock lock(mutex_);
    collections_[spec.name] = std::make_unique<PointCollection>(spec, &pool_);
    return {};
  }

  Result<std::vector<CollectionSpec>> collections(const Deadline& deadline) override {
    PANDORA_CHECK(deadline.check("listing collections"));
    const std::shared_lock lock(mutex_);
    std::vector<CollectionSpec> specs;
    for (const auto& [name, collection] : collections_) specs.push_back(collection->spec());
    return specs;
  }

  Status drop_collection(const std::string& name, const Deadline& deadline) override {
    PANDORA_CHECK(deadline.check("dropping a collection"));
    const std::lock_guard writing(writing_);
    PANDORA_CHECK(database_->write(
        [&](Connection& connection) { return connection.run("DELETE FROM collections WHERE name = ?", name); },
        deadline));
    const std::unique_lock lock(mutex_);
    collections_.erase(name);
    std::erase_if(aliases_, [&](const auto& alias) { return alias.second == name; });
    return {};
  }

  Status alias_switch(const std::string& alias, const std::string& name, const Deadline& deadline) override {
    PANDORA_CHECK(deadline.check("switching an alias"));
    PANDORA_CHECK(check_vector_name("alias", alias));
    const std::lock_guard writing(writing_);
    if (collections_.contains(alias)) return fail(ErrorCode::kConflict, fmt::format("{} is a collection", alias));
    if (!collections_.contains(name)) return no_collection(name);
    PANDORA_CHECK(database_->write(
        [&](Connection& connection) {
          return connection.run(
              "INSERT INTO aliases VALUES (?, ?) ON CONFLICT DO UPDATE SET collection = excluded.collection", alias,
              name);
        },
        deadline));
    const std::unique_lock lock(mutex_);
    aliases_[alias] = name;
    return {};
  }

  Result<std::size_t> upsert(const std::string& name, std::span<const Point> points, const Principal& who,
                             const Deadline& deadline) override {
    PANDORA_CHECK(deadline.check("writing points"));
    const std::lock_guard writing(writing_);
    PointCollection* collection = find(name);
    if (!collection) return no_collection(name);
    PANDORA_CHECK(check_points(collection->spec(), points, who));
    std::vector<const Point*> newer;
    std::map<Uuid, std::int64_t> here;  // versions of this call's own points
    for (const Point& point : points) {
      if (!collection->may_write(point.id, who))
        return fail(ErrorCode::kPermissionDenied,
                    fmt::format("point {} belongs to another user", point.id.to_string()));
      const auto earlier = here.find(point.id);
      const auto version = earlier == here.end() ? collection->version(point.id) : earlier->second;
      if (version && *version > point.version) continue;
      here[point.id] = point.version;
      newer.push_back(&point);
    }
    const std::string& real = collection->spec().name;
    PANDORA_CHECK(database_->write(
        [&](Connection& connection) -> Status {
          for (const Point* point : newer) {
            PANDORA_TRY(statement,
                        connection.prepare(
                            "INSERT INTO points VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
                            " version = excluded.version, payload = excluded.payload, vectors = excluded.vectors"));
            const std::string vectors = encode_vectors(*point);
            PANDORA_CHECK(
                statement
                    .bind(real, point->id, point->version, encode_payload(point->payload), Statement::as_blob(vectors))
                    .run());
          }
          return {};
        },
        deadline));
    // A few at a time: a query waits for these, not for all.
    for (std::size_t first = 0; first < newer.size(); first += kPutAtOnce) {
      const std::unique_lock lock(mutex_);
      for (std::size_t i = first; i < std::min(newer.size(), first + kPutAtOnce); ++i) collection->put(*newer[i]);
    }
    return newer.size();
  }

  Result<std::size_t> remove(const std::string& name, std::span<const Uuid> ids, const Principal& who,
                             const Deadline& deadline) override {
    PANDORA_CHECK(deadline.check("removing points"));
    PANDORA_CHECK(check_ids(ids));
    const std::lock_guard writing(writing_);
    PointCollection* collection = find(name);
    if (!collection) return no_collection(name);
    std::set<Uuid> gone;
    for (const Uuid& id : ids)
      if (collection->version(id) && collection->may_write(id, who)) gone.insert(id);
    PANDORA_CHECK(database_->write(
        [&](Connection& connection) -> Status {
          for (const Uuid& id : gone)
            PANDORA_CHECK(
                connection.run("DELETE FROM points WHERE collection = ? AND id = ?", collection->spec().name, id));
          return {};
        },
        deadline));
    const std::unique_lock lock(mutex_);
    for (const Uuid& id : gone) collection->remove(id);
    return gone.size();
  }

  Result<std::vector<ScoredPoint>> query(const std::string& name, const PointQuery& query, const Principal& who,
                                         const Deadline& deadline) override {
    PANDORA_CHECK(deadline.check("searching"));
    const std::shared_lock lock(mutex_);
    const PointCollection* collection = find(name);
    if (!collection) return no_collection(name);
    PANDORA_CHECK(check_query(collection->spec(), query));
    return collection->query(query, who, deadline);
  }

  Result<std::vector<Point>> retrieve(const std::string& name, std::span<const Uuid> ids, const Principal& who,
                                      const Deadline& deadline) override {
    PANDORA_CHECK(deadline.check("fetching points"));
    PANDORA_CHECK(check_ids(ids));
    const std::shared_lock lock(mutex_);
    const PointCollection* collection = find(name);
    if (!collection) return no_collection(name);
    std::vector<Point> points;
    for (const Uuid& id : ids)
      if (auto point = collection->find(id, who)) points.push_back(*std::move(point));
    return points;
  }

  Result<std::vector<Point>> scroll(const std::string& name, const Filter& filter, const std::optional<Uuid>& after,
                                    std::size_t limit, const Principal& who, const Deadline& deadline) override {
    PANDORA_CHECK(deadline.check("listing points"));
    PANDORA_CHECK(check_limit(limit));
    PANDORA_CHECK(check_filter(filter));
    const std::shared_lock lock(mutex_);
    const PointCollection* collection = find(name);
    if (!collection) return no_collection(name);
    return collection->scroll(filter, after, limit, who, deadline);
  }

  Result<std::int64_t> count(const std::string& name, const Filter& filter, const Principal& who,
                             const Deadline& deadline) override {
    PANDORA_CHECK(deadline.check("counting points"));
    PANDORA_CHECK(check_filter(filter));
    const std::shared_lock lock(mutex_);
    const PointCollection* collection = find(name);
    if (!collection) return no_collection(name);
    return collection->count(filter, who, deadline);
  }

  Status snapshot(const std::string& name, const std::string& path, const Deadline& deadline) override {
    PANDORA_CHECK(deadline.check("copying a collection"));
    std::string real;
    {
      const std::shared_lock lock(mutex_);
      const PointCollection* collection = find(name);
      if (!collection) return no_collection(name);
      real = collection->spec().name;
    }
    if (Connection::file_exists(path, vfs_)) return fail(ErrorCode::kConflict, path + " exists");
    const Status copied = copy_to(path, real, deadline);
    if (!copied) Connection::remove_file(path, vfs_);
    return copied;
  }

 private:
  static tl::unexpected<Error> no_collection(const std::string& name) {
    return fail(ErrorCode::kNotFound, fmt::format("there is no collection {}", name));
  }
  // Everything, then without what is of the other collections; what was deleted leaves no bytes behind.
  Status copy_to(const std::string& path, const std::string& collection, const Deadline& deadline) {
    PANDORA_CHECK(database_->copy_to(path, deadline));
    PANDORA_TRY(copy, Connection::open(path, vfs_));
    PANDORA_CHECK(copy->run("DELETE FROM collections WHERE name <> ?", collection));
    return copy->script("VACUUM; PRAGMA journal_mode = DELETE");
  }
  PointCollection* find(const std::string& name) const {
    const auto alias = aliases_.find(name);
    const auto found = collections_.find(alias == aliases_.end() ? name : alias->second);
    return found == collections_.end() ? nullptr : found->second.get();
  }

  Status load_collections(Connection& connection) {
    PANDORA_TRY(rows, connection.query("SELECT spec FROM collections"));
    for (;;) {
      PANDORA_TRY(more, rows.next());
      if (!more) return {};
      PANDORA_TRY(spec, decode_spec(rows.text(0)));
      const std::string name = spec.name;
      collections_[name] = std::make_unique<PointCollection>(std::move(spec), &pool_);
    }
  }
  Status load_aliases(Connection& connection) {
    PANDORA_TRY(rows, connection.query("SELECT alias, collection FROM aliases"));
    for (;;) {
      PANDORA_TRY(more, rows.next());
      if (!more) return {};
      aliases_[std::string(rows.text(0))] = rows.text(1);
    }
  }
  Status load_points(Connection& connection) {
    PANDORA_TRY(
        rows, connection.query("SELECT collection, id, version, payload, vectors FROM points ORDER BY collection, id"));
    for (;;) {
      PANDORA_TRY(more, rows.next());
      if (!more) return {};
      Point point;
      PANDORA_TRY(id, rows.uuid(1));
      point.id = id;
      point.version = rows.integer(2);
      PANDORA_TRY(payload, decode_payload(rows.text(3)));
      point.payload = std::move(payload);
      PANDORA_CHECK(decode_vectors(rows.blob(4), point));
      PointCollection* collection = find(std::string(rows.text(0)));
      if (!collection) return fail(ErrorCode::kDataCorrupt, "a point is of a collection that does not exist");
      if (Status good = check_points(collection->spec(), {&point, 1}, Principal::system()); !good)
        return fail(ErrorCode::kDataCorrupt, good.error().message, std::string(kDamagedRemedy));
      collection->put(point);
    }
  }

  std::unique_ptr<SqliteDatabase> database_;
  const std::string vfs_;
  std::mutex writing_;                    // one writer at a time: a version is checked, stored and shown as one
  mutable std::shared_mutex mutex_;       // what is in memory; taken after writing_
  ThreadPool pool_{threads_that_help()};  // of all collections
  std::map<std::string, std::unique_ptr<PointCollection>> collections_;
  std::map<std::string, std::string> aliases_;
};

}  // namespace

Result<std::unique_ptr<SqliteVectorStore>> SqliteVectorStore::open(const std::string& path, const std::string& vfs,
                                                                   const Clock& clock) {
  PANDORA_TRY(database, SqliteDatabase::open(path, "vectors", vfs, clock));
  auto store = std::make_unique<SqliteVectorStoreImpl>(std::move(database), vfs);
  PANDORA_CHECK(store->load());
  return store;
}

}  // namespace pandora
