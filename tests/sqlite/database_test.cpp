// The writer thread and the readers' snapshots.
#include "sqlite/database.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <latch>

#include <gtest/gtest.h>

#include "support/sqlite_fault_vfs.h"
#include "support/temporary_directory.h"

namespace pandora {
namespace {

using testing::FaultFileSystem;
using testing::SqliteFaultVfs;
const Deadline kNever = Deadline::never();

Status put(Connection& connection, const std::string& name) {
  return connection.run("INSERT INTO instance VALUES (?, 'v')", name);
}
Result<std::int64_t> count(Connection& connection) {
  PANDORA_TRY(row, connection.query("SELECT count(*) FROM instance"));
  PANDORA_CHECK(row.next());
  return row.integer(0);
}

// A database whose writer can be held, so that jobs wait for it.
struct SqliteDatabaseTest : ::testing::Test {
  void SetUp() override { database = SqliteDatabase::open("/db", "sqlite", vfs.name(), clock).value(); }

  // Runs `job` on a thread of its own; its outcome goes into `result`.
  void start(Status& result, SqliteDatabase::Job job, Deadline deadline = kNever) {
    threads.emplace_back([this, &result, job = std::move(job), deadline] { result = database->write(job, deadline); });
  }
  void hold_writer() {
    start(held, [this](Connection&) {
      entered.count_down();
      free.wait();
      return Status();
    });
    entered.wait();
  }
  void wait_for_jobs(std::size_t jobs) {
    while (database->waiting() < jobs) std::this_thread::yield();
  }
  void let_go() {
    free.count_down();
    for (auto& thread : threads) thread.join();
    threads.clear();
    EXPECT_TRUE(held);
  }
  std::int64_t seen_by_readers() { return database->read(count, kNever).value(); }

