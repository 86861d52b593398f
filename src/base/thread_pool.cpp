#include "base/thread_pool.h"

#include <algorithm>

namespace pandora {

std::size_t ThreadPool::threads_that_help() {
  const std::size_t processors = std::thread::hardware_concurrency();  // 0: unknown
  return processors > 1 ? processors - 1 : 0;
}

ThreadPool::ThreadPool(std::size_t threads) {
  for (std::size_t i = 0; i < std::min(threads, kMaxThreads); ++i) threads_.emplace_back([this] { help(); });
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  more_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void ThreadPool::do_part(Job& job, std::unique_lock<std::mutex>& lock) {
  const std::size_t number = job.begun++;
  if (job.begun == job.parts) std::erase(jobs_, &job);
  lock.unlock();
  job.part(number);
  lock.lock();
  if (++job.done == job.parts) job.all_done.notify_all();  // under the lock: the job lives on its caller's stack
}

void ThreadPool::help() {
  std::unique_lock lock(mutex_);
  for (;;) {
    more_.wait(lock, [this] { return ends_ || !jobs_.empty(); });
    if (ends_) return;
    do_part(*jobs_.front(), lock);
  }
}

void ThreadPool::run(std::size_t parts, const std::function<void(std::size_t)>& part) {
  if (parts == 0) return;
  if (parts == 1 || threads_.empty()) {
    for (std::size_t number = 0; number < parts; ++number) part(number);
    return;
  }
  Job job{part, parts};
  std::unique_lock lock(mutex_);
  jobs_.push_back(&job);
  more_.notify_all();
  while (job.begun < job.parts) do_part(job, lock);
  job.all_done.wait(lock, [&] { return job.done == job.parts; });
}

}  // namespace pandora
