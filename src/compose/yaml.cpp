#include "compose/yaml.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <yaml.h>

#include "base/text.h"

namespace pandora {
namespace {

// One event of libyaml, freed when it goes.
class Event {
 public:
  Event() = default;
  ~Event() { yaml_event_delete(&event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  yaml_event_t* get() { return &event_; }
  yaml_event_type_t type() const { return event_.type; }

 private:
  yaml_event_t event_{};
};

std::string text_of(const yaml_char_t* text) { return text ? reinterpret_cast<const char*>(text) : ""; }

bool is_number(const std::string& text, bool& whole) {
  std::size_t i = text[0] == '-' || text[0] == '+' ? 1 : 0;
  const std::size_t digits = i;
  while (i < text.size() && std::isdigit(static_cast<unsigned char>(text[i]))) ++i;
  if (i == digits) return false;
  whole = i == text.size();
  if (i < text.size() && text[i] == '.')
    for (++i; i < text.size() && std::isdigit(static_cast<unsigned char>(text[i]));) ++i;
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    i += i + 1 < text.size() && (text[i + 1] == '-' || text[i + 1] == '+') ? 2 : 1;
    const std::size_t exponent = i;
    while (i < text.size() && std::isdigit(static_cast<unsigned char>(text[i]))) ++i;
    if (i == exponent) return false;
  }
  return i == text.size();
}

Json plain_value(const std::string& text) {
  constexpr std::size_t kSafeDigits = 18;
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return nullptr;
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  bool whole = false;
  if (!is_number(text, whole)) return text;
  if (whole && text.size() <= kSafeDigits) return std::strtoll(text.c_str(), nullptr, 10);
  return std::strtod(text.c_str(), nullptr);
}

// A value with everything that is known of it, so that an alias can be put in again elsewhere.
struct Node {
  Json scalar;
  std::vector<std::string> names;  // of a map, as many as items
  std::vector<Node> items;
  enum class Kind { kScalar, kMap, kSequence } kind = Kind::kScalar;
  std::string tag;
  int line = 0, column = 0;
  std::size_t size = 1;  // values in it
};

class Reader {
 public:
  Reader(std::string_view text, const std::string& file) : file_(file) {
    yaml_parser_initialize(&parser_);
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  }
  ~Reader() { yaml_parser_delete(&parser_); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  Result<YamlDocument> read() {
    YamlDocument document;
    std::optional<Node> root;
    for (;;) {
      Event event;
      PANDORA_CHECK(next(event));
      if (event.type() == YAML_STREAM_END_EVENT) break;
      if (event.type() != YAML_DOCUMENT_START_EVENT) continue;
      if (root) return fault(event, ErrorCode::kInvalidArgument, "a second document begins; only one is read");
      Event first;
      PANDORA_CHECK(next(first));
      PANDORA_TRY(node, value(first, 0));
      root = std::move(node);
    }
    if (root) place(*root, "", document, document.value);
    return document;
  }

 private:
  tl::unexpected<Error> fault(Event& event, ErrorCode code, std::string_view what) {
    const auto mark = event.get()->start_mark;
    return fail(code, fmt::format("{}:{}:{}: {}", file_, mark.line + 1, mark.column + 1, what));
  }

  Status next(Event& event) {
    if (yaml_parser_parse(&parser_, event.get())) return {};
    const auto mark = parser_.problem_mark;
    const std::string problem = parser_.problem ? parser_.problem : "it cannot be read";
    const std::string context = parser_.context ? fmt::format(" {}", parser_.context) : "";
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}:{}:{}: this is no YAML: {}{}", file_, mark.line + 1,
                                                         mark.column + 1, problem, context));
  }

  Result<Node> value(Event& event, int depth) {
    if (depth > kMaxYamlDepth)
      return fault(event, ErrorCode::kTooLarge, fmt::format("more than {} values inside each other", kMaxYamlDepth));
    Node node;
    node.line = static_cast<int>(event.get()->start_mark.line) + 1;
    node.column = static_cast<int>(event.get()->start_mark.column) + 1;
    std::string anchor;
    switch (event.type()) {
      case YAML_ALIAS_EVENT: {
        const auto known = anchors_.find(text_of(event.get()->data.alias.anchor));
        if (known == anchors_.end()) return fault(event, ErrorCode::kInvalidArgument, "an alias of nothing");
        node = known->second;
        PANDORA_CHECK(count(event, node.size));
        return node;
      }
      case YAML_SCALAR_EVENT: {
        const auto& scalar = event.get()->data.scalar;
        anchor = text_of(scalar.anchor);
        node.tag = text_of(scalar.tag);
        const std::string text(reinterpret_cast<const char*>(scalar.value), scalar.length);
        node.scalar = scalar.style == YAML_PLAIN_SCALAR_STYLE && node.tag.empty() ? plain_value(text) : Json(text);
        break;
      }
      case YAML_SEQUENCE_START_EVENT:
        anchor = text_of(event.get()->data.sequence_start.anchor);
        node.tag = text_of(event.get()->data.sequence_start.tag);
        PANDORA_CHECK(read_items(node, depth));
        break;
      case YAML_MAPPING_START_EVENT:
        anchor = text_of(event.get()->data.mapping_start.anchor);
        node.tag = text_of(event.get()->data.mapping_start.tag);
        PANDORA_CHECK(read_members(node, depth));
        break;
      default:
        return fault(event, ErrorCode::kInvalidArgument, "a value is missing");
    }
    PANDORA_CHECK(count(event, 1));
    if (!anchor.empty()) anchors_[anchor] = node;
    return node;
  }

