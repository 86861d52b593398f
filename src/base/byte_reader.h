// Values as they lie in memory (little-endian), taken off bytes one behind the other and never past their end.
//
// What is not there is taken as zero, or as nothing; so is everything behind it, and `ok` says so. A caller takes what
// he expects and asks once, at the end; where he goes on as often as the bytes say, each time.
#pragma once
#include <bit>
#include <cstring>
#include <string_view>
#include <type_traits>
#include <vector>

namespace pandora {

class ByteReader {
 public:
  static_assert(std::endian::native == std::endian::little);

  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}

  template <class T>
  T take() {
    // A byte may be anything; a bool may not.
    static_assert(std::is_trivially_copyable_v<T> && !std::is_same_v<T, bool>);
    T value{};
    if (const std::string_view taken = take_bytes(sizeof value); !taken.empty())
      std::memcpy(&value, taken.data(), sizeof value);
    return value;
  }
  // No memory is taken for more than there is.
  template <class T>
  std::vector<T> take_array(std::size_t count) {
    static_assert(std::is_trivially_copyable_v<T> && !std::is_same_v<T, bool>);
    if (count > bytes_.size() / sizeof(T)) return fail(), std::vector<T>();
    std::vector<T> values(count);
    if (count > 0) std::memcpy(values.data(), take_bytes(count * sizeof(T)).data(), count * sizeof(T));
    return values;
  }
  std::string_view take_bytes(std::size_t count) {  // of what it reads
    if (count > bytes_.size()) return fail(), std::string_view();
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return taken;
  }
  // Behind how many they are.
  template <class Size>
  std::string_view take_sized() {
    return take_bytes(take<Size>());
  }

  std::size_t left() const { return bytes_.size(); }
  bool ok() const { return ok_; }
  bool finished() const { return ok_ && bytes_.empty(); }  // nothing is left, and nothing was missing

 private:
  void fail() {
    ok_ = false;
    bytes_ = {};
  }
  std::string_view bytes_;
  bool ok_ = true;
};

}  // namespace pandora
