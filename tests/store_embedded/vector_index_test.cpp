// The derived files of a SqliteVectorStore: lost, damaged, behind; beside a store that never had any.
#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <thread>

#include <gtest/gtest.h>

#include "base/random.h"
#include "store_embedded/sqlite_vector_store.h"
#include "support/sqlite_fault_vfs.h"
#include "support/temporary_directory.h"

namespace pandora {
namespace {

const Deadline kNever = Deadline::never();
const Principal kSystem = Principal::system();

// Whoever makes a new file waits until the gate is open.
class GatedFiles final : public FileSystem {
 public:
  void close_gate() { set(false); }
  void open_gate() { set(true); }
  std::atomic<bool> removes = true;
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    if (mode == OpenMode::kCreateNew) {
      std::unique_lock lock(mutex_);
      moved_.wait(lock, [this] { return open_; });
    }
    return files_->open(path, mode);
  }
  Result<std::unique_ptr<FileMapping>> map(const std::string& path) override { return files_->map(path); }
  Result<std::string> read_file(const std::string& path, std::size_t max) override {
    return files_->read_file(path, max);
  }
  Status write_atomic(const std::string& path, std::string_view bytes, Durability durability) override {
    return files_->write_atomic(path, bytes, durability);
  }
  Status rename(const std::string& from, const std::string& to) override { return files_->rename(from, to); }
  Status remove_file(const std::string& path) override { return files_->remove_file(path); }
  Status remove_tree(const std::string& path) override {
    if (!removes) return fail(ErrorCode::kUnavailable, path + ": input/output error");
    return files_->remove_tree(path);
  }
  Status create_directories(const std::string& path) override { return files_->create_directories(path); }
  Result<std::vector<FileInfo>> list(const std::string& path) override { return files_->list(path); }
  Result<FileInfo> info(const std::string& path) override { return files_->info(path); }
  Status sync_file(const std::string& path) override { return files_->sync_file(path); }
  Status sync_directory(const std::string& path) override { return files_->sync_directory(path); }
  Result<std::unique_ptr<FileLock>> lock(const std::string& path, std::string_view holder) override {
    return files_->lock(path, holder);
  }
  Result<std::uint64_t> free_bytes(const std::string& path) override { return files_->free_bytes(path); }