  Status count(Event& event, std::size_t more) {
    values_ += more;
    if (values_ <= kMaxYamlValues) return {};
    return fault(event, ErrorCode::kTooLarge, fmt::format("more than {} values", kMaxYamlValues));
  }

  Status read_items(Node& node, int depth) {
    node.kind = Node::Kind::kSequence;
    for (;;) {
      Event event;
      PANDORA_CHECK(next(event));
      if (event.type() == YAML_SEQUENCE_END_EVENT) return {};
      PANDORA_TRY(item, value(event, depth + 1));
      node.size += item.size;
      node.items.push_back(std::move(item));
    }
  }

  Status read_members(Node& node, int depth) {
    node.kind = Node::Kind::kMap;
    std::vector<Node> merged;
    for (;;) {
      Event key;
      PANDORA_CHECK(next(key));
      if (key.type() == YAML_MAPPING_END_EVENT) break;
      if (key.type() != YAML_SCALAR_EVENT) return fault(key, ErrorCode::kInvalidArgument, "a key that is no text");
      const auto& scalar = key.get()->data.scalar;
      const std::string name(reinterpret_cast<const char*>(scalar.value), scalar.length);
      Event event;
      PANDORA_CHECK(next(event));
      PANDORA_TRY(member, value(event, depth + 1));
      node.size += member.size;
      if (name == "<<" && scalar.style == YAML_PLAIN_SCALAR_STYLE) {
        merged.push_back(std::move(member));
        continue;
      }
      if (std::ranges::find(node.names, name) != node.names.end())
        return fault(key, ErrorCode::kInvalidArgument,
                     fmt::format("\"{}\" stands twice here", one_line(ellipsize(name, 64))));
      member.line = static_cast<int>(key.get()->start_mark.line) + 1;  // a finding names the key
      member.column = static_cast<int>(key.get()->start_mark.column) + 1;
      node.names.push_back(name);
      node.items.push_back(std::move(member));
    }
    for (const auto& source : merged) merge(node, source);
    return {};
  }

  // What stands in the map itself beats what is merged in; of several the first.
  static void merge(Node& node, const Node& source) {
    if (source.kind == Node::Kind::kSequence)
      for (const auto& item : source.items) merge(node, item);
    for (std::size_t i = 0; i < source.names.size(); ++i) {
      if (std::ranges::find(node.names, source.names[i]) != node.names.end()) continue;
      node.names.push_back(source.names[i]);
      node.items.push_back(source.items[i]);
    }
  }

  void place(const Node& node, const std::string& pointer, YamlDocument& document, Json& value) const {
    document.places[pointer] = {file_, node.line, node.column};
    if (!node.tag.empty()) document.tags[pointer] = node.tag;
    if (node.kind == Node::Kind::kScalar) {
      value = node.scalar;
    } else if (node.kind == Node::Kind::kSequence) {
      value = Json::array();
      for (std::size_t i = 0; i < node.items.size(); ++i) {
        value.push_back(nullptr);
        place(node.items[i], pointer_to(pointer, i), document, value.back());
      }
    } else {
      value = Json::object();
      for (std::size_t i = 0; i < node.names.size(); ++i)
        place(node.items[i], pointer_to(pointer, node.names[i]), document, value[node.names[i]]);
    }
  }

  const std::string file_;
  yaml_parser_t parser_{};
  std::map<std::string, Node> anchors_;
  std::size_t values_ = 0;
};

}  // namespace

std::string Place::to_string() const { return line == 0 ? file : fmt::format("{}:{}:{}", file, line, column); }

std::string pointer_to(std::string_view parent, std::string_view key) {
  std::string pointer(parent);
  pointer += '/';
  for (const char c : key) {
    if (c == '~')
      pointer += "~0";
    else if (c == '/')
      pointer += "~1";
    else
      pointer += c;
  }
  return pointer;
}

std::string pointer_to(std::string_view parent, std::size_t index) { return fmt::format("{}/{}", parent, index); }

Result<YamlDocument> parse_yaml(std::string_view text, const std::string& file) {
  if (text.size() > kMaxYamlBytes)
    return fail(ErrorCode::kTooLarge,
                fmt::format("{} has {} bytes, at most {} are read", file, text.size(), kMaxYamlBytes));
  if (!is_valid_utf8(text)) return fail(ErrorCode::kInvalidArgument, fmt::format("{} is no UTF-8", file));
  return Reader(text, file).read();
}

}  // namespace pandora
