#include "wire/qdrant_path.h"

#include <charconv>

#include <fmt/format.h>

#include "wire/qdrant_read.h"

namespace pandora::qdrant {
namespace {

// A key without quotes: letters, digits, '_', '-' and everything beyond ASCII.
bool is_plain(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         c == '-';
}

}  // namespace

Outcome<PayloadPath> PayloadPath::parse(std::string_view text) {
  const auto invalid = [&] { return fail(bad_format(fmt::format("Invalid json path: '{}'", text))); };
  PayloadPath path;
  std::size_t at = 0;
  for (;;) {
    if (path.steps_.size() >= kMaxPathSteps) return invalid();
    std::string key;
    if (at < text.size() && text[at] == '"') {
      const std::size_t end = text.find('"', at + 1);
      if (end == std::string_view::npos || end == at + 1) return invalid();
      key = text.substr(at + 1, end - at - 1);
      at = end + 1;
    } else {
      const std::size_t begin = at;
      while (at < text.size() && is_plain(text[at])) ++at;
      if (at == begin) return invalid();
      key = text.substr(begin, at - begin);
    }
    path.steps_.push_back({PathStep::Kind::kKey, std::move(key), 0});
    while (at < text.size() && text[at] == '[') {
      if (path.steps_.size() >= kMaxPathSteps) return invalid();
      const std::size_t end = text.find(']', at);
      if (end == std::string_view::npos) return invalid();
      const std::string_view inside = text.substr(at + 1, end - at - 1);
      PathStep step{PathStep::Kind::kEvery, {}, 0};
      if (!inside.empty()) {
        step.kind = PathStep::Kind::kIndex;
        const auto [stop, fault] = std::from_chars(inside.data(), inside.data() + inside.size(), step.index);
        if (fault != std::errc() || stop != inside.data() + inside.size()) return invalid();
      }
      path.steps_.push_back(std::move(step));
      at = end + 1;
    }
    if (at == text.size()) return path;
    if (text[at++] != '.') return invalid();
  }
}

std::string PayloadPath::to_text() const {
  std::string out;
  for (const PathStep& step : steps_) {
    if (step.kind == PathStep::Kind::kEvery) {
      out += "[]";
    } else if (step.kind == PathStep::Kind::kIndex) {
      out += fmt::format("[{}]", step.index);
    } else {
      bool plain = !step.key.empty();
      for (const char c : step.key) plain &= is_plain(c);
      if (!out.empty()) out += '.';
      out += plain ? step.key : '"' + step.key + '"';
    }
  }
  return out;
}

PayloadPath PayloadPath::with_every() const {
  PayloadPath path = *this;
  if (path.steps_.back().kind != PathStep::Kind::kEvery) path.steps_.push_back({PathStep::Kind::kEvery, {}, 0});
  return path;
}

Outcome<PayloadPath> read_path(JsonNode node) {
  if (!node.is_string())
    return fail(bad_format(fmt::format("invalid type: {}, expected a string", node.raw().substr(0, 100))));
  return PayloadPath::parse(node.text());
}

Outcome<std::vector<PayloadPath>> read_paths(JsonNode list) {
  std::vector<PayloadPath> paths;
  if (!list.is_array()) return fail(invalid_type(list, "a sequence"));
  for (JsonNode item = list.first(); item; item = item.next()) {
    PANDORA_TRY(path, read_path(item));
    paths.push_back(std::move(path));
  }
  return paths;
}

}  // namespace pandora::qdrant
