#include "wire/json_skim.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/text.h"

namespace pandora {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// In eight bytes at once: is one a quote, a backslash, a control character or beyond ASCII?
bool has_mark(const char* at) {
  constexpr std::uint64_t kOnes = 0x0101010101010101u, kHigh = 0x8080808080808080u;
  std::uint64_t eight = 0;
  std::memcpy(&eight, at, sizeof eight);
  const auto holds = [&](std::uint64_t byte) {
    const std::uint64_t other = eight ^ (kOnes * byte);
    return (other - kOnes) & ~other;
  };
  return ((eight | holds('"') | holds('\\') | ((eight - kOnes * 0x20) & ~eight)) & kHigh) != 0;
}

class Reader {
 public:
  explicit Reader(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}
  const char* at() const { return at_; }
  bool ended() const { return at_ == end_; }
  bool saw_more_than_ascii() const { return high_; }

  void skip_space() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }
  bool take(char c) {
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }

  bool string() {
    if (!take('"')) return false;
    for (;;) {
      while (end_ - at_ >= 8 && !has_mark(at_)) at_ += 8;
      if (at_ == end_) return false;
      const auto byte = static_cast<unsigned char>(*at_++);
      if (byte == '"') return true;
      if (byte < 0x20) return false;
      if (byte == '\\' && !escape()) return false;
      high_ = high_ || byte >= 0x80;
    }
  }

  bool value(std::size_t depth, SkimmedKind& kind) {
    if (at_ == end_ || depth > kMaxSkimDepth) return false;
    switch (*at_) {
      case '"':
        kind = SkimmedKind::kString;
        return string();
      case '{':
        kind = SkimmedKind::kObject;
        return all_of('{', '}', [&] { return field(depth); });
      case '[':
        kind = SkimmedKind::kArray;
        return all_of('[', ']', [&] {
          SkimmedKind inner{};
          return value(depth + 1, inner);
        });
      case 't':
        kind = SkimmedKind::kBoolean;
        return word("true");
      case 'f':
        kind = SkimmedKind::kBoolean;
        return word("false");
      case 'n':
        kind = SkimmedKind::kNull;
        return word("null");
      default:
        kind = SkimmedKind::kNumber;
        return number();
    }
  }

  // open one , one , … close, with space between.
  template <class One>
  bool all_of(char open, char close, One one) {
    if (!take(open)) return false;
    skip_space();
    if (take(close)) return true;
    for (;;) {
      skip_space();
      if (!one()) return false;
      skip_space();
      if (take(close)) return true;
      if (!take(',')) return false;
    }
  }

 private:
  bool field(std::size_t depth) {
    if (!string()) return false;
    skip_space();
    if (!take(':')) return false;
    skip_space();
    SkimmedKind inner{};
    return value(depth + 1, inner);
  }
  bool word(std::string_view whole) {
    if (!std::string_view(at_, static_cast<std::size_t>(end_ - at_)).starts_with(whole)) return false;
    at_ += whole.size();
    return true;
  }
  bool digits() {
    if (at_ == end_ || !is_digit(*at_)) return false;
    while (at_ != end_ && is_digit(*at_)) ++at_;
    return true;
  }
  bool number() {
    take('-');
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      return digits();
    }
    return true;
  }
  bool hex(unsigned& code) {
    if (end_ - at_ < 4) return false;
    code = 0;
    for (int i = 0; i < 4; ++i) {
      const char c = *at_++;
      const int digit = is_digit(c)            ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) return false;
      code = code << 4 | static_cast<unsigned>(digit);
    }
    return true;
  }
  bool escape() {
    if (at_ == end_) return false;
    const char c = *at_++;
    if (c != 'u') return std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos;
    unsigned code = 0, low = 0;
    if (!hex(code)) return false;
    if (code >= 0xDC00 && code <= 0xDFFF) return false;
    if (code < 0xD800 || code > 0xDBFF) return true;
    return take('\\') && take('u') && hex(low) && low >= 0xDC00 && low <= 0xDFFF;
  }

  const char* at_;
  const char* end_;
  bool high_ = false;
};

bool is_whole(Reader& reader, std::string_view text) {
  reader.skip_space();
  return reader.ended() && (!reader.saw_more_than_ascii() || is_valid_utf8(text));
}

std::string_view between(const char* from, const char* to) { return {from, static_cast<std::size_t>(to - from)}; }

}  // namespace

std::string_view SkimmedValue::plain() const {
  if (kind != SkimmedKind::kString || text.find('\\') != std::string_view::npos) return {};
  return text.substr(1, text.size() - 2);
}

bool SkimmedObject::add(const SkimmedValue& value) {
  if (count_ == kMaxSkimmed) return false;
  values_[count_++] = value;
  return true;
}

bool SkimmedObject::read(std::string_view text) {
  count_ = 0;
  Reader reader(text);
  reader.skip_space();
  const bool read = reader.all_of('{', '}', [&] {
    const char* from = reader.at();
    if (!reader.string()) return false;
    SkimmedValue value;
    value.name = between(from + 1, reader.at() - 1);
    if (value.name.find('\\') != std::string_view::npos || find(value.name)) return false;
    reader.skip_space();
    if (!reader.take(':')) return false;
    reader.skip_space();
    from = reader.at();
    if (!reader.value(1, value.kind)) return false;
    value.text = between(from, reader.at());
    return add(value);
  });
  return read && is_whole(reader, text);
}

bool skim_elements(std::string_view text, const std::function<bool(const SkimmedValue&)>& take) {
  Reader reader(text);
  reader.skip_space();
  const bool read = reader.all_of('[', ']', [&] {
    const char* from = reader.at();
    SkimmedValue value;
    if (!reader.value(1, value.kind)) return false;
    value.text = between(from, reader.at());
    return take(value);
  });
  return read && is_whole(reader, text);
}

const SkimmedValue* SkimmedObject::find(std::string_view name) const {
  const auto* found = std::find_if(begin(), end(), [&](const SkimmedValue& value) { return value.name == name; });
  return found == end() ? nullptr : found;
}

bool SkimmedObject::has(std::string_view name, SkimmedKind kind) const {
  const auto* found = find(name);
  return found && found->kind == kind;
}

std::string SkimmedObject::without(std::initializer_list<std::string_view> names) const {
  std::size_t bytes = 2;
  for (const auto& value : *this) bytes += value.name.size() + value.text.size() + 4;
  std::string out;
  out.reserve(bytes);
  out += '{';
  for (const auto& value : *this) {
    if (std::ranges::find(names, value.name) != names.end()) continue;
    if (out.size() > 1) out += ',';
    out.append("\"").append(value.name).append("\":").append(value.text);
  }
  return out += '}';
}

}  // namespace pandora
