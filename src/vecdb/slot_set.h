// A set of slots, one bit each: what a filter lets pass. 100,000 slots are 12.5 KB, and combining two sets is a
// microsecond.
#pragma once
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "vecdb/hit.h"
#include "vecdb/kernels.h"

namespace pandora {

class SlotSet {
 public:
  static constexpr std::size_t kWordBits = 64;

  void insert(Slot slot) {
    if (slot / kWordBits >= words_.size()) words_.resize(slot / kWordBits + 1);
    words_[slot / kWordBits] |= bit(slot);
  }
  void erase(Slot slot) {
    if (slot / kWordBits < words_.size()) words_[slot / kWordBits] &= ~bit(slot);
  }
  bool contains(Slot slot) const { return (word(slot / kWordBits) & bit(slot)) != 0; }
  std::size_t count() const {
    std::size_t sum = 0;
    for (const std::uint64_t w : words_) sum += static_cast<std::size_t>(std::popcount(w));
    return sum;
  }

  SlotSet& operator|=(const SlotSet& other) {
    if (other.words_.size() > words_.size()) words_.resize(other.words_.size());
    for (std::size_t i = 0; i < other.words_.size(); ++i) words_[i] |= other.words_[i];
    return *this;
  }
  SlotSet& operator&=(const SlotSet& other) {
    words_.resize(std::min(words_.size(), other.words_.size()));
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] &= other.words_[i];
    return *this;
  }
  SlotSet& operator-=(const SlotSet& other) {
    const std::size_t common = std::min(words_.size(), other.words_.size());
    for (std::size_t i = 0; i < common; ++i) words_[i] &= ~other.words_[i];
    return *this;
  }

  // Also the slots of a set that was counted from `first` on, a multiple of 64.
  void add_at(Slot first, std::span<const std::uint64_t> words) {
    const std::size_t at = first / kWordBits;
    if (at + words.size() > words_.size()) words_.resize(at + words.size());
    for (std::size_t i = 0; i < words.size(); ++i) words_[at + i] |= words[i];
  }
  // The 64 slots behind the last word there is.
  void append_word(std::uint64_t word) { words_.push_back(word); }
  // 64 slots at once; beyond the last there are none.
  std::uint64_t word(std::size_t index) const { return index < words_.size() ? words_[index] : 0; }
  std::span<const std::uint64_t> words() const { return words_; }

  // Calls visit(slot) for each, ascending.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (std::size_t i = 0; i < words_.size(); ++i)
      for (std::uint64_t w = words_[i]; w != 0; w &= w - 1)
        visit(static_cast<Slot>(i * kWordBits + static_cast<std::size_t>(std::countr_zero(w))));
  }

 private:
  static std::uint64_t bit(Slot slot) { return std::uint64_t{1} << (slot % kWordBits); }
  std::vector<std::uint64_t> words_;
};

// How many are in both.
inline std::size_t count_common(const SlotSet& a, const SlotSet& b, const Kernels& kernels) {
  return kernels.count_common(a.words().data(), b.words().data(), std::min(a.words().size(), b.words().size()));
}

// Which, ascending, and how many: the slots of `out`, which has room for so many and kListedBeyond.
inline std::size_t list_common(const SlotSet& a, const SlotSet& b, const Kernels& kernels, Candidate* out) {
  return kernels.list_common(a.words().data(), b.words().data(), std::min(a.words().size(), b.words().size()), out);
}

}  // namespace pandora
