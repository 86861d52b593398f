#include "tools/tool_threads.h"

#include <thread>

#include <fmt/format.h>

#include "base/log.h"

namespace pandora {
namespace {

constexpr Duration kLook = std::chrono::milliseconds(20);  // for a caller that leaves, and for clocks that tests tick

// Of one call; what is left behind keeps it.
struct Call {
  Call(std::shared_ptr<Tool> which, Json given, const ToolCaller& whose, const Deadline& until)
      : tool(std::move(which)), arguments(std::move(given)), caller(whose), deadline(until) {}
  const std::shared_ptr<Tool> tool;
  const Json arguments;
  ToolCaller caller;
  const Deadline deadline;
  std::atomic<bool> stop = false;
  std::optional<Result<ToolOutcome>> answer;  // guarded by Shared::mutex
};

Result<ToolOutcome> call_tool(Call& call) {
  try {
    return call.tool->run({call.arguments, call.caller, call.deadline, call.stop});
  } catch (const std::exception& error) {
    return fail(ErrorCode::kInternal, fmt::format("a bug in {}: {}", call.tool->info().definition.name, error.what()));
  }
}

}  // namespace

ToolThreads::~ToolThreads() {
  std::unique_lock lock(shared_->mutex);
  shared_->ending = true;
  if (!shared_->changed.wait_for(lock, farewell_, [&] { return shared_->taken == 0; }))
    log_warn("tools.left_behind", {{"count", static_cast<std::int64_t>(shared_->taken)}});
}

std::size_t ToolThreads::taken() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->taken;
}

Result<ToolOutcome> ToolThreads::run(std::shared_ptr<Tool> tool, Json arguments, const ToolCaller& caller,
                                     const Deadline& deadline) {
  const std::string name = tool->info().definition.name;
  const auto call = std::make_shared<Call>(std::move(tool), std::move(arguments), caller, deadline);
  call->caller.cancelled = [weak = std::weak_ptr(call)] {
    const auto held = weak.lock();
    return held && held->stop.load();
  };
  {
    const std::lock_guard lock(shared_->mutex);
    if (shared_->taken >= most_)
      return fail(ErrorCode::kResourceExhausted, fmt::format("{} tools are running already", most_),
                  "answer without it, or try again later");
    ++shared_->taken;
  }
  try {
    std::thread([shared = shared_, call] {
      auto answer = call_tool(*call);
      const std::lock_guard lock(shared->mutex);
      call->answer = std::move(answer);
      --shared->taken;
      shared->changed.notify_all();
    }).detach();
  } catch (const std::system_error& error) {
    const std::lock_guard lock(shared_->mutex);
    --shared_->taken;
    return fail(ErrorCode::kResourceExhausted, fmt::format("no thread for {}: {}", name, error.what()));
  }

  std::optional<Error> why;
  Duration waited{};
  std::unique_lock lock(shared_->mutex);
  for (;;) {
    if (call->answer) break;
    if (!why) {
      lock.unlock();
      const bool left = caller.cancelled && caller.cancelled();
      lock.lock();
      if (shared_->ending || left)
        why = Error{ErrorCode::kCancelled, fmt::format("{} was stopped: nobody waits for it", name), ""};
      else if (deadline.expired())
        why = Error{ErrorCode::kDeadlineExceeded, fmt::format("{} did not finish in time", name),
                    "ask for less, or answer without it"};
      if (why) call->stop = true;
    } else if (waited >= grace_) {
      log_warn("tool.left_behind", {{"tool", name}});
      return fail(*std::move(why));
    }
    const bool answered = shared_->changed.wait_for(lock, kLook, [&] { return call->answer.has_value(); });
    if (!answered && why) waited += kLook;
  }
  // What comes too late, but whole, is an answer: the work is done, and saying otherwise would be false.
  if (!call->answer->has_value() && why) return fail(*std::move(why));
  return *std::move(call->answer);
}

}  // namespace pandora
