// The log of a host process: bytes as they come, in files of a bounded size and number.
//
// "gateway.log" is the present one, "gateway.log.1" the one before, and so on; together at most (files) × (bytes). A
// file is changed at the end of a line, unless one line is longer than a file. A full disk loses lines, never the
// process: what was lost is counted and said in the log as soon as there is room. One thread writes.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_system.h"

namespace pandora {

struct LogLimits {
  std::uint64_t bytes = 10u << 20;  // of a file
  int files = 3;                    // the present one and those before it, at least 1
};

class RotatingLog {
 public:
  static Result<std::unique_ptr<RotatingLog>> open(std::string path, LogLimits limits, FileSystem& files);
  // Never fails: see above.
  void write(std::string_view bytes);
  std::uint64_t lost() const { return lost_; }  // bytes that are not said in the log yet

 private:
  RotatingLog(std::string path, LogLimits limits, FileSystem& files)
      : path_(std::move(path)), limits_(limits), files_(files) {}
  Status begin_file();
  Status change_file();
  Status append(std::string_view bytes);
  const std::string path_;
  const LogLimits limits_;
  FileSystem& files_;
  std::unique_ptr<File> file_;  // null: it could not be opened, and is tried again
  std::uint64_t size_ = 0, lost_ = 0;
};

// Takes what is written into the named pipe until nobody has it open for writing. Who calls this while another does
// for the same log waits for that one's end, and goes on where it stopped. Returns then; blocks.
Status keep_log(const std::string& pipe, const std::string& path, LogLimits limits, FileSystem& files);

// The end of a log, secrets masked: at most `lines` lines and `bytes` bytes. Empty when it cannot be read.
std::vector<std::string> last_lines(FileSystem& files, const std::string& path, std::size_t lines, std::size_t bytes);

}  // namespace pandora
