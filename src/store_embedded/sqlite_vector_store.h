// VectorStore in process: points are rows of SQLite (durability), search is vecdb's over files derived from the rows.
// See ports/vector_store.h for what it promises.
//
// Beside `<path>` lie the derived files, `<path>-index/<collection>/`. What they lack is fed from the rows: a little of
// it before `open` returns, more of it by a thread that also writes what has changed into files now and then. Meanwhile
// queries answer from what is there, and `unsearched` says so; everything else reads the rows.
#pragma once
#include <memory>
#include <string>

#include "base/file_system.h"
#include "ports/vector_store.h"
#include "sqlite/database.h"

namespace pandora {

struct VectorStoreOptions {
  FileSystem* files = nullptr;  // for the derived files; null: none, all points are fed at start. Outlives the store
  std::size_t tail_points = 4'096;  // changes that make a checkpoint worth while: to feed as many takes 0.1 s
  std::size_t least_at_end = 256;   // changes that are worth one at an orderly end
  std::size_t fed_at_open = 8'192;  // points that are waited for; when more are missing, for none
  bool every_row = false;           // reads and checks every row before `open` returns: kDataCorrupt
};

class SqliteVectorStore : public VectorStore {
 public:
  // Errors as SqliteDatabase::open, which also says when a large file is checked; then every call gives what was found.
  static Result<std::unique_ptr<SqliteVectorStore>> open(const std::string& path, const std::string& vfs,
                                                         const Clock& clock, const VectorStoreOptions& options = {});
  virtual SqliteDatabase& database() = 0;
  // After this no derived file holds a byte of a point that was removed or replaced before.
  virtual Status purge(const Deadline& deadline) = 0;
  // Returns when every point is searched, nothing is being written and the file is checked: for tests and benchmarks.
  virtual Status settle(const Deadline& deadline) = 0;
};

}  // namespace pandora
