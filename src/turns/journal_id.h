// The name of a journal: made once, beside its segments, and so the same after every restart, on whatever machine its
// disk is. Leases are taken and work is kept under it.
#pragma once
#include <string>

#include "base/file_system.h"
#include "base/ids.h"

namespace pandora {

// Creates `directory`; every name that was missing on the way is on disk when this returns.
Status create_durably(FileSystem& files, const std::string& directory);
// <directory>/id, made when it is missing. kDataCorrupt: it is there and no id.
Result<std::string> journal_id(FileSystem& files, const std::string& directory, UuidV7Generator& ids);

}  // namespace pandora
