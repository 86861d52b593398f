// DocumentStore in a directory. See ports/document_store.h for what it promises.
//
// Everything is written under .staging/, then renamed into place; a folder that is replaced is renamed aside first and
// removed last; what is removed is renamed there before. Opening finishes or undoes what a crash interrupted. Processes
// that share the directory each have a name, and so a staging folder of their own: two never write the same thing at
// once (the outbox sees to that). For the moment between two renames the folder has no name of its own: the others read
// the old one where it stands aside.
#pragma once
#include <memory>
#include <string>

#include "ports/document_store.h"

namespace pandora {

// With more than these deferred one sync of the whole file system costs less than one of each file.
inline constexpr std::size_t kManyDeferred = 32;

class DirectoryDocumentStore {
 public:
  static Result<std::unique_ptr<DocumentStore>> open(FileSystem& files, const std::string& root, const Clock& clock,
                                                     const std::string& process = "");
};

}  // namespace pandora
