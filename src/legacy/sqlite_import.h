// `pandora import sqlite`: the three SQLite files of before Pandora, through the Service façade into whatever store is
// configured.
//
// Each file is one snapshot (sqlite/snapshot.h) and is never changed. Every row is either kept, known already, known
// and different, forgotten here, or in the quarantine with its reason: these add up to the rows of its table. Then both
// sides are read again, and what the store gives back is compared with what the file says, row by row and as a hash of
// all. Ended in the middle, killed too, it is simply run again.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "service/service.h"
#include "wire/json_reader.h"

namespace pandora {

struct SqliteImportOptions {
  std::vector<std::string> paths;  // a folder that has the files, or files; each is known by its table
  UserId user;
  bool dry_run = false;    // nothing is kept; what would be is counted
  Duration zone{};         // local time minus UTC of times that name no zone
  std::string scratch;     // a folder, for copies of files that cannot be read in place
  std::string quarantine;  // this file is made, a line of JSON for each row or value that is not taken
};

struct SqliteTableReport {
  std::string table, path;  // path empty: there was no such file
  std::int64_t rows = 0;
  std::int64_t imported = 0;                 // new here (with dry_run: would be)
  std::int64_t known = 0;                    // was here, and says the same
  std::int64_t differs = 0;                  // was here, and says something else by now: left as it is here
  std::int64_t forgotten = 0;                // was forgotten here, and stays so
  std::int64_t quarantined = 0;              // cannot be kept
  std::int64_t notes = 0;                    // values of kept rows that are not taken
  std::int64_t naive_times = 0;              // rows with a time without a zone
  std::int64_t verified = 0;                 // of imported and known: read back, and equal
  std::string source_sha256, stored_sha256;  // of these rows, as they must be, and as the store gives them back
};
struct SqliteImportReport {
  std::vector<SqliteTableReport> tables;
  std::int64_t quarantine_lines = 0;
  // Everything is accounted for, and what is kept is what was read.
  bool whole(bool dry_run) const;
};
Json to_json(const SqliteImportReport& report);

using ImportProgress = std::function<void(std::string_view line)>;

// kNotFound: none of the files is there; kInvalidArgument: a file with none of the tables, or a table without its
// columns; kCancelled.
Result<SqliteImportReport> import_sqlite(Service& service, const SqliteImportOptions& options, CallObserver& observer,
                                         const ImportProgress& progress);

}  // namespace pandora
