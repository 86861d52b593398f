#include "store_embedded/sqlite_vector_store.h"

#include <algorithm>
#include <condition_variable>
#include <thread>

#include <fmt/format.h>

#include "base/log.h"
#include "ports/vector_checks.h"
#include "store_embedded/kept_collection.h"
#include "store_embedded/point_codec.h"

namespace pandora {
namespace {

constexpr int kPageBytes = 8'192;         // holds three points of 384 dimensions with their words; of 4,096 one
constexpr std::size_t kPutAtOnce = 32;    // points; well below a millisecond of encoding
constexpr std::size_t kLookEvery = 1024;  // points between two looks at the clock

using Collection = std::shared_ptr<KeptCollection>;

class SqliteVectorStoreImpl final : public SqliteVectorStore {
 public:
  SqliteVectorStoreImpl(std::unique_ptr<SqliteDatabase> database, std::string vfs, const VectorStoreOptions& options)
      : database_(std::move(database)), vfs_(std::move(vfs)), options_(options) {}
  ~SqliteVectorStoreImpl() override {
    if (keeper_.joinable()) {
      {
        const std::lock_guard lock(keeper_mutex_);
        ending_ = true;
      }
      keeper_wakes_.notify_all();
      keeper_.join();
    }
    for (const Collection& collection : all())
      if (const Status saved =
              collection->checkpoint(*database_, locks_, options_.least_at_end, IndexFiles::Scope::kTail);
          !saved)
        log_info("index.end", {{"why", saved.error().to_line()}});  // the next start feeds it from the rows
  }
  SqliteDatabase& database() override { return *database_; }

  Status load() {
    PANDORA_CHECK(
        database_->read([this](Connection& connection) { return load_collections(connection); }, Deadline::never()));
    remove_strange_files();
    for (const Collection& collection : all()) {
      if (options_.files && collection->unsearched() > static_cast<std::int64_t>(options_.fed_at_open)) continue;
      for (bool more = true; more;) {
        PANDORA_TRY(again, collection->feed(*database_, locks_));
        more = again;
      }
    }
    work_ = true;  // a look at what is behind, large, or not checked
    keeper_ = std::thread([this] { keep(); });
    return {};
  }

  Status ensure_collection(const CollectionSpec& spec, const Deadline& deadline) override {
    PANDORA_CHECK(usable(deadline, "making a collection"));
    PANDORA_CHECK(check_spec(spec));
    const std::lock_guard naming(naming_);
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
    CollectionRow row{spec, 0};
    const auto insert = [&](Connection& connection, std::uint64_t& seq) -> Result<bool> {
      row.removals_since = ++seq;  // files of an earlier one of this name are older
      // A row of that name, that nobody holds, is of one whose files could not be begun after its commit.
      PANDORA_CHECK(connection.run(
          "INSERT INTO collections (name, spec, removals_since) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
          "spec = excluded.spec, removals_since = excluded.removals_since",
          spec.name, encode_spec(spec), static_cast<std::int64_t>(seq)));
      PANDORA_CHECK(write_last_seq(connection, seq));
      return true;
    };
    const auto hold = [&](bool) -> Status {
      const auto collection = make_collection(row);
      PANDORA_CHECK(collection->begin_anew());
      collection->applied(row.removals_since);
      const std::unique_lock lock(locks_.memory);
      collections_[spec.name] = collection;
      return {};
    };
    return change(insert, hold, deadline);
  }

  Result<std::vector<CollectionSpec>> collections(const Deadline& deadline) override {
    PANDORA_CHECK(usable(deadline, "listing collections"));
    const std::shared_lock lock(locks_.memory);
    std::vector<CollectionSpec> specs;
    for (const auto& [name, collection] : collections_) specs.push_back(collection->spec());
    return specs;
  }

  Status drop_collection(const std::string& name, const Deadline& deadline) override {
    PANDORA_CHECK(usable(deadline, "dropping a collection"));
    const std::lock_guard naming(naming_);  // until its files are gone, lest they be those of one that is made anew
    Collection gone;                        // first of all: whoever writes points from now on finds none
    {
      const std::unique_lock lock(locks_.memory);
      if (const auto found = collections_.find(name); found != collections_.end()) {
        gone = std::move(found->second);
        collections_.erase(found);
      }
    }
    const Status deleted = database_->write(
        [&](Connection& connection) { return connection.run("DELETE FROM collections WHERE name = ?", name); },
        deadline);
    {
      const std::unique_lock lock(locks_.memory);
      if (deleted) std::erase_if(aliases_, [&](const auto& alias) { return alias.second == name; });
      if (!deleted && gone) collections_[name] = std::move(gone);
    }
    if (!deleted) return deleted;
    return gone ? gone->remove_files() : Status();
  }

