#include "service/one_at_a_time.h"

#include <utility>

#include <fmt/format.h>

#include "base/log.h"

namespace pandora {
namespace {

constexpr Duration kPatience = std::chrono::seconds(5);  // with the cache, whose own limit is lower

}  // namespace

Result<OneAtATime> OneAtATime::begin(Cache* cache, const Clock& clock, std::string what) {
  OneAtATime mine(cache, clock, std::move(what));
  if (!cache) return mine;
  auto lock = cache->lock("maintenance:" + mine.what_, kHeldWithoutAStep, Deadline::after(clock, kPatience));
  if (!lock && lock.error().code == ErrorCode::kConflict)
    return fail(ErrorCode::kConflict, fmt::format("{} is under way already", mine.what_),
                fmt::format("wait for it; one that died is forgotten after {} minutes",
                            kHeldWithoutAStep / std::chrono::minutes(1)));
  if (!lock) {
    log_warn("maintenance.alone", {{"what", mine.what_}, {"why", lock.error().to_line()}});
    return mine;
  }
  mine.lock_ = *std::move(lock);
  mine.held_at_ = clock.steady();
  return mine;
}

OneAtATime::OneAtATime(OneAtATime&& other) noexcept
    : cache_(other.cache_),
      clock_(other.clock_),
      what_(other.what_),
      lock_(std::exchange(other.lock_, std::nullopt)),
      held_at_(other.held_at_) {}

OneAtATime::~OneAtATime() {
  if (lock_) (void)cache_->unlock(*lock_, Deadline::after(clock_, kPatience));  // otherwise it ends by itself
}

Status OneAtATime::go_on() {
  if (!lock_ || clock_.steady() - held_at_ < kHeldWithoutAStep / 4) return {};
  const auto held = cache_->extend(*lock_, kHeldWithoutAStep, Deadline::after(clock_, kPatience));
  if (!held) return {};  // it is away: nobody else gets the lock there either
  if (!*held) {
    lock_.reset();
    return fail(ErrorCode::kConflict, fmt::format("{} stood still for so long that another may have begun", what_),
                "run it again");
  }
  held_at_ = clock_.steady();
  return {};
}

}  // namespace pandora
