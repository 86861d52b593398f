// A bounded pool for work that may block. What does not fit into its queue is refused, not kept waiting.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace pandora {

class WorkPool {
 public:
  WorkPool(std::size_t threads, std::size_t max_queued);
  ~WorkPool();  // finishes what was begun, drops what was queued
  // False when the queue is full or the pool ends; the work is then destroyed without a call. Its log lines name the
  // request of the submitting thread (base/log.h).
  bool submit(std::function<void()> work);
  std::size_t queued() const;

 private:
  void run();
  const std::size_t max_queued_;
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<std::function<void()>> queue_;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace pandora
