// Inside stack: tells when files change, however they are changed: written, renamed over, removed and made again.
//
// What is watched are their folders (inotify): an editor and a linker both put a new file in the old one's place. A
// file counts as changed when it has been left alone for `settle` and is there. One thread of its own.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace pandora {

class FileWatch {
 public:
  // `changed` is called on the watch's thread, with the paths as they were given. kUnavailable: no inotify left.
  static Result<std::unique_ptr<FileWatch>> open(const std::vector<std::string>& files, Duration settle,
                                                 std::function<void(const std::vector<std::string>&)> changed);
  virtual ~FileWatch() = default;  // waits for a call under way: not from within one
};

}  // namespace pandora
