#include "base/scheduling.h"

#include <algorithm>
#include <thread>

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace pandora {
namespace {

int nice_of_this_thread() { return ::getpriority(PRIO_PROCESS, static_cast<id_t>(::gettid())); }

TEST(Scheduling, a_thread_that_works_behind_others_is_the_only_one_that_does) {
  if (::sched_getscheduler(0) != SCHED_OTHER) GTEST_SKIP() << "somebody else has decided how this process is scheduled";
  alignas(8) char attributes[48];
  if (::syscall(SYS_sched_getattr, 0, attributes, sizeof attributes, 0) != 0 ||
      ::syscall(SYS_sched_setattr, 0, attributes, 0) != 0)
    GTEST_SKIP() << "this system does not take such wishes";
  const int before = nice_of_this_thread();
  int behind = 0, twice = 0, with_short_turns = 0;
  std::thread([&] {
    work_behind_others();
    behind = nice_of_this_thread();
    work_behind_others();
    twice = nice_of_this_thread();
  }).join();
  std::thread([&] {
    take_short_turns();
    with_short_turns = nice_of_this_thread();
  }).join();
  EXPECT_EQ(behind, std::min(before + 5, 19));
  EXPECT_EQ(twice, std::min(before + 10, 19));
  EXPECT_EQ(with_short_turns, before);
  EXPECT_EQ(nice_of_this_thread(), before);
}

}  // namespace
}  // namespace pandora
