// The text of a file in /proc or /sys; empty when what it tells of has ended. It may end between the opening and the
// reading: then the read fails, which a stream's iterators would throw and its buffer's extraction does not.
#pragma once
#include <fstream>
#include <sstream>
#include <string>

namespace pandora {

inline std::string kernel_file(const std::string& path) {
  const std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace pandora
