// Both sides of `pandora move`: the stores that are open, and those of the other profile.
#pragma once
#include <memory>
#include <string>

#include "cli/storage/storage.h"
#include "turns/mover.h"

namespace pandora {

// `stores` and `from` are those of this process, and outlive it, as the rest does. `to`: "embedded" or "server";
// `points`: "embedded", "qdrant", or "": they stay where points.store says.
Result<std::unique_ptr<MovePlaces>> open_move_places(FileSystem& files, const Config& config, const DataPaths& paths,
                                                     const Clock& clock, Stores stores, Storage& from,
                                                     const std::string& to, const std::string& points);

}  // namespace pandora
