#include "cli/terminal/line_reader.h"

#include <algorithm>
#include <cerrno>

#include <unistd.h>

#include "cli/terminal/terminal.h"

namespace pandora {

bool LineReader::fill() {
  constexpr std::size_t kPiece = 256 * 1024;
  buffer_.resize(kPiece);
  at_ = 0;
  ssize_t got = -1;
  do got = wait_for_input(descriptor_) ? ::read(descriptor_, buffer_.data(), buffer_.size()) : 0;
  while (got < 0 && errno == EINTR);
  // A standard input that was closed is an empty one.
  if (got < 0 && errno != EBADF) error_ = errno;
  buffer_.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return !buffer_.empty();
}

bool LineReader::next(Line& line) {
  line.text.clear();
  line.bytes = 0;
  for (bool any = false;; any = true) {
    if (at_ == buffer_.size() && (interrupted() || !fill())) return any && error_ == 0 && !interrupted();
    const std::size_t end = std::min(buffer_.find('\n', at_), buffer_.size());
    const std::size_t room = most_ - std::min(most_, line.text.size());
    line.text.append(buffer_, at_, std::min(end - at_, room));
    line.bytes += end - at_;
    consumed_ += end - at_;
    const bool whole = end < buffer_.size();
    at_ = whole ? end + 1 : end;
    if (whole) return ++consumed_, true;
  }
}

}  // namespace pandora