  Status alias_switch(const std::string& alias, const std::string& name, const Deadline& deadline) override {
    PANDORA_CHECK(usable(deadline, "switching an alias"));
    PANDORA_CHECK(check_vector_name("alias", alias));
    const std::lock_guard naming(naming_);
    if (collections_.contains(alias)) return fail(ErrorCode::kConflict, fmt::format("{} is a collection", alias));
    if (!collections_.contains(name)) return no_collection(name);
    PANDORA_CHECK(database_->write(
        [&](Connection& connection) {
          return connection.run(
              "INSERT INTO aliases VALUES (?, ?) ON CONFLICT DO UPDATE SET collection = excluded.collection", alias,
              name);
        },
        deadline));
    const std::unique_lock lock(locks_.memory);
    aliases_[alias] = name;
    return {};
  }

  Result<std::size_t> upsert(const std::string& name, std::span<const Point> points, const Principal& who,
                             const Deadline& deadline) override {
    PANDORA_CHECK(usable(deadline, "writing points"));
    const Collection collection = known(name);
    if (!collection) return no_collection(name);
    PANDORA_CHECK(check_points(collection->spec(), points, who));
    std::size_t count = 0;
    const auto write = [&](Connection& connection, std::uint64_t& seq) -> Result<std::vector<std::uint64_t>> {
      if (!is_there(collection)) return no_collection(name);
      return write_points(connection, collection->spec().name, points, who, seq);
    };
    const auto put = [&](const std::vector<std::uint64_t>& written) -> Status {
      // A few at a time: a query waits for these, not for all.
      for (std::size_t first = 0; first < points.size(); first += kPutAtOnce) {
        const std::unique_lock lock(locks_.memory);
        for (std::size_t i = first; i < std::min(points.size(), first + kPutAtOnce); ++i) {
          if (written[i] == 0) continue;
          ++count;
          PANDORA_CHECK(mended(*collection, collection->points().put(points[i], written[i])));
        }
      }
      if (count > 0) note_applied(*collection, *std::ranges::max_element(written));
      return {};
    };
    PANDORA_CHECK(change(write, put, deadline));
    return count;
  }

  Result<std::size_t> remove(const std::string& name, std::span<const Uuid> ids, const Principal& who,
                             const Deadline& deadline) override {
    PANDORA_CHECK(usable(deadline, "removing points"));
    PANDORA_CHECK(check_ids(ids));
    const Collection collection = known(name);
    if (!collection) return no_collection(name);
    std::size_t count = 0;
    const auto write = [&](Connection& connection, std::uint64_t& seq) -> Result<std::vector<Removal>> {
      if (!is_there(collection)) return no_collection(name);
      return remove_points(connection, collection->spec().name, ids, who, seq);
    };
    const auto take_out = [&](const std::vector<Removal>& gone) -> Status {
      count = gone.size();
      {
        const std::unique_lock lock(locks_.memory);
        for (const Removal& removal : gone)
          PANDORA_CHECK(mended(*collection, collection->points().remove(removal.id, removal.seq)));
      }
      if (count > 0) note_applied(*collection, gone.back().seq);
      return {};
    };
    PANDORA_CHECK(change(write, take_out, deadline));
    return count;
  }

  Result<std::vector<ScoredPoint>> query(const std::string& name, const PointQuery& query, const Principal& who,
                                         const Deadline& deadline) override {
    PANDORA_CHECK(usable(deadline, "searching"));
    return search<std::vector<ScoredPoint>>(name,
                                            [&](const PointCollection& points) -> Result<std::vector<ScoredPoint>> {
                                              PANDORA_CHECK(check_query(points.spec(), query));
                                              return points.query(query, who, deadline);
                                            });
  }

  Result<std::int64_t> count(const std::string& name, const Filter& filter, const Principal& who,
                             const Deadline& deadline) override {
    PANDORA_CHECK(usable(deadline, "counting points"));
    PANDORA_CHECK(check_filter(filter));
    const Collection collection = known(name);
    if (!collection) return no_collection(name);
    if (!collection->behind())
      return search<std::int64_t>(name,
                                  [&](const PointCollection& points) { return points.count(filter, who, deadline); });
    std::int64_t count = 0;
    PANDORA_CHECK(scan(*collection, filter, std::nullopt, who, deadline, [&](Point) { return ++count, true; }));
    return count;
  }

