// Points in a Qdrant (points.store = qdrant) instead of in this process.
#pragma once
#include <memory>

#include "base/config.h"
#include "base/file_system.h"
#include "ports/vector_store.h"

namespace pandora {

class ServedPoints {
 public:
  virtual ~ServedPoints() = default;
  virtual VectorStore& store() = 0;
};

// kInvalidArgument: points.store says neither "embedded" nor "qdrant".
Result<bool> points_are_served(const Config& config);
// Nothing is sent yet. `files` and `clock` outlive it.
Result<std::unique_ptr<ServedPoints>> open_served_points(const Config& config, FileSystem& files, const Clock& clock);
// Drops every collection of qdrant.prefix; nothing when points are not served. For what was only tried out.
Status drop_served_points(const Config& config, FileSystem& files, const Clock& clock);

}  // namespace pandora
