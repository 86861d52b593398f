#include "fetch/charset.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <iconv.h>

#include "base/text.h"

namespace pandora {
namespace {

// What pages call it, and what iconv reads it by. Those that a reader could take for ASCII and are not (UTF-7 and the
// like) are left out on purpose, as browsers do.
struct Known {
  std::string_view label, name;
};
constexpr std::array kKnown = {
    Known{"utf-8", "UTF-8"},
    Known{"utf8", "UTF-8"},
    Known{"unicode-1-1-utf-8", "UTF-8"},
    Known{"us-ascii", "CP1252"},
    Known{"ascii", "CP1252"},
    Known{"iso-8859-1", "CP1252"},
    Known{"iso8859-1", "CP1252"},
    Known{"latin1", "CP1252"},
    Known{"windows-1252", "CP1252"},
    Known{"cp1252", "CP1252"},
    Known{"iso-8859-2", "ISO-8859-2"},
    Known{"latin2", "ISO-8859-2"},
    Known{"windows-1250", "CP1250"},
    Known{"iso-8859-5", "ISO-8859-5"},
    Known{"windows-1251", "CP1251"},
    Known{"cp1251", "CP1251"},
    Known{"koi8-r", "KOI8-R"},
    Known{"koi8-u", "KOI8-U"},
    Known{"iso-8859-7", "ISO-8859-7"},
    Known{"windows-1253", "CP1253"},
    Known{"iso-8859-9", "CP1254"},
    Known{"windows-1254", "CP1254"},
    Known{"iso-8859-8", "ISO-8859-8"},
    Known{"windows-1255", "CP1255"},
    Known{"iso-8859-6", "ISO-8859-6"},
    Known{"windows-1256", "CP1256"},
    Known{"iso-8859-13", "ISO-8859-13"},
    Known{"windows-1257", "CP1257"},
    Known{"windows-1258", "CP1258"},
    Known{"iso-8859-15", "ISO-8859-15"},
    Known{"windows-874", "CP874"},
    Known{"tis-620", "CP874"},
    Known{"shift_jis", "CP932"},
    Known{"shift-jis", "CP932"},
    Known{"sjis", "CP932"},
    Known{"windows-31j", "CP932"},
    Known{"euc-jp", "EUC-JP"},
    Known{"iso-2022-jp", "ISO-2022-JP"},
    Known{"gb2312", "GB18030"},
    Known{"gbk", "GB18030"},
    Known{"gb18030", "GB18030"},
    Known{"big5", "BIG5-HKSCS"},
    Known{"big5-hkscs", "BIG5-HKSCS"},
    Known{"euc-kr", "CP949"},
    Known{"ks_c_5601-1987", "CP949"},
    Known{"utf-16le", "UTF-16LE"},
    Known{"utf-16", "UTF-16LE"},
    Known{"utf-16be", "UTF-16BE"},
};

std::string lower(std::string_view text) {
  std::string out(trim(text));
  std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

std::string known_name(std::string_view label) {
  const auto found = std::ranges::find(kKnown, lower(label), &Known::label);
  return found == kKnown.end() ? std::string() : std::string(found->name);
}

// "charset=…" of a meta tag, of either kind. One that says UTF-16 is read as UTF-8, or it could not have been read.
std::string said_by_page(std::string_view bytes) {
  const std::string head = lower(bytes.substr(0, kCharsetSearch));
  for (std::size_t tag = head.find("<meta"); tag != std::string::npos; tag = head.find("<meta", tag + 1)) {
    const std::string_view inside = std::string_view(head).substr(tag, head.find('>', tag) - tag);
    std::size_t at = inside.find("charset");
    if (at == std::string_view::npos) continue;
    at = inside.find_first_not_of(" \t\r\n", at + 7);
    if (at == std::string_view::npos || inside[at] != '=') continue;
    at = inside.find_first_not_of(" \t\r\n\"'", at + 1);
    if (at == std::string_view::npos) continue;
    const std::string name = known_name(inside.substr(at, inside.find_first_of(" \t\r\n\"';/>", at) - at));
    if (name.empty()) continue;
    return name.starts_with("UTF-16") ? "UTF-8" : name;
  }
  return {};
}

}  // namespace

std::string charset_of(std::string_view bytes, std::string_view declared, bool is_html) {
  if (bytes.starts_with("\xEF\xBB\xBF")) return "UTF-8";
  if (bytes.starts_with("\xFF\xFE")) return "UTF-16LE";
  if (bytes.starts_with("\xFE\xFF")) return "UTF-16BE";
  if (auto name = known_name(declared); !name.empty()) return name;
  if (is_html)
    if (auto name = said_by_page(bytes); !name.empty()) return name;
  return is_valid_utf8(bytes) ? "UTF-8" : "CP1252";
}

Result<std::string> to_utf8(std::string_view bytes, const std::string& charset) {
  if (charset == "UTF-8") {
    if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
    return sanitize_utf8(bytes);
  }
  if (charset == "UTF-16LE" && bytes.starts_with("\xFF\xFE")) bytes.remove_prefix(2);
  if (charset == "UTF-16BE" && bytes.starts_with("\xFE\xFF")) bytes.remove_prefix(2);
  const iconv_t converter = ::iconv_open("UTF-8", charset.c_str());
  if (converter == reinterpret_cast<iconv_t>(-1))
    return fail(ErrorCode::kUnavailable, fmt::format("this system cannot read text in {}", charset));
  const std::unique_ptr<void, decltype(&::iconv_close)> owned(converter, ::iconv_close);
  std::string out;
  std::array<char, 16 * 1024> piece;
  char* from = const_cast<char*>(bytes.data());
  std::size_t left = bytes.size();
  while (left > 0) {
    char* to = piece.data();
    std::size_t room = piece.size();
    const std::size_t done = ::iconv(converter, &from, &left, &to, &room);
    const int why = errno;
    out.append(piece.data(), piece.size() - room);
    if (done != static_cast<std::size_t>(-1) || why == E2BIG) continue;
    out += "\xEF\xBF\xBD";
    if (why != EILSEQ) break;  // the last character is cut
    ++from, --left;
  }
  return sanitize_utf8(out);
}

}  // namespace pandora
