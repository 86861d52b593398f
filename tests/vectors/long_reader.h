// Somebody who reads until he is let go, on a thread of his own; and a writer who waits behind him.
#pragma once
#include <future>
#include <optional>
#include <thread>

#include "vectors/collection_memory.h"

namespace pandora::qdrant {

class LongReader {
 public:
  explicit LongReader(FairLock& lock)
      : thread_([this, &lock] {
          const auto reading = lock.read();
          begun_.set_value();
          ended_.get_future().wait();
        }) {
    begun_.get_future().wait();
  }
  ~LongReader() {
    ended_.set_value();
    thread_.join();
  }

 private:
  std::promise<void> begun_, ended_;
  std::thread thread_;
};

class WriterBehindReader {
 public:
  explicit WriterBehindReader(FairLock& lock) : reader_(std::in_place, lock), writer_([&lock] { (void)lock.write(); }) {
    while (lock.try_read()) std::this_thread::yield();
  }
  ~WriterBehindReader() {
    reader_.reset();
    writer_.join();
  }

 private:
  std::optional<LongReader> reader_;
  std::thread writer_;
};

}  // namespace pandora::qdrant
