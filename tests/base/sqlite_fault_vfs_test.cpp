#include "support/sqlite_fault_vfs.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

namespace pandora::testing {
namespace {

class Database {
 public:
  Database(const SqliteFaultVfs& vfs, const std::string& synchronous) {
    ok_ = sqlite3_open_v2("/db", &db_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs.name()) == SQLITE_OK &&
          run("PRAGMA journal_mode=WAL") && run("PRAGMA synchronous=" + synchronous);
  }
  ~Database() { sqlite3_close(db_); }
  bool ok() const { return ok_; }
  bool run(const std::string& sql) { return sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK; }
  std::string text(const std::string& sql) {
    std::string result;
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(db_, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) return sqlite3_errmsg(db_);
    if (sqlite3_step(statement) == SQLITE_ROW)
      result = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    return result;
  }

 private:
  sqlite3* db_ = nullptr;
  bool ok_ = false;
};

struct Outcome {
  int committed = 0;
  std::string integrity;
  int found = 0;
};

// Commits rows until the machine dies at a random point, then looks at what is left.
Outcome crash_once(std::uint64_t seed, const std::string& synchronous) {
  SeededRandom random(seed);
  FaultFileSystem files;
  SqliteFaultVfs vfs(files, "fault-vfs");
  {
    Database setup(vfs, "FULL");
    EXPECT_TRUE(setup.ok() && setup.run("CREATE TABLE t(id INTEGER PRIMARY KEY, body TEXT)"));
    EXPECT_TRUE(files.sync_directory("/"));
  }
  Outcome outcome;
  {
    Database db(vfs, synchronous);
    EXPECT_TRUE(db.ok() && db.run("PRAGMA wal_autocheckpoint=8") && files.sync_directory("/"));
    files.die_after(random.below(120));
    while (db.run("INSERT INTO t(body) VALUES (hex(randomblob(1500)))")) ++outcome.committed;
  }
  files.crash(random);
  vfs.forget();
  Database db(vfs, "FULL");
  outcome.integrity = db.text("PRAGMA integrity_check");
  outcome.found = std::atoi(db.text("SELECT count(*) FROM t WHERE length(body) = 3000").c_str());
  return outcome;
}

TEST(SqliteFaultVfs, EveryCommittedRowSurvivesWithSynchronousFull) {
  int rows = 0;
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    SCOPED_TRACE(seed);
    const Outcome outcome = crash_once(seed, "FULL");
    ASSERT_EQ(outcome.integrity, "ok");
    ASSERT_GE(outcome.found, outcome.committed);
    ASSERT_LE(outcome.found, outcome.committed + 1);  // the one that was being committed
    rows += outcome.committed;
  }
  EXPECT_GT(rows, 1000);
}

// The canary: were the shim a disk that remembers, nothing would be lost here either.
TEST(SqliteFaultVfs, RowsAreLostWithoutSynchronous) {
  int lossy = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const Outcome outcome = crash_once(seed, "OFF");
    lossy += outcome.integrity != "ok" || outcome.found < outcome.committed;
  }
  EXPECT_GT(lossy, 0);
}

TEST(SqliteFaultVfs, TwoConnectionsSeeEachOthersCommitsAndExcludeEachOthersWrites) {
  FaultFileSystem files;
  SqliteFaultVfs vfs(files, "fault-vfs");
  Database first(vfs, "FULL"), second(vfs, "FULL");
  ASSERT_TRUE(first.ok() && second.ok() && first.run("CREATE TABLE t(id)"));
  EXPECT_TRUE(first.run("BEGIN IMMEDIATE; INSERT INTO t VALUES (1)"));
  EXPECT_FALSE(second.run("BEGIN IMMEDIATE"));
  EXPECT_EQ(second.text("SELECT count(*) FROM t"), "0");
  EXPECT_TRUE(first.run("COMMIT"));
  EXPECT_EQ(second.text("SELECT count(*) FROM t"), "1");
}

}  // namespace
}  // namespace pandora::testing
