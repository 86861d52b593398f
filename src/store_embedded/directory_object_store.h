// ObjectStore in a directory. See ports/object_store.h for what it promises.
//
// objects/ab/<64 digits>: two lines, "pandora object 1" and the media type, then the bytes as they are. A file appears
// under its name only when all of it is on disk. What a crash left half written is removed when the store opens. One
// process at a time.
#pragma once
#include <memory>
#include <string>

#include "base/file_system.h"
#include "ports/object_store.h"

namespace pandora {

class DirectoryObjectStore {
 public:
  // `files` outlives it.
  static Result<std::unique_ptr<ObjectStore>> open(FileSystem& files, const std::string& root);
};

}  // namespace pandora
