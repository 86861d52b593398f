// Text of the web as UTF-8 (encoding.spec.whatwg.org, by the names that pages use). Pure.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pandora {

inline constexpr std::size_t kCharsetSearch = 1024;  // bytes of a page in which its own word about it is looked for

// How the bytes are to be read, the first of these: a byte order mark; the `declared` charset (of Content-Type); for
// HTML the page's own word; UTF-8 when they are; windows-1252. A name that nobody knows counts as none.
std::string charset_of(std::string_view bytes, std::string_view declared, bool is_html);
// As UTF-8 without a byte order mark; what cannot be read becomes U+FFFD. kUnavailable: this system cannot read it.
Result<std::string> to_utf8(std::string_view bytes, const std::string& charset);

}  // namespace pandora
