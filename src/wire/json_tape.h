// JSON as it lies in its text: a tape of eight bytes a value, read in place.
//
// For bodies that are mostly numbers and are read once: a vector costs its digits, nothing is copied, numbers keep
// every digit until someone asks for them. Strict (RFC 8259): no NaN, no trailing comma, no broken UTF-8, one value and
// no more. Faults say what was expected and where, as line and column of the text. The text outlives the tape and its
// nodes. Not thread-safe to build, safe to read.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

namespace pandora {

inline constexpr std::size_t kMaxJsonDepth = 128;
inline constexpr std::size_t kMaxJsonTapeBytes = std::size_t{1} << 28;  // of a text

struct JsonFault {
  std::string what;             // "expected value"
  std::size_t line, column;     // from 1; column counts bytes
  std::string to_text() const;  // "expected value at line 1 column 30"
};

enum class JsonKind : std::uint8_t { kNull, kFalse, kTrue, kNumber, kString, kEscaped, kArray, kObject };

class JsonTape;

// One value of a tape. Cheap to copy.
class JsonNode {
 public:
  JsonKind kind() const;
  bool is_null() const { return kind() == JsonKind::kNull; }
  bool is_bool() const { return kind() == JsonKind::kFalse || kind() == JsonKind::kTrue; }
  bool is_number() const { return kind() == JsonKind::kNumber; }
  bool is_string() const { return kind() == JsonKind::kString || kind() == JsonKind::kEscaped; }
  bool is_array() const { return kind() == JsonKind::kArray; }
  bool is_object() const { return kind() == JsonKind::kObject; }

  std::string_view raw() const;                           // its bytes in the text, quotes and brackets included
  std::string text() const;                               // of a string, without its escapes
  bool text_is(std::string_view wanted) const;            // a string with this text
  double number() const;                                  // of a number; infinite when it is beyond a double
  float nearest_float() const;                            // of a number; infinite when it is beyond a float
  std::optional<std::int64_t> integer() const;            // of a number written as one that fits
  std::optional<std::uint64_t> unsigned_integer() const;  // likewise

  // The values of an array, or the keys and values of an object in turn: `for (JsonNode n = first(); n; n = n.next())`.
  JsonNode first() const;
  JsonNode next() const;
  explicit operator bool() const { return tape_ != nullptr; }
  std::size_t size() const;  // values of an array, members of an object; walks them
  // Of an object: the value of the last member of that name; none when there is none.
  JsonNode find(std::string_view name) const;

  JsonNode() = default;

 private:
  friend class JsonTape;
  JsonNode(const JsonTape* tape, std::uint32_t at, std::uint32_t end) : tape_(tape), at_(at), end_(end) {}
  const JsonTape* tape_ = nullptr;
  std::uint32_t at_ = 0, end_ = 0;  // of the tape; `end_` closes the container that it is in
};

class JsonTape {
 public:
  static tl::expected<JsonTape, JsonFault> parse(std::string_view text);
  JsonNode root() const { return {this, 0, static_cast<std::uint32_t>(entries_.size())}; }
  std::string_view source() const { return text_; }

 private:
  friend class JsonNode;
  friend class JsonTapeBuilder;
  struct Entry {
    std::uint32_t begin;       // in the text; of a closing entry: behind its bracket
    std::uint32_t kind : 3;    // of a closing entry: kNull
    std::uint32_t value : 29;  // bytes of a scalar; of a container the index of its closing entry
  };
  std::string_view text_;
  std::vector<Entry> entries_;
};

// Compact, keys of an object once (the last one counts), numbers and strings as they were written.
void append_compact(std::string& out, JsonNode node);
// A string in quotes, with what must be escaped.
void append_json_text(std::string& out, std::string_view text);
// The shortest text that gives the same float again; "1.0" rather than "1". Not a number: null.
void append_json_float(std::string& out, float value);
void append_json_double(std::string& out, double value);

}  // namespace pandora
