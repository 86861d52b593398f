// What a page says, as light Markdown: its title, its text, its links. Pure.
//
// Left out is what a reader would not see: scripts, styles, templates, forms' values, comments, and what is hidden by
// an attribute or by a style of its own. That is no defence: the text stays a stranger's.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "net/url.h"

namespace pandora {

inline constexpr std::size_t kMaxPageLinks = 100;
inline constexpr std::size_t kMaxLinkText = 120;
inline constexpr std::size_t kMaxPageTitle = 300;

struct PageLink {
  std::string text, url;
  bool operator==(const PageLink&) const = default;
};
struct PageText {
  std::string title, text;
  std::vector<PageLink> links;  // to http and https, in the page's order, each URL once
  bool cut = false;             // there was more text than `most`, or reading was stopped
};

// `html` is UTF-8; `base` is where it came from. At most `most` bytes of text. Between two pieces of a few kilobytes
// `stopped` is asked: a page that is made to take long is then left as far as it was read.
PageText read_html(std::string_view html, const Url& base, std::size_t most, const std::function<bool()>& stopped);

}  // namespace pandora
