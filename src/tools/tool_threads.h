// Threads for tools: each call has one of its own, of a bounded number, so that a tool that never returns holds that
// one and nothing else.
//
// Thread-safe. A call that is out of time, or whose caller has left, is told to stop, given kStopGrace, then left
// behind: its thread counts until the tool returns, and what it still says is dropped.
#pragma once
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>

#include "tools/tool.h"

namespace pandora {

inline constexpr std::size_t kMaxToolThreads = 32;
inline constexpr Duration kStopGrace = std::chrono::seconds(1);  // for a tool that is told to stop
inline constexpr Duration kFarewell = std::chrono::seconds(5);   // at the end, for those left behind

class ToolThreads {
 public:
  explicit ToolThreads(std::size_t most = kMaxToolThreads, Duration grace = kStopGrace, Duration farewell = kFarewell)
      : shared_(std::make_shared<Shared>()), most_(most), grace_(grace), farewell_(farewell) {}
  // Tells all of them to stop and waits for them, kFarewell at most. What a tool uses beyond its own must be closed to
  // it from then on.
  ~ToolThreads();
  ToolThreads(const ToolThreads&) = delete;
  ToolThreads& operator=(const ToolThreads&) = delete;

  // kResourceExhausted (all are taken), kDeadlineExceeded, kCancelled; otherwise what the tool says. The arguments and
  // the caller are copied: a tool that is left behind keeps them.
  Result<ToolOutcome> run(std::shared_ptr<Tool> tool, Json arguments, const ToolCaller& caller,
                          const Deadline& deadline);
  std::size_t taken() const;

 private:
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t taken = 0;
    std::atomic<bool> ending = false;
  };
  const std::shared_ptr<Shared> shared_;
  const std::size_t most_;
  const Duration grace_, farewell_;
};

}  // namespace pandora
