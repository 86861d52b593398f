// Rows of the three SQLite files as lines of an export (service/exchange.h), or why they are none. What each column
// becomes: docs/import.md.
//
// Ids come from what the row says of itself (number or id, session, time), under the user who imports: the same row is
// the same thing at every import, and begins with its time as every id does.
#pragma once
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/folder_reader.h"
#include "base/ids.h"
#include "legacy/legacy_values.h"

namespace pandora {

struct LegacyTable {
  std::string name, file;  // "turns", "turn_index.db"
  std::string key;         // in whose order its rows are read
  std::vector<std::string> required, known;
};
// turns, research, sources: in the order in which they must come.
const std::vector<LegacyTable>& legacy_tables();

struct LegacyOutcome {
  std::string id;                    // what it will be kept under: a uuid, a domain; empty when it is refused
  std::string line;                  // of an export
  std::optional<ColumnFault> fault;  // why it is none
  std::vector<ColumnFault> notes;    // values that are not taken; the row is
  bool naive_time = false;
};

class LegacyRows {
 public:
  // `documents`: the folder that has turns/<turn_dir>/ beside the databases.
  LegacyRows(UserId user, std::string documents, Duration zone)
      : user_(std::move(user)), documents_(std::move(documents)), zone_(zone) {}

  LegacyOutcome convert(const LegacyTable& table, const std::vector<std::string>& columns, const SqliteRow& row);
  // Before a table is read again.
  void begin(const LegacyTable& table);

 private:
  struct Said {
    Uuid uid;
    SessionId session;
  };
  void turn(LegacyValues& values, LegacyOutcome& outcome);
  void research(LegacyValues& values, LegacyOutcome& outcome);
  void source(LegacyValues& values, LegacyOutcome& outcome);
  SessionId session_of(LegacyValues& values);
  // "": there is none, or it cannot be used, which is noted.
  std::string document(LegacyValues& values, const std::string& column, const std::string& path);
  Uuid id_of(LegacyValues& values, const std::string& table, const std::vector<std::string>& columns, Timestamp at);

  const UserId user_;
  const FolderReader documents_;
  const Duration zone_;
  std::unordered_map<std::int64_t, Said> turns_;       // by number, for research
  std::unordered_map<std::string, std::int64_t> ids_;  // of this table so far, and which row it was
  std::int64_t row_ = 0;
};

// What both sides must agree on, of a line of an export: everything that a row said. "" for what is no such line.
std::string canonical_form(const std::string& line);

}  // namespace pandora
