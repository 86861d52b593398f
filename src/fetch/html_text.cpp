#include "fetch/html_text.h"

#include <algorithm>
#include <array>
#include <memory>
#include <set>

#include <fmt/format.h>
#include <libxml/HTMLparser.h>

#include "base/text.h"

namespace pandora {
namespace {

constexpr std::size_t kPiece = 4096;

constexpr std::array<std::string_view, 15> kUnseen = {"script", "style",  "template", "noscript", "svg",
                                                      "math",   "iframe", "object",   "select",   "textarea",
                                                      "audio",  "video",  "canvas",   "datalist", "noframes"};
constexpr std::array<std::string_view, 30> kBlocks = {
    "address",  "article", "aside",   "blockquote", "body",   "dd", "details", "div",     "dl",         "dt",
    "fieldset", "figure",  "footer",  "form",       "header", "hr", "main",    "nav",     "ol",         "p",
    "pre",      "section", "summary", "table",      "tbody",  "tr", "ul",      "caption", "figcaption", "center"};
// They hold nothing. The parser knows not all of them, and takes what follows for theirs.
constexpr std::array<std::string_view, 15> kEmpty = {"area", "base", "br",    "col",    "embed", "hr",  "img",  "input",
                                                     "link", "meta", "param", "source", "track", "wbr", "frame"};

template <std::size_t N>
bool among(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

std::string_view view(const xmlChar* text) { return text ? reinterpret_cast<const char*>(text) : std::string_view(); }

// The value of an attribute; null: it has none of this name.
const char* attribute(const xmlChar** attributes, std::string_view name) {
  for (std::size_t i = 0; attributes && attributes[i]; i += 2)
    if (view(attributes[i]) == name) return attributes[i + 1] ? reinterpret_cast<const char*>(attributes[i + 1]) : "";
  return nullptr;
}

bool is_hidden(const xmlChar** attributes) {
  if (attribute(attributes, "hidden")) return true;
  if (const char* aria = attribute(attributes, "aria-hidden"); aria && std::string_view(aria) == "true") return true;
  const char* style = attribute(attributes, "style");
  if (!style) return false;
  std::string rules;
  for (const char c : std::string_view(style))
    if (c > ' ') rules += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  for (const char* rule : {"display:none;", "visibility:hidden;", "font-size:0;", "font-size:0px;", "opacity:0;"})
    if ((rules + ";").find(rule) != std::string::npos) return true;
  return false;
}

// What pages write into href, with what a URL must not hold escaped.
std::string escaped(std::string_view reference) {
  std::string out;
  for (const char c : trim(reference)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == '\n' || byte == '\r' || byte == '\t') continue;
    if (byte > 0x20 && byte < 0x7F)
      out += c;
    else
      out += fmt::format("%{:02X}", byte);
    if (out.size() > kMaxUrlBytes) break;  // refused further on
  }
  return out;
}

class Reader {
 public:
  Reader(Url base, std::size_t most) : base_(std::move(base)), most_(most) {}

  void open(std::string_view name, const xmlChar** attributes) {
    const bool holds = !among(kEmpty, name);
    if (unseen_ > 0) {
      if (holds) ++unseen_;
      return;
    }
    if (holds && (among(kUnseen, name) || is_hidden(attributes))) {
      unseen_ = 1;
      return;
    }
    if (name == "title") in_title_ = page_.title.empty();
    if (name == "base") set_base(attribute(attributes, "href"));
    if (name == "br") line_break(1);
    if (name == "pre") ++pre_;
    if (name == "td" || name == "th") separate();
    if (name.size() == 2 && name[0] == 'h' && name[1] >= '1' && name[1] <= '6') {
      line_break(2);
      write(std::string(static_cast<std::size_t>(name[1] - '0'), '#') + " ");
    } else if (name == "li") {
      line_break(1);
      write("- ");
    } else if (among(kBlocks, name)) {
      line_break(name == "tr" ? 1 : 2);
    }
    if (name == "img")
      if (const char* alt = attribute(attributes, "alt"); alt && *alt) add_text(fmt::format("[image: {}]", alt));
    if (name == "a") begin_link(attribute(attributes, "href"));
  }

  void close(std::string_view name) {
    if (among(kEmpty, name)) return;
    if (unseen_ > 0) {
      --unseen_;
      return;
    }
    if (name == "title") in_title_ = false;
    if (name == "pre" && pre_ > 0) --pre_;
    if (name == "a") end_link();
    if (name == "tr" || name == "li") line_break(1);
    if (among(kBlocks, name) || (name.size() == 2 && name[0] == 'h' && name[1] >= '1' && name[1] <= '6'))
      line_break(name == "tr" ? 1 : 2);
  }

