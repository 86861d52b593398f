// Long work on everything that is kept is done by one at a time, whichever gateway began it. Internal to service.
//
// A lock of the cache, held on to as the work goes on. It keeps two from doing the same work twice, and no more: each
// step of that work is right whoever else does it as well (docs/adr/0020), so none is refused because a late holder
// does it. While the cache is away each process goes on by itself. Not thread-safe.
#pragma once
#include <optional>
#include <string>

#include "ports/cache.h"

namespace pandora {

inline constexpr Duration kHeldWithoutAStep = std::chrono::minutes(2);  // then another may begin

class OneAtATime {
 public:
  // kConflict: somebody is at it. `cache` null: there is nobody else. Both outlive it.
  static Result<OneAtATime> begin(Cache* cache, const Clock& clock, std::string what);
  ~OneAtATime();
  OneAtATime(OneAtATime&& other) noexcept;
  OneAtATime(const OneAtATime&) = delete;
  OneAtATime& operator=(const OneAtATime&) = delete;

  // Between two steps. kConflict: a step took so long that another may have begun.
  Status go_on();

 private:
  OneAtATime(Cache* cache, const Clock& clock, std::string what)
      : cache_(cache), clock_(clock), what_(std::move(what)) {}
  Cache* const cache_;
  const Clock& clock_;
  const std::string what_;
  std::optional<CacheLock> lock_;  // none: the cache is away
  SteadyTime held_at_{};
};

}  // namespace pandora
