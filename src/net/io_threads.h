// The threads that wait for sockets; servers and clients live on them.
//
// One is enough for thousands of connections: it only moves bytes, and nothing on it may block. A connection stays on
// the thread it began on. Outlives every server and client that uses it.
#pragma once
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "base/clock.h"

namespace pandora {

class EventLoop;

inline constexpr int kMaxIoThreads = 64;

class IoThreads {
 public:
  // `count` is held within 1 and kMaxIoThreads. Limits of time are measured with `clock`.
  explicit IoThreads(const Clock& clock, int count = 1);
  ~IoThreads();
  IoThreads(const IoThreads&) = delete;
  IoThreads& operator=(const IoThreads&) = delete;

  std::size_t size() const { return loops_.size(); }
  const Clock& clock() const { return clock_; }
  const std::shared_ptr<EventLoop>& loop(std::size_t i) const { return loops_[i]; }
  // The calling thread's place among them; SIZE_MAX when it is none of them.
  std::size_t current() const;
  // On the calling thread, one of them: runs `work` when what has come there by now was taken up. False, without a
  // call, on any other thread. What waits when they end is destroyed without a call.
  bool soon(std::function<void()> work);

 private:
  const Clock& clock_;
  std::vector<std::shared_ptr<EventLoop>> loops_;
  std::vector<std::thread> threads_;
};

}  // namespace pandora
