// Names of collections and aliases, in one file that is replaced as a whole.
//
// A name stands for the directory of a collection (a made-up id: names never reach the file system); an alias stands
// for a name. Not thread-safe: guarded by its owner.
#pragma once
#include <map>
#include <set>
#include <string>

#include "base/file_system.h"

namespace pandora::qdrant {

inline constexpr int kCatalogueFormat = 1;
inline constexpr std::size_t kMaxCatalogueBytes = 16 * 1024 * 1024;

struct Catalogue {
  std::map<std::string, std::string> collections;  // name → id
  std::map<std::string, std::string> aliases;      // alias → name
  std::set<std::string> removed;                   // ids whose files may still be there, and are to go

  // kNotFound when there is no file, and only then; kDataCorrupt, kIncompatible.
  static Result<Catalogue> read(FileSystem& files, const std::string& path);
  Status write(FileSystem& files, const std::string& path) const;  // on disk when it returns
};

}  // namespace pandora::qdrant
