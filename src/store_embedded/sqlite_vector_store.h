// VectorStore in process: points are rows of SQLite (durability), search is vecdb's, built from the rows at start.
// See ports/vector_store.h for what it promises.
#pragma once
#include <memory>
#include <string>

#include "ports/vector_store.h"
#include "sqlite/database.h"

namespace pandora {

class SqliteVectorStore : public VectorStore {
 public:
  // Loads every point. Errors as SqliteDatabase::open.
  static Result<std::unique_ptr<SqliteVectorStore>> open(const std::string& path, const std::string& vfs,
                                                         const Clock& clock);
  virtual SqliteDatabase& database() = 0;
};

}  // namespace pandora
