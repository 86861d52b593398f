// Two ascending sequences, read in pages and looked at side by side. Internal to turns.
#pragma once
#include <functional>
#include <vector>

#include "base/result.h"

namespace pandora {

// One side: `next(after)` gives the page above `after` (of a default key: the first), empty at the end.
template <class T, class Key>
class PagedRows {
 public:
  PagedRows(std::function<Result<std::vector<T>>(const std::optional<Key>&)> next, std::function<Key(const T&)> key)
      : next_(std::move(next)), key_(std::move(key)) {}
  // Null: the end.
  Result<const T*> front() {
    if (at_ == page_.size() && !ended_) {
      PANDORA_TRY(page, next_(last_));
      page_ = std::move(page);
      at_ = 0;
      ended_ = page_.empty();
      if (!ended_) last_ = key_(page_.back());
    }
    return ended_ ? nullptr : &page_[at_];
  }
  void pop() { ++at_; }
  Key key(const T& row) const { return key_(row); }

 private:
  std::function<Result<std::vector<T>>(const std::optional<Key>&)> next_;
  std::function<Key(const T&)> key_;
  std::vector<T> page_;
  std::size_t at_ = 0;
  bool ended_ = false;
  std::optional<Key> last_;
};

// Calls `both`, `only_from` or `only_to` for each key, ascending.
template <class T, class Key>
Status merge_rows(PagedRows<T, Key>& from, PagedRows<T, Key>& to, const std::function<Status(const T&, const T&)>& both,
                  const std::function<Status(const T&)>& only_from, const std::function<Status(const T&)>& only_to) {
  for (;;) {
    PANDORA_TRY(a, from.front());
    PANDORA_TRY(b, to.front());
    if (!a && !b) return {};
    if (a && b && from.key(*a) == to.key(*b)) {
      PANDORA_CHECK(both(*a, *b));
      from.pop();
      to.pop();
    } else if (a && (!b || from.key(*a) < to.key(*b))) {
      PANDORA_CHECK(only_from(*a));
      from.pop();
    } else {
      PANDORA_CHECK(only_to(*b));
      to.pop();
    }
  }
}

}  // namespace pandora
