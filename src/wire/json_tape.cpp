#include "wire/json_tape.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <thread>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace pandora {
namespace {

constexpr std::ptrdiff_t kReadAtOnce = 64 * 1024;  // before whoever waits for this processor has his turn
constexpr std::size_t kBytesOfValue = 11;  // fewer make the tape grow: numbers of a vector have so many and more

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

// Eight bytes at once, as a little-endian number: `p` has so many.
constexpr std::size_t kWord = 8;
std::uint64_t word_at(const char* p) {
  static_assert(std::endian::native == std::endian::little);
  std::uint64_t word = 0;
  std::memcpy(&word, p, sizeof word);
  return word;
}
bool are_digits(std::uint64_t word) {  // each 0x30 to 0x39, and so is each with six more
  constexpr std::uint64_t kHigh = 0xF0F0F0F0F0F0F0F0U, kSix = 0x0606060606060606U;
  return ((word & kHigh) | (((word + kSix) & kHigh) >> 4)) == 0x3333333333333333U;
}
// The number that eight digits stand for: neighbours become pairs, pairs fours, fours the whole.
std::uint64_t value_of_digits(std::uint64_t word) {
  word -= 0x3030303030303030U;
  word = word * 10 + (word >> 8);
  constexpr std::uint64_t kPair = 0x000000FF000000FFU, kFirst = 100 + (std::uint64_t{1'000'000} << 32),
                          kSecond = 1 + (std::uint64_t{10'000} << 32);
  return ((word & kPair) * kFirst + ((word >> 16) & kPair) * kSecond) >> 32;
}

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void append_code_point(std::string& out, std::uint32_t code) {
  const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) return put(code);
  if (code < 0x800) return put(0xC0 | code >> 6), put(0x80 | (code & 0x3F));
  if (code < 0x10000) return put(0xE0 | code >> 12), put(0x80 | (code >> 6 & 0x3F)), put(0x80 | (code & 0x3F));
  put(0xF0 | code >> 18), put(0x80 | (code >> 12 & 0x3F)), put(0x80 | (code >> 6 & 0x3F)), put(0x80 | (code & 0x3F));
}

std::uint32_t four_digits(std::string_view text) {
  std::uint32_t code = 0;
  for (const char c : text.substr(0, 4)) code = code << 4 | static_cast<std::uint32_t>(hex_value(c));
  return code;
}

// `inner`: between the quotes, its escapes known to be sound.
std::string unescape(std::string_view inner) {
  std::string out;
  out.reserve(inner.size());
  for (std::size_t i = 0; i < inner.size(); ++i) {
    if (inner[i] != '\\') {
      out += inner[i];
      continue;
    }
    switch (const char c = inner[++i]) {
      case 'b':
        out += '\b';
        break;
      case 'f':
        out += '\f';
        break;
      case 'n':
        out += '\n';
        break;
      case 'r':
        out += '\r';
        break;
      case 't':
        out += '\t';
        break;
      case 'u': {
        std::uint32_t code = four_digits(inner.substr(i + 1));
        i += 4;
        if (code >= 0xD800 && code < 0xDC00) {
          code = 0x10000 + ((code - 0xD800) << 10) + (four_digits(inner.substr(i + 3)) - 0xDC00);
          i += 6;
        }
        append_code_point(out, code);
        break;
      }
      default:
        out += c;  // a quote, a slash or a backslash
    }
  }
  return out;
}

template <class T>
std::optional<T> exact_integer(std::string_view text) {
  T value = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

// Reads a text once, without recursion.
class JsonTapeBuilder {
 public:
  explicit JsonTapeBuilder(std::string_view text) : text_(text), p_(text.data()), end_(p_ + text.size()) {
    tape_.text_ = text;
    tape_.entries_.reserve(text.size() / kBytesOfValue + 8);
  }

  tl::expected<JsonTape, JsonFault> build() {
    if (text_.size() > kMaxJsonTapeBytes) return tl::unexpected(JsonFault{"the text is too long", 1, 0});
    if (!value()) return tl::unexpected(fault_);
    for (const char* rested = p_; !open_.empty();) {
      if (!(in_object() ? member() : element())) return tl::unexpected(fault_);
      if (p_ - rested < kReadAtOnce) continue;
      rested = p_;
      std::this_thread::yield();
    }
    skip_space();
    if (p_ != end_) return fault("trailing characters", 1), tl::unexpected(fault_);
    return std::move(tape_);
  }

 private:
  std::uint32_t offset() const { return static_cast<std::uint32_t>(p_ - text_.data()); }
  bool in_object() const { return tape_.entries_[open_.back()].kind == static_cast<unsigned>(JsonKind::kObject); }
  void skip_space() {
    while (p_ != end_ && is_space(*p_)) ++p_;
  }
  // `ahead`: the byte at fault is the one that stands there, not the one before.
  bool fault(std::string what, std::size_t ahead) {
    const std::string_view seen = text_.substr(0, std::min<std::size_t>(offset() + ahead, text_.size()));
    std::size_t line = 1, from = 0;
    for (std::size_t i = 0; i < seen.size(); ++i)
      if (seen[i] == '\n') ++line, from = i + 1;
    fault_ = {std::move(what), line, seen.size() - from};
    return false;
  }
  void push(JsonKind kind, const char* begin, std::size_t value) {
    tape_.entries_.push_back({static_cast<std::uint32_t>(begin - text_.data()), static_cast<unsigned>(kind) & 7U,
                              static_cast<std::uint32_t>(value) & 0x1FFFFFFFU});
  }

  bool open(JsonKind kind) {
    if (open_.size() == kMaxJsonDepth) return fault("recursion limit exceeded", 1);
    open_.push_back(tape_.entries_.size());
    push(kind, p_++, 0);
    first_ = true;
    return true;
  }
  bool close() {
    ++p_;
    tape_.entries_[open_.back()].value = static_cast<std::uint32_t>(tape_.entries_.size()) & 0x1FFFFFFFU;
    push(JsonKind::kNull, p_, 0);
    open_.pop_back();
    first_ = false;
    return true;
  }

  bool element() {
    skip_space();
    if (p_ == end_) return fault("EOF while parsing a list", 0);
    if (*p_ == ']') return close();
    if (!first_) {
      if (*p_ != ',') return fault("expected `,` or `]`", 1);
      ++p_;
      skip_space();
      if (p_ != end_ && *p_ == ']') return fault("trailing comma", 1);
    }
    return value();
  }
  bool member() {
    skip_space();
    if (p_ == end_) return fault("EOF while parsing an object", 0);
    if (*p_ == '}') return close();
    if (!first_) {
      if (*p_ != ',') return fault("expected `,` or `}`", 1);
      ++p_;
      skip_space();
      if (p_ == end_) return fault("EOF while parsing an object", 0);
      if (*p_ == '}') return fault("trailing comma", 1);
    }
    if (*p_ != '"') return fault("key must be a string", 1);
    if (!string()) return false;
    skip_space();
    if (p_ == end_) return fault("EOF while parsing an object", 0);
    if (*p_ != ':') return fault("expected `:`", 1);
    ++p_;
    return value();
  }
  bool value() {
    skip_space();
    if (p_ == end_) return fault("EOF while parsing a value", 0);
    first_ = false;
    switch (*p_) {
      case '{':
        return open(JsonKind::kObject);
      case '[':
        return open(JsonKind::kArray);
      case '"':
        return string();
      case 't':
        return word("true", JsonKind::kTrue);
      case 'f':
        return word("false", JsonKind::kFalse);
      case 'n':
        return word("null", JsonKind::kNull);
      default:
        return *p_ == '-' || is_digit(*p_) ? number() : fault("expected value", 1);
    }
  }
  bool word(std::string_view wanted, JsonKind kind) {
    if (!std::string_view(p_, static_cast<std::size_t>(end_ - p_)).starts_with(wanted))
      return fault("expected ident", 1);
    push(kind, p_, wanted.size());
    p_ += wanted.size();
    return true;
  }
  bool number() {
    const char* begin = p_;
    if (*p_ == '-') ++p_;
    if (p_ == end_) return fault("EOF while parsing a value", 0);
    if (!is_digit(*p_)) return fault("invalid number", 1);
    if (*p_++ == '0' && p_ != end_ && is_digit(*p_)) return fault("invalid number", 1);
    while (p_ != end_ && is_digit(*p_)) ++p_;
    if (p_ != end_ && *p_ == '.') {
      ++p_;
      if (!digits()) return false;
    }
    if (p_ != end_ && (*p_ == 'e' || *p_ == 'E')) {
      ++p_;
      if (p_ != end_ && (*p_ == '+' || *p_ == '-')) ++p_;
      if (!digits()) return false;
    }
    push(JsonKind::kNumber, begin, static_cast<std::size_t>(p_ - begin));
    return true;
  }
  bool digits() {
    if (p_ == end_) return fault("EOF while parsing a value", 0);
    if (!is_digit(*p_)) return fault("invalid number", 1);
    while (end_ - p_ >= static_cast<std::ptrdiff_t>(kWord) && are_digits(word_at(p_))) p_ += kWord;
    while (p_ != end_ && is_digit(*p_)) ++p_;
    return true;
  }
  bool string() {
    const char* begin = p_++;
    bool escaped = false, wide = false;
    for (;; ++p_) {
      if (p_ == end_) return fault("EOF while parsing a string", 0);
      const auto c = static_cast<unsigned char>(*p_);
      if (c == '"') break;
      if (c < 0x20) return fault("control character (\\u0000-\\u001F) found while parsing a string", 1);
      wide |= c >= 0x80;
      if (c == '\\') {
        escaped = true;
        if (!escape()) return false;
      }
    }
    ++p_;
    const auto bytes = static_cast<std::size_t>(p_ - begin);
    if (wide && !is_valid_utf8({begin, bytes})) return fault("invalid unicode code point", 0);
    push(escaped ? JsonKind::kEscaped : JsonKind::kString, begin, bytes);
    return true;
  }
  // Stands on the backslash; ends on the last byte of the escape.
  bool escape() {
    ++p_;
    if (p_ == end_) return fault("EOF while parsing a string", 0);
    if (*p_ != 'u') return std::strchr("\"\\/bfnrt", *p_) && *p_ != '\0' ? true : fault("invalid escape", 1);
    const auto first = unit();
    if (!first) return false;
    if (*first >= 0xDC00 && *first < 0xE000) return fault("lone leading surrogate in hex escape", 1);
    if (*first < 0xD800 || *first >= 0xE000) return true;
    if (end_ - p_ < 3 || p_[1] != '\\' || p_[2] != 'u') return fault("unexpected end of hex escape", 1);
    p_ += 2;
    const auto second = unit();
    if (!second) return false;
    return *second >= 0xDC00 && *second < 0xE000 ? true : fault("lone leading surrogate in hex escape", 1);
  }
  std::optional<std::uint32_t> unit() {  // stands on the u; ends on the last digit
    std::uint32_t code = 0;
    for (int i = 0; i < 4; ++i) {
      ++p_;
      if (p_ == end_) return fault("EOF while parsing a string", 0), std::nullopt;
      const int digit = hex_value(*p_);
      if (digit < 0) return fault("invalid escape", 1), std::nullopt;
      code = code << 4 | static_cast<std::uint32_t>(digit);
    }
    return code;
  }

  std::string_view text_;
  const char *p_, *end_;
  JsonTape tape_;
  std::vector<std::size_t> open_;
  bool first_ = false;  // nothing stands in the innermost container yet
  JsonFault fault_;
};

std::string JsonFault::to_text() const { return fmt::format("{} at line {} column {}", what, line, column); }

tl::expected<JsonTape, JsonFault> JsonTape::parse(std::string_view text) { return JsonTapeBuilder(text).build(); }

JsonKind JsonNode::kind() const { return static_cast<JsonKind>(tape_->entries_[at_].kind); }

std::string_view JsonNode::raw() const {
  const auto& entry = tape_->entries_[at_];
  const bool container = is_array() || is_object();
  return tape_->text_.substr(entry.begin, container ? tape_->entries_[entry.value].begin - entry.begin : entry.value);
}

std::string JsonNode::text() const {
  const std::string_view quoted = raw(), inner = quoted.substr(1, quoted.size() - 2);
  return kind() == JsonKind::kEscaped ? unescape(inner) : std::string(inner);
}

bool JsonNode::text_is(std::string_view wanted) const {
  if (kind() == JsonKind::kEscaped) return text() == wanted;
  const std::string_view quoted = raw();
  return kind() == JsonKind::kString && quoted.substr(1, quoted.size() - 2) == wanted;
}

double JsonNode::number() const {
  const std::string_view digits = raw();
  double value = 0;
  const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (fault != std::errc::result_out_of_range) return value;
  // Too small is zero; too large is infinite.
  const auto exponent = digits.find_first_of("eE");
  const bool small = exponent != std::string_view::npos && digits[exponent + 1] == '-';
  if (small) return 0;
  return digits.front() == '-' ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
}

// Most numbers of a vector are a whole number of few digits over a power of ten, both exact as doubles: the quotient is
// the nearest double. The float nearest to that is the nearest of all unless the double lies half way between two
// floats (then it may have been rounded to there), or is too small for a float of full precision.
float JsonNode::nearest_float() const {
  static constexpr double kPowers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8, 1e9,
                                       1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18};
  constexpr std::ptrdiff_t kMostDigits = 19;  // with a point: no more fit into 64 bits for sure
  constexpr std::uint64_t kExact = std::uint64_t{1} << 53, kBelowFloat = 0x1FFFFFFF, kHalf = 0x10000000;
  const std::string_view text = raw();
  const char *p = text.data(), *const end = p + text.size();
  const bool negative = *p == '-';
  const char* const first = p += negative ? 1 : 0;
  std::uint64_t digits = 0;  // of too many it is not used
  const auto take = [&] {
    while (end - p >= static_cast<std::ptrdiff_t>(kWord) && are_digits(word_at(p)))
      digits = digits * 100'000'000 + value_of_digits(word_at(p)), p += kWord;
    for (; p != end && is_digit(*p); ++p) digits = digits * 10 + static_cast<std::uint64_t>(*p - '0');
  };
  take();
  std::ptrdiff_t behind = 0;  // the point
  if (p != end && *p == '.') {
    const char* const point = ++p;
    take();
    behind = p - point;
  }
  if (p == end && p - first <= kMostDigits && digits <= kExact) {
    const double value = static_cast<double>(digits) / kPowers[behind];
    const bool normal = digits == 0 || value >= static_cast<double>(std::numeric_limits<float>::min());
    if (normal && (std::bit_cast<std::uint64_t>(value) & kBelowFloat) != kHalf)
      return static_cast<float>(negative ? -value : value);
  }
  float value = 0;
  const auto [stop, fault] = std::from_chars(text.data(), end, value);
  return fault == std::errc() ? value : static_cast<float>(number());
}

std::optional<std::int64_t> JsonNode::integer() const {
  return is_number() ? exact_integer<std::int64_t>(raw()) : std::nullopt;
}
std::optional<std::uint64_t> JsonNode::unsigned_integer() const {
  return is_number() ? exact_integer<std::uint64_t>(raw()) : std::nullopt;
}

JsonNode JsonNode::first() const {
  if (!is_array() && !is_object()) return {};
  const std::uint32_t close = tape_->entries_[at_].value;
  return at_ + 1 == close ? JsonNode() : JsonNode(tape_, at_ + 1, close);
}

JsonNode JsonNode::next() const {
  const auto& entry = tape_->entries_[at_];
  const std::uint32_t after = (is_array() || is_object() ? entry.value : at_) + 1;
  return after >= end_ ? JsonNode() : JsonNode(tape_, after, end_);
}

std::size_t JsonNode::size() const {
  std::size_t count = 0;
  for (JsonNode n = first(); n; n = n.next()) ++count;
  return is_object() ? count / 2 : count;
}

JsonNode JsonNode::find(std::string_view name) const {
  JsonNode found;
  if (!is_object()) return found;
  for (JsonNode key = first(); key; key = key.next()) {
    const JsonNode value = key.next();
    if (key.text_is(name)) found = value;
    key = value;
  }
  return found;
}

namespace {

constexpr std::size_t kFewMembers = 16;

// Whether a later member of the same object has this key: it then takes this one's place. For every member of a small
// object by looking, of a large one by a table.
class LastMembers {
 public:
  explicit LastMembers(JsonNode object) {
    if (object.size() <= kFewMembers) return;
    for (JsonNode key = object.first(); key; key = key.next().next()) last_[key.text()] = key.raw().data();
  }
  bool is_last(JsonNode key) const {
    if (!last_.empty()) return last_.at(key.text()) == key.raw().data();
    for (JsonNode later = key.next().next(); later; later = later.next().next())
      if (later.raw() == key.raw() || (later.kind() != key.kind() && later.text() == key.text())) return false;
    return true;
  }

 private:
  std::unordered_map<std::string, const char*> last_;
};

}  // namespace

void append_compact(std::string& out, JsonNode node) {
  const char* separator = "";
  if (node.is_array()) {
    out += '[';
    for (JsonNode value = node.first(); value; value = value.next()) {
      out += std::exchange(separator, ",");
      append_compact(out, value);
    }
    out += ']';
  } else if (node.is_object()) {
    const LastMembers members(node);
    out += '{';
    for (JsonNode key = node.first(); key; key = key.next().next()) {
      if (!members.is_last(key)) continue;
      out += std::exchange(separator, ",");
      out += key.raw();
      out += ':';
      append_compact(out, key.next());
    }
    out += '}';
  } else {
    out += node.raw();
  }
}

void append_json_text(std::string& out, std::string_view text) {
  const auto must_be_escaped = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\'; };
  out += '"';
  for (;;) {
    const auto special = std::ranges::find_if(text, must_be_escaped);
    const auto plain = static_cast<std::size_t>(special - text.begin());
    out += text.substr(0, plain);
    if (plain == text.size()) break;
    constexpr std::string_view kShort = "\"\\\b\f\n\r\t", kLetter = "\"\\bfnrt";
    if (const auto at = kShort.find(*special); at != kShort.npos)
      (out += '\\') += kLetter[at];
    else
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(*special));
    text.remove_prefix(plain + 1);
  }
  out += '"';
}

namespace {
template <class T>
void append_shortest(std::string& out, T value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  std::array<char, 40> digits;
  const auto [end, fault] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  const std::string_view text(digits.data(), static_cast<std::size_t>(end - digits.data()));
  out += text;
  if (text.find_first_of(".e") == std::string_view::npos) out += ".0";
}
}  // namespace

void append_json_float(std::string& out, float value) { append_shortest(out, value); }
void append_json_double(std::string& out, double value) { append_shortest(out, value); }

}  // namespace pandora
