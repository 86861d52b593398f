#include "net/io_threads.h"

#include <algorithm>

#include <pthread.h>
#include <signal.h>

#include "base/scheduling.h"
#include "net/event_loop.h"

namespace pandora {
namespace {

// Signals are for the main thread.
void block_signals() {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

IoThreads::IoThreads(const Clock& clock, int count) : clock_(clock) {
  for (int i = 0; i < std::clamp(count, 1, kMaxIoThreads); ++i) loops_.push_back(EventLoop::create(clock));
  for (const auto& loop : loops_)
    threads_.emplace_back([&loop] {
      block_signals();
      take_short_turns();
      loop->run();
    });
}

IoThreads::~IoThreads() {
  for (const auto& loop : loops_) loop->stop();
  for (auto& thread : threads_) thread.join();
}

std::size_t IoThreads::current() const {
  for (std::size_t i = 0; i < loops_.size(); ++i)
    if (loops_[i]->is_current()) return i;
  return SIZE_MAX;
}

// Behind what the system has said is ready: the loop takes that up in its order.
bool IoThreads::soon(std::function<void()> work) {
  const std::size_t here = current();
  if (here == SIZE_MAX) return false;
  loops_[here]->post(std::move(work));
  return true;
}

}  // namespace pandora