  Result<std::vector<Point>> retrieve(const std::string& name, std::span<const Uuid> ids, const Principal& who,
                                      const Deadline& deadline) override {
    PANDORA_CHECK(usable(deadline, "fetching points"));
    PANDORA_CHECK(check_ids(ids));
    const Collection collection = known(name);
    if (!collection) return no_collection(name);
    return database_->read(
        [&](Connection& connection) -> Result<std::vector<Point>> {
          std::vector<Point> points;
          for (const Uuid& id : ids) {
            PANDORA_TRY(point, read_point(connection, collection->spec(), id));
            if (!point || !visible_to(point->payload, who)) continue;
            for (auto& [vector, values] : point->dense) normalise(values);
            std::erase_if(point->sparse, [](const auto& words) { return words.second.indices.empty(); });
            points.push_back(*std::move(point));
          }
          return points;
        },
        deadline);
  }

  Result<std::vector<Point>> scroll(const std::string& name, const Filter& filter, const std::optional<Uuid>& after,
                                    std::size_t limit, const Principal& who, const Deadline& deadline) override {
    PANDORA_CHECK(usable(deadline, "listing points"));
    PANDORA_CHECK(check_limit(limit));
    PANDORA_CHECK(check_filter(filter));
    const Collection collection = known(name);
    if (!collection) return no_collection(name);
    std::vector<Point> points;
    if (limit == 0) return points;
    PANDORA_CHECK(scan(*collection, filter, after, who, deadline, [&](Point point) {
      points.push_back(std::move(point));
      return points.size() < limit;
    }));
    return points;
  }

  Result<std::int64_t> unsearched(const std::string& name, const Deadline& deadline) override {
    PANDORA_CHECK(usable(deadline, "looking at the index"));
    const std::shared_lock lock(locks_.memory);
    const Collection collection = find(name);
    if (!collection) return no_collection(name);
    return collection->unsearched();
  }

  Status snapshot(const std::string& name, const std::string& path, const Deadline& deadline) override {
    PANDORA_CHECK(usable(deadline, "copying a collection"));
    const Collection collection = known(name);
    if (!collection) return no_collection(name);
    if (Connection::file_exists(path, vfs_)) return fail(ErrorCode::kConflict, path + " exists");
    const Status copied = copy_to(path, collection->spec().name, deadline);
    if (!copied) Connection::remove_file(path, vfs_);
    return copied;
  }

  Status purge(const Deadline& deadline) override {
    PANDORA_CHECK(usable(deadline, "removing what is left in the index"));
    for (const Collection& collection : all()) {
      PANDORA_CHECK(deadline.check("removing what is left in the index"));
      PANDORA_CHECK(collection->checkpoint(*database_, locks_, 0, IndexFiles::Scope::kPurge));
    }
    return {};
  }

  Status settle(const Deadline& deadline) override {
    std::unique_lock lock(keeper_mutex_);
    while (work_ || working_ || !database_->checked()) {
      PANDORA_CHECK(deadline.check("waiting for the index"));
      keeper_rests_.wait_for(lock, std::chrono::milliseconds(20));
    }
    return {};
  }

 private:
  static tl::unexpected<Error> no_collection(const std::string& name) {
    return fail(ErrorCode::kNotFound, fmt::format("there is no collection {}", name));
  }
  // It has not been dropped since it was found. For a job of the database: whoever drops one has it deleted by a job
  // too.
  bool is_there(const Collection& collection) { return known(collection->spec().name) == collection; }

