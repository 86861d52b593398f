#include "cli/storage/database_quarantine.h"

#include <fmt/format.h>

#include "base/log.h"

namespace pandora {

Status set_database_aside(FileSystem& files, const DataPaths& paths, const std::string& database, const Clock& clock,
                          const Error& why) {
  const std::string name = database.substr(database.rfind('/') + 1);
  const std::string area = join_path(paths.documents, "quarantine");
  std::string place;
  for (int n = 1; place.empty() || files.exists(place); ++n)
    place = join_path(area, fmt::format("{}-{}-{}", to_iso8601(clock.now()).substr(0, 10), name, n));
  PANDORA_CHECK(files.create_directories(place));
  PANDORA_CHECK(files.write_atomic(join_path(place, "reason.txt"), why.message + "\n", Durability::kNow));
  for (const char* suffix : {"", "-wal", "-shm"})
    if (files.exists(database + suffix))
      PANDORA_CHECK(files.rename(database + suffix, join_path(place, name + suffix)));
  for (const auto& directory : {place, area, paths.root}) PANDORA_CHECK(files.sync_directory(directory));
  log_warn("database.quarantined", {{"database", database}, {"place", place}, {"reason", why.message}});
  return {};
}

Status open_database(FileSystem& files, const DataPaths& paths, const std::string& database, Damage damage,
                     const Clock& clock, const std::function<Status()>& open) {
  Status opened = open();
  if (opened || opened.error().code != ErrorCode::kDataCorrupt || damage == Damage::kReport) return opened;
  PANDORA_CHECK(set_database_aside(files, paths, database, clock, opened.error()));
  return open();
}

}  // namespace pandora
