// Lines of a file or pipe, read so that Ctrl-C ends a wait and a line of any length costs no more memory than its
// maximum.
#pragma once
#include <cstddef>
#include <string>

namespace pandora {

struct Line {
  std::string text;       // without the newline; at most the maximum
  std::size_t bytes = 0;  // of the whole line, kept or not
  bool whole() const { return bytes == text.size(); }
};

class LineReader {
 public:
  // Takes lines of `descriptor`, which stays open and belongs to the caller; of each, `most` bytes are kept.
  LineReader(int descriptor, std::size_t most) : descriptor_(descriptor), most_(most) {}
  // false: the end, an error, or an interruption (`interrupted()`).
  bool next(Line& line);
  int error() const { return error_; }                // errno; 0: the end was reached
  std::size_t consumed() const { return consumed_; }  // bytes of the lines given so far

 private:
  bool fill();
  int descriptor_;
  std::size_t most_;
  std::string buffer_;
  std::size_t at_ = 0, consumed_ = 0;
  int error_ = 0;
};

}  // namespace pandora
