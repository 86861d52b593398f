// The pragmas in force, and docs/schema.md beside what is there.
#include <filesystem>
#include <fstream>
#include <map>

#include <gtest/gtest.h>

#include "sqlite/database.h"
#include "support/sqlite_fault_vfs.h"

namespace pandora {
namespace {

using testing::FaultFileSystem;
using testing::SqliteFaultVfs;
const Deadline kNever = Deadline::never();

struct Schema : ::testing::Test {
  std::unique_ptr<SqliteDatabase> open(const std::string& schema) {
    return SqliteDatabase::open("/" + schema, schema, vfs.name(), clock).value();
  }
  static Result<std::string> text(Connection& connection, const std::string& sql) {
    PANDORA_TRY(row, connection.query(sql));
    PANDORA_TRY(there, row.next());
    return there ? std::string(row.text(0)) : std::string("nothing");
  }
  const ManualClock clock;
  FaultFileSystem files;
  SqliteFaultVfs vfs{files, "schema-vfs"};
};

TEST_F(Schema, WriterAndReadersSyncFullyAndOverwriteWhatIsRemoved) {
  const auto database = open("sqlite");
  const std::map<std::string, std::string> expected = {{"journal_mode", "wal"},
                                                       {"synchronous", "2"},
                                                       {"foreign_keys", "1"},
                                                       {"secure_delete", "1"},
                                                       {"cell_size_check", "1"}};
  for (const auto& [pragma, value] : expected) {
    const auto ask = [&, name = pragma](Connection& connection) { return text(connection, "PRAGMA " + name); };
    EXPECT_EQ(database->read(ask, kNever).value(), value) << pragma;
    EXPECT_EQ(database->write_for(ask, kNever).value(), value) << pragma;
  }
}

TEST_F(Schema, EveryTableIsStrict) {
  for (const char* schema : {"sqlite", "vectors"})
    EXPECT_EQ(open(schema)
                  ->read(
                      [](Connection& connection) {
                        return text(
                            connection,
                            "SELECT coalesce(group_concat(name), 'none') FROM pragma_table_list"
                            " WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%' AND strict = 0");
                      },
                      kNever)
                  .value(),
              "none");
}

// table → column → is it generated?
using Tables = std::map<std::string, std::map<std::string, bool>>;

Result<Tables> tables_of(Connection& connection) {
  Tables tables;
  PANDORA_TRY(rows,
              connection.query("SELECT t.name, c.name, c.hidden FROM pragma_table_list t, pragma_table_xinfo(t.name) c"
                               " WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite_%'"));
  for (;;) {
    PANDORA_TRY(more, rows.next());
    if (!more) return tables;
    tables[std::string(rows.text(0))][std::string(rows.text(1))] = rows.integer(2) != 0;
  }
}

Tables tables_of_page(const std::string& path) {
  Tables tables;
  std::ifstream page(path);
  std::string line, table;
  while (std::getline(page, line)) {
    const auto quoted = [&](std::size_t at) { return line.substr(at, line.find('`', at) - at); };
    if (line.starts_with("### `")) table = quoted(5), tables[table];
    if (line.starts_with("| `")) tables[table][quoted(3)] = line.find("| generated") != std::string::npos;
  }
  return tables;
}

TEST_F(Schema, ThePageNamesEveryTableAndColumnAndNoOther) {
  Tables expected = open("sqlite")->read(tables_of, kNever).value();
  expected.merge(open("vectors")->read(tables_of, kNever).value());
  const Tables page = tables_of_page(std::string(PANDORA_DOCS) + "/schema.md");
  EXPECT_GT(expected.size(), 10U);
  for (const auto& [table, columns] : expected) {
    ASSERT_TRUE(page.contains(table)) << table;
    EXPECT_EQ(page.at(table), columns) << table;
  }
  EXPECT_EQ(page.size(), expected.size());
}

}  // namespace
}  // namespace pandora
