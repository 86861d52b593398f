// The stores of an installation, opened and closed as one. Which ones they are is decided here and nowhere else.
#pragma once
#include <memory>

#include "base/config.h"
#include "base/file_system.h"
#include "cli/storage/data_paths.h"
#include "ports/attempt_log.h"
#include "ports/journal_register.h"
#include "ports/key_store.h"
#include "ports/stores.h"
#include "ports/text_search.h"
#include "ports/turn_vector_log.h"

namespace pandora {

// What is done about a database that cannot be read: an error, or it is set aside, and `reconcile` makes it again.
enum class Damage { kReport, kSetAside };
struct StorageOptions {
  Damage damage = Damage::kReport;
  bool thorough = false;   // looks at every page and row, however many, before it returns; setting aside does so too
  std::string journal_id;  // whose process this is, where several share a database
};

class Storage {
 public:
  virtual ~Storage() = default;
  virtual Stores stores() = 0;
  virtual KeyStore& keys() = 0;
  virtual AttemptLog& attempts() = 0;
  virtual TurnVectorLog& turn_vectors() = 0;
  // Of the rows, for when points cannot be asked; null: these rows have none.
  virtual TextSearch* texts() { return nullptr; }
  virtual JournalRegister* journals() = 0;  // null: nobody shares the rows
  // What was deleted is gone from the files as well, not from what is found alone.
  virtual Status overwrite_deleted(const Deadline& deadline) = 0;
};

// SQLite, points in process (or where points.store says) and documents in a directory. `files` and `clock` outlive it.
// Errors carry their remedy.
Result<std::unique_ptr<Storage>> open_embedded_storage(FileSystem& files, const Config& config, const DataPaths& paths,
                                                       const StorageOptions& options, const Clock& clock);

// Rows in PostgreSQL, the rest likewise. Nothing is asked of that server yet.
Result<std::unique_ptr<Storage>> open_server_storage(FileSystem& files, const Config& config, const DataPaths& paths,
                                                     const StorageOptions& options, const Clock& clock);
// The one that rows.store names.
Result<std::unique_ptr<Storage>> open_storage(FileSystem& files, const Config& config, const DataPaths& paths,
                                              const StorageOptions& options, const Clock& clock);

}  // namespace pandora
