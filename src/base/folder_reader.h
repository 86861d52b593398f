// Files and folders beneath one folder, and nothing outside it: no "..", no absolute path and no symbolic link leads
// out, also while others change the tree (openat2 with RESOLVE_BENEATH). Thread-safe; opens anew each time.
//
// Errors: kNotFound, kPermissionDenied (it leads out of the folder, or may not be read), kInvalidArgument (a folder
// where a file is meant, or the other way round; neither of both; a path with NUL or too long), kTooLarge, kUnavailable
// (the kernel lacks openat2; the disk).
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace pandora {

inline constexpr std::size_t kMaxBeneathPathBytes = 1024;

struct FolderEntry {
  std::string name;
  bool is_folder = false;
  std::int64_t bytes = 0;  // of a file
};
struct FolderListing {
  std::vector<FolderEntry> entries;  // by name
  bool is_cut = false;               // there are more than were asked for
};

class FolderReader {
 public:
  explicit FolderReader(std::string root) : root_(std::move(root)) {}
  // A regular file, whole.
  Result<std::string> read(const std::string& path, std::size_t max_bytes) const;
  // "" is the folder itself. Only files and folders are listed.
  Result<FolderListing> list(const std::string& path, std::size_t max_entries) const;

 private:
  const std::string root_;
};

}  // namespace pandora
