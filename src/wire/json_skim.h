// One level of a JSON text, found without taking the rest apart: for what is forwarded as it came.
//
// All of the text is checked (RFC 8259, UTF-8 with paired surrogates). Whoever is told `false` reads it the slow way,
// by json_reader.h, which also knows what to say of it: the text is no such value, or is one that a parser would have
// to settle (a name that stands twice or is written with an escape), or is past a maximum below. Pure; allocates
// nothing.
#pragma once
#include <array>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

namespace pandora {

inline constexpr std::size_t kMaxSkimmed = 32;    // fields of the object
inline constexpr std::size_t kMaxSkimDepth = 64;  // of what they hold

enum class SkimmedKind { kNull, kBoolean, kNumber, kString, kArray, kObject };
struct SkimmedValue {
  std::string_view name;  // of a field; of an element empty
  std::string_view text;  // as it stands there; a string's with its quotes
  SkimmedKind kind = SkimmedKind::kNull;
  // A string without escapes; otherwise empty.
  std::string_view plain() const;
  bool is(SkimmedKind a_kind) const { return kind == a_kind; }
};

// An object's fields; they refer to its text.
class SkimmedObject {
 public:
  bool read(std::string_view text);
  const SkimmedValue* find(std::string_view name) const;  // null: there is none
  const SkimmedValue* begin() const { return values_.data(); }
  const SkimmedValue* end() const { return values_.data() + count_; }
  std::size_t size() const { return count_; }
  bool has(std::string_view name, SkimmedKind kind) const;
  // The object again, without these fields.
  std::string without(std::initializer_list<std::string_view> names) const;

 private:
  bool add(const SkimmedValue& value);
  std::array<SkimmedValue, kMaxSkimmed> values_;
  std::size_t count_ = 0;
};

// An array's elements, in order, until `take` says false.
bool skim_elements(std::string_view text, const std::function<bool(const SkimmedValue& element)>& take);

}  // namespace pandora
