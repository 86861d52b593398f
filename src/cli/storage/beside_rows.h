// What stands beside the rows, whichever these are: documents, objects, and points. Each in the data directory, or
// where its setting says (documents.store, objects.store, points.store).
#pragma once
#include <memory>

#include "base/config.h"
#include "base/file_system.h"
#include "cli/storage/data_paths.h"
#include "cli/storage/storage.h"

namespace pandora {

class BesideRows {
 public:
  virtual ~BesideRows() = default;
  virtual DocumentStore& documents() = 0;
  virtual ObjectStore& objects() = 0;
  virtual VectorStore& points() = 0;
  // What was removed is gone from the files of the points as well; of a server that is its own to decide.
  virtual Status overwrite_deleted(const Deadline& deadline) = 0;
};

// Servers are not asked for anything yet. `files` and `clock` outlive it.
Result<std::unique_ptr<BesideRows>> open_beside_rows(FileSystem& files, const Config& config, const DataPaths& paths,
                                                     const StorageOptions& options, const Clock& clock);

}  // namespace pandora