  // `write(connection, seq)` changes rows, and raises the last number by one for each; `follow(what it gave)` changes
  // the index likewise. Rows of several callers are committed at once; their changes go into the index in the order of
  // their numbers, so that everything up to `last_seq` is in.
  template <class Write, class Follow>
  Status change(const Write& write, const Follow& follow, const Deadline& deadline) {
    std::uint64_t before = 0, last = 0;
    const auto written = database_->write_for(
        [&](Connection& connection) {
          std::uint64_t seq = given_;
          auto result = write(connection, seq);
          if (result) before = given_, last = given_ = seq;
          return result;
        },
        deadline);
    const bool numbered = last > before;  // also when the commit of all has failed then
    std::unique_lock writing(locks_.writing);
    if (numbered) locks_.risen.wait(writing, [&] { return locks_.last_seq == before; });
    const Status followed = written ? follow(*written) : Status(fail(written.error()));
    if (!numbered) return followed;
    locks_.last_seq = last;
    locks_.risen.notify_all();
    return followed;
  }
  // Everything, then without what is of the other collections; what was deleted leaves no bytes behind. A file of its
  // own, so with an epoch of its own.
  Status copy_to(const std::string& path, const std::string& collection, const Deadline& deadline) {
    PANDORA_CHECK(database_->copy_to(path, deadline));
    PANDORA_TRY(copy, Connection::open(path, vfs_));
    PANDORA_CHECK(copy->run("DELETE FROM collections WHERE name <> ?", collection));
    PANDORA_CHECK(copy->run("UPDATE changes SET epoch = randomblob(16)"));
    return copy->script("VACUUM; PRAGMA journal_mode = DELETE");
  }

  std::string index_directory() const { return database_->path() + "-index"; }
  Collection make_collection(const CollectionRow& row) {
    std::optional<IndexFiles> files;
    if (options_.files) files.emplace(*options_.files, join_path(index_directory(), row.spec.name), epoch_);
    return std::make_shared<KeptCollection>(row, &pool_, std::move(files));
  }
  // Of collections that were dropped when the machine stopped.
  void remove_strange_files() {
    if (!options_.files) return;
    const auto entries = options_.files->list(index_directory());
    if (!entries) return;
    for (const FileInfo& entry : *entries)
      if (!collections_.contains(entry.name))
        if (const Status removed = options_.files->remove_tree(join_path(index_directory(), entry.name)); !removed)
          log_info("index.sweep", {{"why", removed.error().to_line()}});
  }

  Status usable(const Deadline& deadline, const char* doing) {
    PANDORA_CHECK(deadline.check(doing));
    PANDORA_CHECK(database_->fault());
    if (!has_fault_) return {};
    const std::lock_guard lock(keeper_mutex_);
    return fail(*fault_);
  }
  Collection find(const std::string& name) const {  // under `memory` or `naming_`
    const auto alias = aliases_.find(name);
    const auto found = collections_.find(alias == aliases_.end() ? name : alias->second);
    return found == collections_.end() ? nullptr : found->second;
  }
  Collection known(const std::string& name) {
    const std::shared_lock lock(locks_.memory);
    return find(name);
  }
  std::vector<Collection> all() {
    const std::shared_lock lock(locks_.memory);
    std::vector<Collection> collections;
    for (const auto& [name, collection] : collections_) collections.push_back(collection);
    return collections;
  }

  // A search that meets a damaged file goes on without it; the rows are fed again.
  template <class T>
  Result<T> search(const std::string& name, const std::function<Result<T>(const PointCollection&)>& ask) {
    constexpr int kMostTries = 8;  // each without another damaged part
    for (int tries = 0; tries < kMostTries; ++tries) {
      Collection collection;
      {
        const std::shared_lock lock(locks_.memory);
        collection = find(name);
        if (!collection) return no_collection(name);
        auto answer = ask(collection->points());
        if (answer || answer.error().code != ErrorCode::kDataCorrupt) return answer;
      }
      const std::unique_lock lock(locks_.memory);
      collection->heal();
      wake();
    }
    return fail(ErrorCode::kDataCorrupt, index_directory() + " is damaged again and again", "remove that folder");
  }
  // A change that met a damaged file is fed again, with the rest. Under `memory`.
  Status mended(KeptCollection& collection, Status changed) {
    if (changed || changed.error().code != ErrorCode::kDataCorrupt || !collection.heal()) return changed;
    wake();
    return {};
  }
  void note_applied(KeptCollection& collection, std::uint64_t seq) {
    const std::unique_lock lock(locks_.memory);
    collection.applied(seq);
    if (collection.points().index().unsaved() >= options_.tail_points) wake();
  }

  Status scan(const KeptCollection& collection, const Filter& filter, const std::optional<Uuid>& after,
              const Principal& who, const Deadline& deadline, const std::function<bool(Point)>& take) {
    return database_->read(
        [&](Connection& connection) -> Status {
          std::size_t looked = 0;
          Status in_time;
          PANDORA_CHECK(scan_points(connection, collection.spec().name, after, [&](Point point) {
            if (++looked % kLookEvery == 0) in_time = deadline.check("listing points");
            if (!in_time) return false;
            if (!visible_to(point.payload, who) || !holds(point.id, point.payload, filter)) return true;
            return take(std::move(point));
          }));
          return in_time;
        },
        deadline);
  }

