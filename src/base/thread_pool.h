// A few threads that help whoever asks.
//
// A caller's work is cut into parts whose number depends on the work alone, never on how many threads there are: so the
// answer is the same with none. The caller does parts itself and waits for nobody who has not begun; busy threads cost
// it nothing. Threads start once, not for each query. Thread-safe.
#pragma once
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace pandora {

class ThreadPool {
 public:
  static constexpr std::size_t kMaxThreads = 16;

  // One less than there are processors: the caller works too.
  static std::size_t threads_that_help();

  // At most kMaxThreads are started; with none, callers do everything themselves.
  explicit ThreadPool(std::size_t threads);
  ~ThreadPool();  // nobody is in run()
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  std::size_t threads() const { return threads_.size(); }
  // Calls part(0) … part(parts − 1), each once, and returns when all have. `part` throws nothing and never calls run().
  void run(std::size_t parts, const std::function<void(std::size_t)>& part);

 private:
  struct Job {
    const std::function<void(std::size_t)>& part;
    std::size_t parts;
    std::size_t begun = 0, done = 0;
    std::condition_variable all_done;
  };
  void do_part(Job& job, std::unique_lock<std::mutex>& lock);  // of a job with a part that has not begun
  void help();

  std::mutex mutex_;
  std::condition_variable more_;
  std::deque<Job*> jobs_;  // with parts that have not begun; at most one a caller
  bool ends_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace pandora
