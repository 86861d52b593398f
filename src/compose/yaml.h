// YAML as Compose files use it, with the place of every value: for findings that name a line. Reading is libyaml's.
//
// A value is JSON: an unquoted scalar is null, a boolean or a number when YAML 1.2's core rules say so, anything else
// is text, and so are keys. Anchors, aliases and merge keys (<<) are resolved. A key that stands twice in one map is an
// error, as it is for Compose. Pure.
#pragma once
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/json_reader.h"

namespace pandora {

inline constexpr std::size_t kMaxYamlBytes = 1u << 20;
inline constexpr int kMaxYamlDepth = 64;
inline constexpr std::size_t kMaxYamlValues = 100'000;  // aliases count as often as they are used

struct Place {
  std::string file;
  int line = 0, column = 0;       // from 1; 0: the whole file
  std::string to_string() const;  // "compose.yaml:12:5"
  bool operator==(const Place&) const = default;
};

struct YamlDocument {
  Json value;
  std::map<std::string, Place> places;      // by JSON pointer, of keys as of items
  std::map<std::string, std::string> tags;  // "!reset" and the like, by JSON pointer
};
// kInvalidArgument with file, line and column; kTooLarge past a maximum. An empty text is null. One document only.
Result<YamlDocument> parse_yaml(std::string_view text, const std::string& file);

// "/services/a~1b": one more step of a JSON pointer.
std::string pointer_to(std::string_view parent, std::string_view key);
std::string pointer_to(std::string_view parent, std::size_t index);

}  // namespace pandora
