#include "base/thread_pool.h"

#include <atomic>
#include <latch>

#include <gtest/gtest.h>

namespace pandora {
namespace {

TEST(ThreadPool, does_each_part_once_however_many_threads_there_are) {
  for (const std::size_t threads : {0, 1, 3}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (const std::size_t parts : {0, 1, 2, 100}) {
      std::vector<std::atomic<int>> done(parts);
      pool.run(parts, [&](std::size_t part) { ++done[part]; });
      for (const auto& one : done) EXPECT_EQ(one, 1);
    }
  }
}

TEST(ThreadPool, never_starts_more_threads_than_its_maximum) {
  EXPECT_EQ(ThreadPool(ThreadPool::kMaxThreads).threads(), ThreadPool::kMaxThreads);
  EXPECT_EQ(ThreadPool(ThreadPool::kMaxThreads + 1).threads(), ThreadPool::kMaxThreads);
}

TEST(ThreadPool, really_helps) {
  ThreadPool pool(1);
  std::latch both(2);  // neither part ends before the other has begun
  pool.run(2, [&](std::size_t) { both.arrive_and_wait(); });
  EXPECT_TRUE(both.try_wait());
}

TEST(ThreadPool, a_caller_waits_for_no_thread_that_is_busy_elsewhere) {
  ThreadPool pool(1);
  std::latch begun(2), end(1);
  std::thread other([&] {
    pool.run(2, [&](std::size_t) {  // keeps the only thread, and its own
      begun.count_down();
      end.wait();
    });
  });
  begun.wait();
  std::atomic<int> done = 0;
  pool.run(10, [&](std::size_t) { ++done; });
  EXPECT_EQ(done, 10);
  end.count_down();
  other.join();
}

TEST(ThreadPool, serves_many_callers_at_once) {
  ThreadPool pool(3);
  std::atomic<int> done = 0;
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i)
    callers.emplace_back([&] {
      for (int round = 0; round < 200; ++round) pool.run(5, [&](std::size_t) { ++done; });
    });
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(done, 8 * 200 * 5);
}

}  // namespace
}  // namespace pandora
