// A stranger's page: its text, title and links are valid and bounded whatever it holds, in any charset.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/text.h"
#include "fetch/charset.h"
#include "fetch/html_text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kMost = 4096;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto html = pandora::to_utf8(bytes, pandora::charset_of(bytes, "", true));
  if (!html) return 0;  // this system does not know the charset
  if (!pandora::is_valid_utf8(*html)) std::abort();
  static const pandora::Url base = *pandora::parse_url("https://example.com/a/b");
  const auto page = pandora::read_html(*html, base, kMost, [] { return false; });
  if (page.text.size() > kMost || page.title.size() > pandora::kMaxPageTitle) std::abort();
  if (page.links.size() > pandora::kMaxPageLinks) std::abort();
  if (!pandora::is_valid_utf8(page.text) || !pandora::is_valid_utf8(page.title)) std::abort();
  for (const auto& link : page.links)
    if (!pandora::parse_url(link.url) || link.text.size() > pandora::kMaxLinkText) std::abort();
  return 0;
}
