#include "turns/journal_id.h"

#include <vector>

#include "base/text.h"

namespace pandora {

Status create_durably(FileSystem& files, const std::string& directory) {
  std::vector<std::string> parents;
  for (std::string path = directory; path.size() > 1 && !files.exists(path);) {
    const std::size_t slash = path.rfind('/');
    path = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
    parents.push_back(path);
  }
  PANDORA_CHECK(files.create_directories(directory));
  for (const auto& parent : parents) PANDORA_CHECK(files.sync_directory(parent));
  return {};
}

Result<std::string> journal_id(FileSystem& files, const std::string& directory, UuidV7Generator& ids) {
  constexpr std::size_t kMostBytes = 100;
  const std::string path = join_path(directory, "id");
  PANDORA_CHECK(create_durably(files, directory));
  auto bytes = files.read_file(path, kMostBytes);
  if (!bytes && bytes.error().code == ErrorCode::kNotFound) {
    const std::string made = ids.next().to_string();
    PANDORA_CHECK(files.write_atomic(path, made + "\n", Durability::kNow));
    return made;
  }
  if (!bytes) return fail(std::move(bytes).error());
  const auto id = Uuid::parse(trim(*bytes));
  if (id) return id->to_string();
  return fail(ErrorCode::kDataCorrupt, path + " holds no id",
              "write the id of this journal there (`pandora status` of another gateway lists it), or remove the file");
}

}  // namespace pandora