 private:
  void set(bool open) {
    {
      const std::lock_guard lock(mutex_);
      open_ = open;
    }
    moved_.notify_all();
  }
  const std::unique_ptr<FileSystem> files_ = make_posix_file_system();
  std::mutex mutex_;
  std::condition_variable moved_;
  bool open_ = true;
};

struct VectorIndex : ::testing::Test {
  static CollectionSpec spec(const std::string& name = "turns") {
    CollectionSpec spec;
    spec.name = name;
    spec.dimension = 16;
    spec.sparse = {"bm25"};
    spec.indexes = {{"kind", PayloadType::kKeyword}, {"number", PayloadType::kInteger}};
    return spec;
  }
  std::string path() const { return folder.path() + "/vectors.db"; }
  std::string index_path() const { return path() + "-index/turns"; }
  std::unique_ptr<SqliteVectorStore> open(VectorStoreOptions options = {.tail_points = 64, .least_at_end = 1}) {
    options.files = &files;
    auto store = SqliteVectorStore::open(path(), "", clock, options).value();
    EXPECT_TRUE(store->ensure_collection(spec(), kNever));
    return store;
  }
  void put(VectorStore& store, std::size_t first, std::size_t count, const std::string& collection = "turns") {
    std::vector<Point> points;
    for (std::size_t number = first; number < first + count; ++number) {
      Point point{.id = point_id("test", std::to_string(number)), .version = ++version};
      std::vector<float> vector;
      for (int i = 0; i < 16; ++i) vector.push_back(static_cast<float>(random() % 1000) / 500 - 1);
      point.dense[""] = vector;
      SparseVector words;
      for (std::uint32_t term = 0; term < 30; ++term)
        if (random() % 3 == 0)
          words.indices.push_back(term), words.values.push_back(static_cast<float>(random() % 9 + 1));
      point.sparse["bm25"] = words;
      point.payload = {{"user_id", std::string(random() % 2 ? "ana" : "bob")},
                       {"kind", std::string(1, static_cast<char>('a' + random() % 3))},
                       {"number", static_cast<std::int64_t>(random() % 100)},
                       {"topic", "topic " + std::to_string(number)}};
      points.push_back(std::move(point));
    }
    ASSERT_TRUE(store.upsert(collection, points, kSystem, kNever));
  }
  void remove(VectorStore& store, std::size_t number) {
    const Uuid id = point_id("test", std::to_string(number));
    ASSERT_EQ(store.remove("turns", {&id, 1}, kSystem, kNever), 1U);
  }
  using Answers = std::vector<std::vector<ScoredPoint>>;
  static Answers ask(VectorStore& store) {
    Answers answers;
    std::mt19937 asked(5);
    for (int i = 0; i < 10; ++i) {
      PointQuery query{.vector = "", .nearest = {}, .filter = {}, .limit = 20};
      std::vector<float> vector;
      for (int d = 0; d < 16; ++d) vector.push_back(static_cast<float>(asked() % 1000) / 500 - 1);
      query.nearest = vector;
      if (i % 2) query.filter.must.push_back({.field = "number", .from = std::int64_t{20}, .to = std::int64_t{70}});
      const Principal who = i % 3 ? Principal::of(*UserId::parse("ana")) : kSystem;
      answers.push_back(store.query("turns", query, who, kNever).value());
      query.vector = "bm25";
      const auto term = [&](std::uint32_t first) { return first + static_cast<std::uint32_t>(asked() % 10); };
      query.nearest = SparseVector{{term(0), term(10), term(20)}, {1, 2, 1}};
      answers.push_back(store.query("turns", query, who, kNever).value());
    }
    return answers;
  }
  // What a store gives that has read every row into memory.
  Answers expected() {
    const auto copy = folder.path() + "/copy.db";
    std::filesystem::remove(copy);
    {
      auto plain = SqliteVectorStore::open(path(), "", clock).value();
      EXPECT_TRUE(plain->snapshot("turns", copy, kNever));
    }
    return ask(*SqliteVectorStore::open(copy, "", clock).value());
  }
  static void same(const Answers& a, const Answers& b) {
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      ASSERT_EQ(a[i].size(), b[i].size()) << i;
      for (std::size_t j = 0; j < a[i].size(); ++j) {
        EXPECT_EQ(a[i][j].id, b[i][j].id);
        EXPECT_EQ(a[i][j].score, b[i][j].score);
        EXPECT_EQ(a[i][j].payload, b[i][j].payload);
      }
    }
  }
  std::vector<std::string> index_files() const {
    std::vector<std::string> names;
    if (std::filesystem::exists(index_path()))
      for (const auto& entry : std::filesystem::directory_iterator(index_path())) names.push_back(entry.path());
    std::ranges::sort(names);
    return names;
  }

  testing::TemporaryDirectory folder;
  GatedFiles files;
  const SystemClock clock;
  std::mt19937 random{31};
  std::int64_t version = 0;
};

TEST_F(VectorIndex, a_start_finds_everything_in_files_and_answers_as_if_it_had_read_the_rows) {
  {
    auto store = open();
    put(*store, 0, 500);
    ASSERT_TRUE(store->settle(kNever));
    put(*store, 300, 300);
    for (std::size_t number = 0; number < 600; number += 7) remove(*store, number);
  }
  ASSERT_GE(index_files().size(), 2U);
  auto store = open({.tail_points = 64, .least_at_end = 1, .fed_at_open = 0});
  EXPECT_EQ(store->unsearched("turns", kNever), 0);
  const Answers found = ask(*store);
  store.reset();
  same(found, expected());
}

