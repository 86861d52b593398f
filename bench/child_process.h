// A program that a benchmark starts and looks at: how long it took to speak, its processor time, its memory.
#pragma once
#include <chrono>
#include <string>
#include <vector>

#include <sys/types.h>

namespace pandora {

class ChildProcess {
 public:
  // What it writes on its standard output can be read line by line. It ends by SIGTERM with this object.
  explicit ChildProcess(const std::vector<std::string>& words);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  std::string read_line() const;  // empty: it ended
  // Of all its threads, and of the processes that it has started itself.
  std::chrono::nanoseconds processor_time() const;
  std::size_t resident_bytes() const;  // likewise

 private:
  std::vector<pid_t> family() const;
  pid_t process_ = -1;
  int out_ = -1;
};

}  // namespace pandora
