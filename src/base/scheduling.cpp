#include "base/scheduling.h"

#include <algorithm>
#include <cstdint>

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace pandora {
namespace {

constexpr std::uint64_t kShortTurn = 200'000, kLongTurn = 10'000'000;  // ns; of a usual thread: 1 to 3 million
constexpr std::int32_t kBehind = 5, kLastNice = 19;

// Of sched_setattr(2), which glibc has not had for long.
struct Attributes {
  std::uint32_t size = sizeof(Attributes), policy = 0;
  std::uint64_t flags = 0;
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t runtime = 0;  // of a usual thread: how long its turns are
  std::uint64_t deadline = 0, period = 0;
};

void change(std::int32_t nicer, std::uint64_t turn) {
  Attributes attributes;
  if (::syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0) return;
  if (attributes.policy != SCHED_OTHER && attributes.policy != SCHED_BATCH) return;  // somebody else has decided
  attributes.nice = std::min(attributes.nice + nicer, kLastNice);
  attributes.runtime = turn;
  (void)::syscall(SYS_sched_setattr, 0, &attributes, 0);
}

}  // namespace

void take_short_turns() { change(0, kShortTurn); }

void work_behind_others() { change(kBehind, kLongTurn); }

}  // namespace pandora