  Status load_collections(Connection& connection) {
    PANDORA_TRY(log, read_change_log(connection));
    epoch_ = log.epoch;
    locks_.last_seq = given_ = log.last_seq;
    PANDORA_TRY(rows, read_collections(connection));
    for (const CollectionRow& row : rows) {
      const auto collection = make_collection(row);
      PANDORA_CHECK(collection->load(connection, log.last_seq));
      collections_[row.spec.name] = collection;
    }
    PANDORA_CHECK(load_aliases(connection));
    return options_.every_row ? read_every_row(connection) : Status();
  }
  Status load_aliases(Connection& connection) {
    PANDORA_TRY(rows, connection.query("SELECT alias, collection FROM aliases"));
    for (;;) {
      PANDORA_TRY(more, rows.next());
      if (!more) return {};
      aliases_[std::string(rows.text(0))] = rows.text(1);
    }
  }
  Status read_every_row(Connection& connection) {
    constexpr std::size_t kPage = 1'000;
    for (const auto& [name, collection] : collections_)
      for (std::uint64_t after = 0;;) {
        PANDORA_TRY(page, points_after(connection, collection->spec(), after, kPage,
                                       [](const Uuid&, std::uint64_t) { return true; }));
        after = page.last;
        if (page.end) break;
      }
    return {};
  }

  void wake() {
    {
      const std::lock_guard lock(keeper_mutex_);
      work_ = true;
    }
    keeper_wakes_.notify_one();
  }
  void keep() {
    std::unique_lock lock(keeper_mutex_);
    for (;;) {
      keeper_wakes_.wait(lock, [this] { return ending_ || work_; });
      if (ending_) return;
      work_ = false;
      working_ = true;
      lock.unlock();
      const Status done = keep_up();
      lock.lock();
      working_ = false;
      if (!done) {
        log_warn("index.behind", {{"why", done.error().to_line()}});
        if (done.error().code == ErrorCode::kDataCorrupt) fault_ = done.error(), has_fault_ = true;
      }
      keeper_rests_.notify_all();
    }
  }
  Status keep_up() {
    const auto ends = [this] {
      const std::lock_guard lock(keeper_mutex_);
      return ending_;
    };
    for (const Collection& collection : all()) {
      for (bool more = collection->behind(); more && !ends();) {
        PANDORA_TRY(again, collection->feed(*database_, locks_));
        more = again;
        PANDORA_CHECK(collection->checkpoint(*database_, locks_, options_.tail_points, IndexFiles::Scope::kTail));
      }
      for (bool more = true; more && !ends();) {
        PANDORA_TRY(again, collection->move_some(locks_));
        more = again;
      }
      if (!ends())
        PANDORA_CHECK(collection->checkpoint(*database_, locks_, options_.tail_points, IndexFiles::Scope::kTail));
    }
    return {};
  }

  std::unique_ptr<SqliteDatabase> database_;
  const std::string vfs_;
  const VectorStoreOptions options_;
  Uuid epoch_;
  std::mutex naming_;  // one makes, drops or names collections at a time; taken first
  StoreLocks locks_;
  std::uint64_t given_ = 0;                           // the last number; the writer of the database changes it
  ThreadPool pool_{ThreadPool::threads_that_help()};  // of all collections
  std::map<std::string, Collection> collections_;     // changed under both locks
  std::map<std::string, std::string> aliases_;

  std::mutex keeper_mutex_;  // taken last
  std::condition_variable keeper_wakes_, keeper_rests_;
  bool ending_ = false, work_ = false, working_ = false;
  std::atomic<bool> has_fault_ = false;
  std::optional<Error> fault_;  // the rows themselves are damaged
  std::thread keeper_;
};

}  // namespace

Result<std::unique_ptr<SqliteVectorStore>> SqliteVectorStore::open(const std::string& path, const std::string& vfs,
                                                                   const Clock& clock,
                                                                   const VectorStoreOptions& options) {
  const auto check = options.every_row ? IntegrityCheck::kThorough : IntegrityCheck::kBesideWhenLarge;
  PANDORA_TRY(database, SqliteDatabase::open(path, "vectors", vfs, clock, check, kPageBytes));
  auto store = std::make_unique<SqliteVectorStoreImpl>(std::move(database), vfs, options);
  PANDORA_CHECK(store->load());
  return store;
}

}  // namespace pandora
