// Base64 (RFC 4648, section 4: with padding, without line breaks).
#pragma once
#include <string>
#include <string_view>

#include "base/result.h"

namespace pandora {

std::string base64_encode(std::string_view bytes);
// Strict: no blanks, the padding complete, unused bits zero, so that every text has one reading and every value one
// text. kInvalidArgument otherwise.
Result<std::string> base64_decode(std::string_view text);

}  // namespace pandora
