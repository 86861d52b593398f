// What a server packed (Content-Encoding): gzip and deflate, and nothing else. Pure.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pandora {

inline constexpr std::string_view kAcceptedCodings = "gzip, deflate";

struct Unpacked {
  std::string bytes;
  bool cut = false;  // there was more, or its end was missing
};
// At most `most` bytes come out, whatever goes in, so that a small body cannot fill the memory. kInvalidArgument:
// another coding, or more than one; kDataCorrupt: it does not unpack.
Result<Unpacked> unpack(std::string_view coding, std::string_view bytes, std::size_t most);

}  // namespace pandora