TEST_F(VectorIndex, what_is_missing_is_fed_while_queries_go_on_and_it_is_said) {
  {
    auto store = open();
    put(*store, 0, 900);
  }
  std::filesystem::remove_all(path() + "-index");
  files.close_gate();  // the thread that feeds stands at its first file
  auto store = open({.tail_points = 64, .least_at_end = 1, .fed_at_open = 100});
  EXPECT_GT(store->unsearched("turns", kNever).value(), 0);
  EXPECT_FALSE(ask(*store).empty());
  EXPECT_EQ(store->count("turns", {}, kSystem, kNever), 900);  // whole all the while
  EXPECT_EQ(store->scroll("turns", {}, std::nullopt, 1'000, kSystem, kNever).value().size(), 900U);
  const Uuid last = point_id("test", "899");
  EXPECT_EQ(store->retrieve("turns", {&last, 1}, kSystem, kNever).value().size(), 1U);
  files.open_gate();
  put(*store, 850, 100);  // written before its turn has come
  remove(*store, 899);
  ASSERT_TRUE(store->settle(kNever));
  EXPECT_EQ(store->unsearched("turns", kNever), 0);
  const Answers found = ask(*store);
  store.reset();
  same(found, expected());
}

TEST_F(VectorIndex, few_that_are_missing_are_there_when_the_store_is_open) {
  {
    auto store = open({.tail_points = 10'000, .least_at_end = 10'000});
    put(*store, 0, 300);
  }
  ASSERT_TRUE(index_files().empty());
  files.close_gate();
  auto store = open({.tail_points = 10'000, .least_at_end = 10'000, .fed_at_open = 300});
  EXPECT_EQ(store->unsearched("turns", kNever), 0);
  const Answers found = ask(*store);
  files.open_gate();
  store.reset();
  same(found, expected());
}

TEST_F(VectorIndex, a_file_that_was_damaged_is_found_at_start_or_by_whoever_reads_it_and_made_anew) {
  const auto seed = static_cast<unsigned>(SystemRandom().below(1'000'000'000));
  std::cout << "seed " << seed << "\n";
  SCOPED_TRACE(seed);
  std::mt19937 anywhere(seed);
  {
    auto store = open();
    put(*store, 0, 700);
    ASSERT_TRUE(store->settle(kNever));
    put(*store, 700, 20);
  }
  const Answers all = expected();
  for (int round = 0; round < 30; ++round) {
    const auto names = index_files();
    ASSERT_GE(names.size(), 2U);
    const std::string& name = names[anywhere() % names.size()];
    const auto size = std::filesystem::file_size(name);
    const auto at = anywhere() % size;
    SCOPED_TRACE(name + " at " + std::to_string(at));
    if (round % 5 == 4) {
      std::filesystem::resize_file(name, at);
    } else {
      std::fstream file(name, std::ios::in | std::ios::out | std::ios::binary);
      file.seekg(static_cast<std::streamoff>(at));
      const char old = static_cast<char>(file.get());
      file.seekp(static_cast<std::streamoff>(at));
      file.put(static_cast<char>(~old));
    }
    auto store = open();
    (void)ask(*store);  // what it meets is let go of
    ASSERT_TRUE(store->settle(kNever));
    EXPECT_EQ(store->unsearched("turns", kNever), 0);
    const Answers found = ask(*store);
    ASSERT_TRUE(store->settle(kNever));
    same(ask(*store), all);
    if (HasFailure()) return;
    put(*store, 2'000, 1);  // so that there is something to write at the end
    remove(*store, 2'000);
  }
}

TEST_F(VectorIndex, a_collection_that_was_made_again_sees_nothing_of_the_files_of_the_one_before) {
  std::filesystem::path kept = folder.path() + "/kept";
  {
    auto store = open();
    put(*store, 0, 200);
    ASSERT_TRUE(store->settle(kNever));
    std::filesystem::copy(index_path(), kept, std::filesystem::copy_options::recursive);
    ASSERT_TRUE(store->drop_collection("turns", kNever));
    EXPECT_TRUE(index_files().empty());
    ASSERT_TRUE(store->ensure_collection(spec(), kNever));
    put(*store, 500, 3);
  }
  std::filesystem::remove_all(index_path());
  std::filesystem::copy(kept, index_path(),
                        std::filesystem::copy_options::recursive);  // as a crash would have left them
  auto store = open();
  EXPECT_EQ(store->count("turns", {}, kSystem, kNever), 3);
  for (const auto& answer : ask(*store)) EXPECT_LE(answer.size(), 3U);
}

TEST_F(VectorIndex, a_collection_whose_files_could_not_be_begun_is_made_when_they_can) {
  auto store = open();
  files.removes = false;
  EXPECT_EQ(store->ensure_collection(spec("other"), kNever).error().code, ErrorCode::kUnavailable);
  files.removes = true;
  ASSERT_TRUE(store->ensure_collection(spec("other"), kNever));
  put(*store, 0, 10, "other");
  store.reset();
  store = open();
  EXPECT_EQ(store->collections(kNever).value().size(), 2U);
  EXPECT_EQ(store->unsearched("other", kNever), 0);
}

TEST_F(VectorIndex, files_of_a_collection_that_is_gone_go_at_the_next_start) {
  {
    auto store = open();
    put(*store, 0, 200);
  }
  std::filesystem::create_directories(path() + "-index/strange");
  open();
  EXPECT_FALSE(std::filesystem::exists(path() + "-index/strange"));
  EXPECT_TRUE(std::filesystem::exists(index_path()));
}

TEST_F(VectorIndex, a_copy_has_an_epoch_of_its_own_so_files_of_the_original_are_not_believed) {
  const std::string copy = folder.path() + "/copy.db";
  {
    auto store = open();
    put(*store, 0, 200);
    ASSERT_TRUE(store->snapshot("turns", copy, kNever));
    put(*store, 0, 200);
  }
  std::filesystem::remove(path());
  std::filesystem::rename(copy, path());  // a restore
  auto store = open();
  const Answers found = ask(*store);
  store.reset();
  same(found, expected());
}

TEST_F(VectorIndex, rows_in_the_order_of_ids_as_earlier_programs_kept_them_are_moved_and_found) {
  {
    auto store = open();
    put(*store, 0, 300);
    put(*store, 100, 50);
    remove(*store, 7);
  }
  const Answers before = expected();
  {
    const auto connection = Connection::open(path(), "").value();
    ASSERT_TRUE(connection->script(
        "CREATE TABLE by_id (collection TEXT NOT NULL REFERENCES collections (name) ON DELETE CASCADE,"
        " id BLOB NOT NULL CHECK (length(id) = 16), version INTEGER NOT NULL,"
        " payload TEXT NOT NULL CHECK (json_valid(payload)), vectors BLOB NOT NULL, seq INTEGER NOT NULL DEFAULT 0,"
        " PRIMARY KEY (collection, id)) STRICT, WITHOUT ROWID;"
        "INSERT INTO by_id SELECT collection, id, version, payload, vectors, seq FROM points;"
        "DROP TABLE points; ALTER TABLE by_id RENAME TO points; CREATE INDEX points_by_seq ON points (collection, seq);"
        "DELETE FROM schema_migrations WHERE version = 3;"));
  }
  std::filesystem::remove_all(path() + "-index");
  auto store = open();
  same(ask(*store), before);
  put(*store, 100, 1);  // an update of one that was moved
  EXPECT_EQ(store->count("turns", {}, kSystem, kNever), 299);
  const Answers found = ask(*store);
  store.reset();
  same(found, expected());
}

TEST_F(VectorIndex, many_that_write_at_once_leave_an_index_that_is_as_its_rows) {
  constexpr std::size_t kWriters = 8, kCalls = 20, kEach = 15;
  const auto point = [](std::size_t number, std::int64_t of_version, std::mt19937& chance) {
    Point one{.id = point_id("test", std::to_string(number)), .version = of_version};
    std::vector<float> vector;
    for (int i = 0; i < 16; ++i) vector.push_back(static_cast<float>(chance() % 1000) / 500 - 1);
    one.dense[""] = vector;
    one.sparse["bm25"] = {{static_cast<std::uint32_t>(chance() % 30)}, {1}};
    one.payload = {{"user_id", std::string("ana")}, {"number", static_cast<std::int64_t>(number)}};
    return one;
  };
  Answers found;
  {
    auto store = open();
    std::vector<std::thread> writers;
    for (std::size_t writer = 0; writer < kWriters; ++writer)
      writers.emplace_back([&, writer] {
        std::mt19937 chance(static_cast<unsigned>(writer));
        for (std::size_t call = 1; call <= kCalls; ++call) {
          std::vector<Point> points;  // two writers share each: the newer one holds, whoever is first
          for (std::size_t i = 0; i < kEach; ++i)
            points.push_back(
                point(writer / 2 * 1'000 + call * kEach + i, static_cast<std::int64_t>(writer + 1), chance));
          EXPECT_TRUE(store->upsert("turns", points, kSystem, kNever));
          for (const Point& one : points) {
            PointQuery query{.vector = "", .nearest = one.dense.at(""), .filter = {}, .limit = 3};
            EXPECT_TRUE(store->query("turns", query, kSystem, kNever));
          }
          const Uuid gone = points[call % kEach].id;
          EXPECT_TRUE(store->remove("turns", {&gone, 1}, kSystem, kNever));
        }
      });
    for (auto& writer : writers) writer.join();
    found = ask(*store);
  }
  same(found, expected());
  auto store = open();  // from files, and the rows that these lack
  EXPECT_EQ(store->unsearched("turns", kNever), 0);
  const Answers again = ask(*store);
  store.reset();
  same(again, found);
}

TEST_F(VectorIndex, a_collection_that_is_dropped_and_made_at_once_keeps_files_of_its_own) {
  {
    auto store = open({.tail_points = 8, .least_at_end = 1});
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread)
      threads.emplace_back([&, thread] {
        for (int i = 0; i < 30; ++i) {
          if (thread == 0) {
            EXPECT_TRUE(store->drop_collection("turns", kNever));
          } else if (thread == 1) {
            EXPECT_TRUE(store->ensure_collection(spec(), kNever));
          } else {
            std::vector<Point> points(10);
            for (auto& point : points) point = {.id = point_id("test", std::to_string(thread * 100 + i)), .version = 1};
            const auto written = store->upsert("turns", points, kSystem, kNever);
            EXPECT_TRUE(written || written.error().code == ErrorCode::kNotFound) << written.error().to_line();
          }
        }
      });
    for (auto& thread : threads) thread.join();
    ASSERT_TRUE(store->ensure_collection(spec(), kNever));
    put(*store, 0, 100);
    ASSERT_TRUE(store->settle(kNever));
  }
  auto store = open();
  EXPECT_EQ(store->unsearched("turns", kNever), 0);
  const Answers found = ask(*store);
  store.reset();
  same(found, expected());
}

TEST(VectorsOnAFullDisk, points_of_a_commit_that_fails_are_not_there_and_later_ones_are) {
  const ManualClock clock;
  testing::FaultFileSystem files;
  testing::SqliteFaultVfs vfs{files, "points-vfs"};
  const auto store = SqliteVectorStore::open("/vectors.db", vfs.name(), clock).value();
  ASSERT_TRUE(store->ensure_collection(VectorIndex::spec(), kNever));
  std::int64_t there = 0;
  int refused = 0;
  const auto put = [&](int number) {
    Point point{.id = point_id("test", std::to_string(number)), .version = 1};
    point.payload["topic"] = std::string(9'000, 'x');
    return store->upsert("turns", {&point, 1}, kSystem, kNever);
  };
  for (int i = 0; i < 40; ++i) {
    SCOPED_TRACE(i);
    files.limit_bytes(static_cast<std::uint64_t>(i) * 2'000);
    if (const auto written = put(2 * i)) {
      ++there;
    } else {
      ++refused;
      EXPECT_EQ(written.error().code, ErrorCode::kStorageFull) << written.error().to_line();
    }
    EXPECT_EQ(store->count("turns", {}, kSystem, kNever), there);
    files.limit_bytes(std::nullopt);
    ASSERT_TRUE(put(2 * i + 1));
    EXPECT_EQ(store->count("turns", {}, kSystem, kNever), ++there);
  }
  EXPECT_GT(refused, 0);
  EXPECT_LT(refused, 40);
}

TEST_F(VectorIndex, after_a_purge_no_word_of_what_was_removed_is_in_a_file) {
  auto store = open();
  put(*store, 0, 300);
  ASSERT_TRUE(store->settle(kNever));
  const auto all = [&] {
    std::string bytes;
    for (const auto& name : index_files()) bytes += make_posix_file_system()->read_file(name, 1U << 30).value();
    return bytes;
  };
  ASSERT_NE(all().find("topic 123"), std::string::npos);
  remove(*store, 123);
  ASSERT_TRUE(store->purge(kNever));
  EXPECT_EQ(all().find("topic 123"), std::string::npos);
  EXPECT_NE(all().find("topic 124"), std::string::npos);
}

TEST_F(VectorIndex, a_large_database_is_checked_after_the_start_and_then_every_call_says_what_was_found) {
  {
    auto store = open();
    for (int i = 0; i < 80; ++i) {
      Point point{.id = point_id("large", std::to_string(i)), .version = 1};
      point.payload["topic"] = std::string(1'000'000, 'x');
      ASSERT_TRUE(store->upsert("turns", {&point, 1}, kSystem, kNever));
    }
  }
  ASSERT_GT(std::filesystem::file_size(path()), static_cast<std::uintmax_t>(kCheckedAtOpenBytes));
  {
    auto store = open();
    ASSERT_TRUE(store->settle(kNever));
    EXPECT_TRUE(store->count("turns", {}, kSystem, kNever));
  }
  {
    std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(40 << 20);
    file << std::string(1 << 20, '\x5A');
  }
  {
    auto store = open();
    ASSERT_TRUE(store->settle(kNever));
    const auto counted = store->count("turns", {}, kSystem, kNever);
    ASSERT_FALSE(counted);
    EXPECT_EQ(counted.error().code, ErrorCode::kDataCorrupt);
    EXPECT_FALSE(counted.error().remedy.empty());
  }
  const auto refused = SqliteVectorStore::open(path(), "", clock, {.every_row = true});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kDataCorrupt);
}

}  // namespace
}  // namespace pandora