  void add_text(std::string_view text) {
    if (unseen_ > 0) return;
    if (in_title_) {
      if (page_.title.size() < kMaxPageTitle) page_.title += text;
      return;
    }
    if (in_link_ && link_.text.size() < kMaxLinkText) link_.text += text;
    if (pre_ > 0) return write(text);
    for (const char c : text) {
      const bool blank = c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f';
      if (blank)
        blank_ = true;
      else
        write(std::string_view(&c, 1));
    }
  }

  bool full() const { return page_.cut; }
  PageText finish(bool stopped) {
    end_link();
    page_.cut |= stopped;
    page_.title = ellipsize(collapse_space(sanitize_utf8(page_.title)), kMaxPageTitle);
    std::string text = sanitize_utf8(page_.text);
    page_.text = page_.cut ? ellipsize(trim(text), most_) : std::string(trim(text));
    return std::move(page_);
  }

 private:
  // Blanks and line breaks are written before what follows them, so that none stand at an end.
  void write(std::string_view text) {
    if (page_.cut || text.empty()) return;
    std::string before;
    if (breaks_ > 0)
      before.assign(page_.text.empty() ? 0 : breaks_, '\n');
    else if (blank_ && !page_.text.empty() && !page_.text.ends_with(' ') && !page_.text.ends_with('\n'))
      before = " ";
    breaks_ = 0, blank_ = false;
    page_.text += before;
    page_.text += text;
    page_.cut = page_.text.size() > most_;
  }
  void line_break(std::size_t count) {
    breaks_ = std::max(breaks_, count);
    blank_ = false;
  }
  void separate() {
    if (breaks_ == 0 && !page_.text.empty()) write(" | ");
  }

  void set_base(const char* href) {
    if (!href || std::exchange(has_base_, true)) return;
    if (auto url = resolve_url(base_, escaped(href))) base_ = *std::move(url);
  }
  void begin_link(const char* href) {
    end_link();
    if (!href || page_.links.size() >= kMaxPageLinks) return;
    const std::string reference = escaped(href);
    const std::size_t colon = reference.find(':');
    const bool has_scheme = colon < reference.find_first_of("/?#");
    if (reference.empty() || reference.front() == '#' || (has_scheme && !reference.starts_with("http"))) return;
    const auto url = resolve_url(base_, reference);
    if (!url) return;
    in_link_ = true;
    link_ = {"", url->to_string()};
  }
  void end_link() {
    if (!std::exchange(in_link_, false)) return;
    link_.text = ellipsize(collapse_space(sanitize_utf8(link_.text)), kMaxLinkText);
    if (seen_.insert(link_.url).second) page_.links.push_back(std::move(link_));
  }

  Url base_;
  const std::size_t most_;
  PageText page_;
  std::size_t unseen_ = 0, pre_ = 0, breaks_ = 0;
  bool blank_ = false, in_title_ = false, in_link_ = false, has_base_ = false;
  PageLink link_;
  std::set<std::string> seen_;
};

Reader& reader(void* self) { return *static_cast<Reader*>(self); }
void on_open(void* self, const xmlChar* name, const xmlChar** attributes) { reader(self).open(view(name), attributes); }
void on_close(void* self, const xmlChar* name) { reader(self).close(view(name)); }
void on_text(void* self, const xmlChar* text, int size) {
  reader(self).add_text({reinterpret_cast<const char*>(text), static_cast<std::size_t>(size)});
}

}  // namespace

PageText read_html(std::string_view html, const Url& base, std::size_t most, const std::function<bool()>& stopped) {
  static const bool ready = [] {
    xmlInitParser();
    return true;
  }();
  (void)ready;
  Reader reader(base, most);
  htmlSAXHandler handler{};
  handler.startElement = on_open;
  handler.endElement = on_close;
  handler.characters = on_text;
  handler.ignorableWhitespace = on_text;
  handler.cdataBlock = on_text;
  const std::unique_ptr<htmlParserCtxt, decltype(&htmlFreeParserCtxt)> parser(
      htmlCreatePushParserCtxt(&handler, &reader, nullptr, 0, nullptr, XML_CHAR_ENCODING_UTF8), htmlFreeParserCtxt);
  if (!parser) throw std::bad_alloc();
  htmlCtxtUseOptions(parser.get(), HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING | HTML_PARSE_NONET |
                                       HTML_PARSE_IGNORE_ENC);
  bool early = false;
  while (!html.empty() && !reader.full() && !early) {
    const std::string_view piece = html.substr(0, kPiece);
    (void)htmlParseChunk(parser.get(), piece.data(), static_cast<int>(piece.size()), 0);
    html.remove_prefix(piece.size());
    early = stopped();
  }
  if (!reader.full() && !early) (void)htmlParseChunk(parser.get(), nullptr, 0, 1);
  return reader.finish(early);
}

}  // namespace pandora
