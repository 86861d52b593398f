// Another program's file, read as it stood at one moment, while that program goes on.
#include "sqlite/snapshot.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "support/temporary_directory.h"

namespace pandora {
namespace {

// The program whose file it is: it waits for nobody.
class Program {
 public:
  explicit Program(const std::string& path) { EXPECT_EQ(sqlite3_open(path.c_str(), &handle_), SQLITE_OK); }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program() { sqlite3_close(handle_); }
  int run(const std::string& sql) { return sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr); }

 private:
  sqlite3* handle_ = nullptr;
};

struct SqliteSnapshotTest : ::testing::Test {
  std::vector<SqliteRow> rows(SqliteSnapshot& snapshot) {
    std::vector<SqliteRow> all;
    EXPECT_TRUE(snapshot.rows("turns", {}, [&](const SqliteRow& row) { return all.push_back(row), Status(); }));
    return all;
  }
  testing::TemporaryDirectory folder;
  const std::string path = folder.path() + "/turns.db";
};

TEST_F(SqliteSnapshotTest, GeneratedColumnsAreAmongTheNamesAsTheyAreAmongTheValues) {
  Program program(path);
  ASSERT_EQ(program.run("CREATE TABLE turns (number, day AS (number || 'x'), text, stored AS (text || 'y') STORED);"
                        "INSERT INTO turns (number, text) VALUES (1, 'one')"),
            SQLITE_OK);
  const auto snapshot = SqliteSnapshot::open(path, folder.path());
  ASSERT_TRUE(snapshot) << snapshot.error().to_line();
  EXPECT_EQ((*snapshot)->columns("turns").value(), (std::vector<std::string>{"number", "day", "text", "stored"}));
  EXPECT_EQ((*snapshot)->columns("nothing").value(), std::vector<std::string>());
  EXPECT_EQ(rows(**snapshot), std::vector<SqliteRow>({{std::int64_t{1}, "1x", "one", "oney"}}));
}

// SQLite's own choice, which a program has unless it asks for a log.
TEST_F(SqliteSnapshotTest, AProgramWithoutALogGoesOnCommittingWhileItsFileIsRead) {
  Program program(path);
  ASSERT_EQ(program.run("PRAGMA journal_mode = DELETE; CREATE TABLE turns (number); INSERT INTO turns VALUES (1)"),
            SQLITE_OK);
  {
    const auto snapshot = SqliteSnapshot::open(path, folder.path());
    ASSERT_TRUE(snapshot) << snapshot.error().to_line();
    EXPECT_EQ(program.run("INSERT INTO turns VALUES (2)"), SQLITE_OK);
    bool wrote = false;
    ASSERT_TRUE((*snapshot)->rows("turns", {}, [&](const SqliteRow&) {
      wrote = program.run("INSERT INTO turns VALUES (3)") == SQLITE_OK;
      return Status();
    }));
    EXPECT_TRUE(wrote);
    EXPECT_EQ(rows(**snapshot), std::vector<SqliteRow>({{std::int64_t{1}}})) << "as it stood at one moment";
    EXPECT_TRUE((*snapshot)->is_copy());
  }
  const auto later = SqliteSnapshot::open(path, folder.path());
  ASSERT_TRUE(later);
  EXPECT_EQ(rows(**later).size(), 3u);
}

TEST_F(SqliteSnapshotTest, ItsCopyGoesWithIt) {
  Program program(path);
  ASSERT_EQ(program.run("CREATE TABLE turns (number)"), SQLITE_OK);
  ASSERT_TRUE(SqliteSnapshot::open(path, folder.path()));
  int left = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) left += entry.is_directory() ? 1 : 0;
  EXPECT_EQ(left, 0);
}

TEST_F(SqliteSnapshotTest, AnEmptyFileHasNoTables) {
  ASSERT_TRUE(std::ofstream(path));
  const auto snapshot = SqliteSnapshot::open(path, folder.path());
  ASSERT_TRUE(snapshot) << snapshot.error().to_line();
  EXPECT_TRUE((*snapshot)->columns("turns")->empty());
}

}  // namespace
}  // namespace pandora