  const ManualClock clock;
  FaultFileSystem files;
  SqliteFaultVfs vfs{files, "writer-vfs"};
  std::unique_ptr<SqliteDatabase> database;
  std::latch entered{1}, free{1};
  Status held;
  std::vector<std::thread> threads;
};

TEST_F(SqliteDatabaseTest, JobsThatWaitAreOfOneTransactionUpToItsMaximum) {
  hold_writer();
  constexpr std::size_t kJobs = kMaxBatchedWrites + 1;
  std::vector<Status> results(kJobs);
  std::vector<std::int64_t> by_readers(kJobs), by_writer(kJobs);
  for (std::size_t i = 0; i < kJobs; ++i)
    start(results[i], [&, i](Connection& connection) -> Status {
      PANDORA_CHECK(put(connection, "job" + std::to_string(i)));
      by_readers[i] = seen_by_readers();
      PANDORA_TRY(rows, count(connection));
      by_writer[i] = rows;
      return {};
    });
  wait_for_jobs(kJobs);
  let_go();
  for (const auto& result : results) EXPECT_TRUE(result);
  std::ranges::sort(by_writer);
  for (std::size_t i = 0; i < kJobs; ++i) EXPECT_EQ(by_writer[i], static_cast<std::int64_t>(i + 1));
  // Nobody sees a row of a transaction before its end, and only the one job too many had another.
  EXPECT_EQ(std::ranges::count(by_readers, 0), static_cast<std::ptrdiff_t>(kMaxBatchedWrites));
  EXPECT_EQ(std::ranges::count(by_readers, static_cast<std::int64_t>(kMaxBatchedWrites)), 1);
  EXPECT_EQ(seen_by_readers(), static_cast<std::int64_t>(kJobs));
}

TEST_F(SqliteDatabaseTest, AJobThatFailsIsRolledBackAloneAndTellsItsOwnCaller) {
  hold_writer();
  std::vector<Status> results(5);
  start(results[0], [](Connection& connection) { return put(connection, "good"); });
  start(results[1], [](Connection& connection) -> Status {
    PANDORA_CHECK(put(connection, "undone"));
    return fail(ErrorCode::kNotFound, "it thought better of it");
  });
  start(results[2], [](Connection& connection) -> Status {
    PANDORA_CHECK(put(connection, "twice"));
    return put(connection, "twice");
  });
  start(results[3],
        [](Connection& connection) { return connection.run("INSERT INTO instance VALUES ('null', NULL)"); });
  start(results[4], [](Connection& connection) { return put(connection, "also good"); });
  wait_for_jobs(5);
  let_go();
  EXPECT_TRUE(results[0]);
  EXPECT_EQ(results[1].error().code, ErrorCode::kNotFound);
  EXPECT_EQ(results[2].error().code, ErrorCode::kConflict);
  EXPECT_EQ(results[3].error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(results[4]);
  const auto names = database->read(
      [](Connection& connection) -> Result<std::string> {
        PANDORA_TRY(row,
                    connection.query("SELECT group_concat(name, ',') FROM (SELECT name FROM instance ORDER BY 1)"));
        PANDORA_CHECK(row.next());
        return std::string(row.text(0));
      },
      kNever);
  EXPECT_EQ(names.value(), "also good,good");
}

TEST_F(SqliteDatabaseTest, TheQueueEndsAtItsMaximum) {
  hold_writer();
  std::vector<Status> results(kMaxQueuedWrites);
  for (auto& result : results) start(result, [](Connection&) { return Status(); });
  wait_for_jobs(kMaxQueuedWrites);
  const Status one_more = database->write([](Connection&) { return Status(); }, kNever);
  ASSERT_FALSE(one_more);
  EXPECT_EQ(one_more.error().code, ErrorCode::kResourceExhausted);
  let_go();
  for (const auto& result : results) EXPECT_TRUE(result);
  EXPECT_TRUE(database->write([](Connection&) { return Status(); }, kNever));
}

TEST_F(SqliteDatabaseTest, AJobWhoseDeadlinePassesWhileItWaitsDoesNotRun) {
  ManualClock steady;
  hold_writer();
  Status late, in_time;
  const auto insert = [](Connection& connection) { return put(connection, "late"); };
  start(late, insert, Deadline::after(steady, std::chrono::seconds(1)));
  start(in_time, [](Connection&) { return Status(); }, Deadline::after(steady, std::chrono::seconds(3)));
  wait_for_jobs(2);
  steady.advance(std::chrono::seconds(1));
  let_go();
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_TRUE(in_time);
  EXPECT_EQ(seen_by_readers(), 0);
}

TEST_F(SqliteDatabaseTest, TheEndWaitsForTheJobThatRuns) {
  hold_writer();
  std::thread end([this] { database.reset(); });
  let_go();
  end.join();
  EXPECT_TRUE(held);
}

TEST_F(SqliteDatabaseTest, AReadSeesOneSnapshotWhateverIsWrittenMeanwhile) {
  const auto counts = database->read(
      [&](Connection& connection) -> Result<std::vector<std::int64_t>> {
        PANDORA_TRY(before, count(connection));
        PANDORA_CHECK(database->write([](Connection& writer) { return put(writer, "meanwhile"); }, kNever));
        PANDORA_TRY(after, count(connection));
        return std::vector{before, after, seen_by_readers()};
      },
      kNever);
  EXPECT_EQ(counts.value(), (std::vector<std::int64_t>{0, 0, 1}));
  EXPECT_EQ(seen_by_readers(), 1) << "the next read begins anew";
}

TEST_F(SqliteDatabaseTest, AReadThatWouldNotEndIsStoppedByItsDeadline) {
  const auto endless = [](Connection& connection) -> Result<std::int64_t> {
    PANDORA_TRY(
        row, connection.query("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"));
    PANDORA_CHECK(row.next());
    return row.integer(0);
  };
  const SystemClock system;
  const auto stopped = database->read(endless, Deadline::after(system, std::chrono::milliseconds(5)));
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(seen_by_readers(), 0) << "the connection serves the next one";
}

TEST_F(SqliteDatabaseTest, ReadersAtOnceAllGetAConnection) {
  std::latch all_in{kMaxReaders + 1};
  std::vector<std::int64_t> counts(kMaxReaders + 1, -1);
  std::vector<std::thread> readers;
  for (auto& mine : counts)
    readers.emplace_back([&] {
      mine = database
                 ->read(
                     [&](Connection& connection) {
                       all_in.arrive_and_wait();
                       return count(connection);
                     },
                     kNever)
                 .value();
    });
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(counts, std::vector<std::int64_t>(counts.size(), 0));
}

// A file on a real disk, of a given size, in the middle of which a page can be spoilt that no other call reads.
struct LargeSqliteFile : ::testing::Test {
  static constexpr std::int64_t kPage = 4'096;
  std::string path() const { return folder.path() + "/large.db"; }
  Result<std::unique_ptr<SqliteDatabase>> open(IntegrityCheck check) const {
    return SqliteDatabase::open(path(), "sqlite", "", clock, check);
  }
  static Result<std::int64_t> bytes(Connection& connection) {
    PANDORA_TRY(row, connection.query("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"));
    PANDORA_CHECK(row.next());
    return row.integer(0);
  }
  void grow_to(std::int64_t wanted) const {
    const auto database = open(IntegrityCheck::kAtOpen).value();
    const auto run = [&](const std::string& sql, auto... values) {
      return database->write([&](Connection& connection) { return connection.run(sql, values...); }, kNever);
    };
    ASSERT_TRUE(run("CREATE TABLE large (bytes BLOB) STRICT"));
    ASSERT_TRUE(run("INSERT INTO large VALUES (zeroblob(?))", wanted * 99 / 100));
    while (database->read(bytes, kNever).value() < wanted)
      ASSERT_TRUE(run("INSERT INTO large VALUES (zeroblob(4000))"));
    ASSERT_TRUE(database->checkpoint(kNever));
  }
  void spoil() const {
    std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(std::filesystem::file_size(path()) / 2 / kPage * kPage));
    file << std::string(kPage, '\x5A');
  }
  static Status touch(SqliteDatabase& database) {
    return database.write([](Connection& connection) { return connection.run("DELETE FROM turns"); }, kNever);
  }

  const ManualClock clock;
  const testing::TemporaryDirectory folder;
};

TEST_F(LargeSqliteFile, what_a_check_beside_other_work_finds_fails_every_call_from_then_on) {
  grow_to(kCheckedAtOpenBytes + kPage);
  ASSERT_GT(static_cast<std::int64_t>(std::filesystem::file_size(path())), kCheckedAtOpenBytes);
  {
    const auto whole = open(IntegrityCheck::kBesideWhenLarge).value();
    while (!whole->checked()) std::this_thread::yield();
    EXPECT_TRUE(whole->fault());
    EXPECT_TRUE(touch(*whole));
  }
  spoil();
  const auto database = open(IntegrityCheck::kBesideWhenLarge).value();
  while (!database->checked()) std::this_thread::yield();
  for (const Status& refused :
       {database->fault(), touch(*database), database->copy_to(folder.path() + "/copy.db", kNever),
        database->read([](Connection& connection) { return bytes(connection).map([](auto&&) {}); }, kNever)}) {
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kDataCorrupt);
    EXPECT_EQ(refused.error().remedy, kDamagedRemedy);
  }
  EXPECT_EQ(open(IntegrityCheck::kAtOpen).error().code, ErrorCode::kDataCorrupt);
}

TEST_F(LargeSqliteFile, an_end_waits_for_no_check_and_takes_none_that_was_broken_off_for_damage) {
  grow_to(kCheckedAtOpenBytes + kPage);
  for (int i = 0; i < 20; ++i) {
    const auto database = open(IntegrityCheck::kBesideWhenLarge).value();
    EXPECT_TRUE(touch(*database));
  }
}

TEST_F(LargeSqliteFile, one_of_no_more_than_the_bound_is_checked_before_it_is_used) {
  grow_to(kCheckedAtOpenBytes);
  ASSERT_EQ(static_cast<std::int64_t>(std::filesystem::file_size(path())), kCheckedAtOpenBytes);
  spoil();
  EXPECT_EQ(open(IntegrityCheck::kBesideWhenLarge).error().code, ErrorCode::kDataCorrupt);
}

TEST_F(LargeSqliteFile, one_whose_schema_changes_is_checked_before) {
  grow_to(kCheckedAtOpenBytes + kPage);
  {
    const auto database = open(IntegrityCheck::kAtOpen).value();
    ASSERT_TRUE(database->write(
        [](Connection& connection) {
          return connection.run(
              "DELETE FROM schema_migrations WHERE version = (SELECT max(version) FROM schema_migrations)");
        },
        kNever));
  }
  spoil();
  EXPECT_EQ(open(IntegrityCheck::kBesideWhenLarge).error().code, ErrorCode::kDataCorrupt);
}

}  // namespace
}  // namespace pandora
