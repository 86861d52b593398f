// A database that cannot be read is set aside, never deleted: what it holds is made again from journal and documents.
#pragma once
#include <functional>

#include "base/clock.h"
#include "base/file_system.h"
#include "cli/storage/data_paths.h"
#include "cli/storage/storage.h"

namespace pandora {

// Moves `database` and the files that belong to it into the documents' quarantine, with the reason.
Status set_database_aside(FileSystem& files, const DataPaths& paths, const std::string& database, const Clock& clock,
                          const Error& why);
// Opens it; when it is damaged and that is what is wanted, sets it aside and opens it again, empty.
Status open_database(FileSystem& files, const DataPaths& paths, const std::string& database, Damage damage,
                     const Clock& clock, const std::function<Status()>& open);

}  // namespace pandora
