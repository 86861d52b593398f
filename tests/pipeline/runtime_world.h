// A TurnRuntime over real stores on the disk that forgets, with a model and tools that do as the test says.
#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <thread>

#include "pipeline/turn_runtime.h"
#include "turns/memory_admission.h"
#include "turns/world.h"

namespace pandora::testing {

// What a model does in one call, on a thread of its own.
struct ModelScript {
  std::vector<std::string> deltas;
  std::vector<ToolCall> calls;
  std::string finish_reason = "stop";
  std::optional<Error> error;          // instead of an end of its own
  bool waits_for_cancel = false;       // after the deltas; then it ends with kCancelled
  bool ignores_cancel = false;         // it ends only when its handle goes
  bool babbles_after_its_end = false;  // breaks the contract
  std::function<void()> before_end = [] {};
  std::function<void()> when_cancelled = [] {};
};

class ScriptedModel final : public ChatModel {
 public:
  // The calls to come, in order; when there are no more it says "All right.".
  void expect(ModelScript script) {
    const std::lock_guard lock(mutex_);
    scripts_.push_back(std::move(script));
  }
  void forget_the_rest() {
    const std::lock_guard lock(mutex_);
    scripts_.clear();
  }
  std::unique_ptr<ChatHandle> start(ChatRequest request, const Deadline&, ChatSink& sink) override {
    ModelScript script{.deltas = {"All right."}};
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(std::move(request));
      if (!scripts_.empty()) script = std::move(scripts_.front()), scripts_.pop_front();
    }
    return std::make_unique<Call>(std::move(script), sink);
  }
  std::vector<ChatRequest> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  class Call final : public ChatHandle {
   public:
    Call(ModelScript script, ChatSink& sink) : script_(std::move(script)), sink_(sink), thread_([this] { speak(); }) {}
    ~Call() override {
      tell(true);
      thread_.join();
    }
    void cancel() override { tell(false); }

   private:
    void tell(bool gone) {
      {
        const std::lock_guard lock(mutex_);
        if (!cancelled_ && !gone) script_.when_cancelled();
        cancelled_ = true;
        gone_ |= gone;
      }
      told_.notify_all();
    }
    void speak() {
      std::string content;
      for (const auto& delta : script_.deltas) sink_.on_delta(delta), content += delta;
      script_.before_end();
      if (script_.ignores_cancel) {
        std::unique_lock lock(mutex_);
        told_.wait(lock, [&] { return gone_; });
        return;
      }
      if (script_.waits_for_cancel) {
        std::unique_lock lock(mutex_);
        told_.wait(lock, [&] { return cancelled_; });
        lock.unlock();
        return sink_.on_error({ErrorCode::kCancelled, "stopped", ""});
      }
      if (script_.error)
        sink_.on_error(*script_.error);
      else
        sink_.on_done({"a-model", content, script_.calls, script_.finish_reason, 1, 2});
      if (script_.babbles_after_its_end)
        sink_.on_delta("babble"), sink_.on_done({"a-model", "babble", {}, "stop", 0, 0});
    }

    ModelScript script_;
    ChatSink& sink_;
    std::mutex mutex_;
    std::condition_variable told_;
    bool cancelled_ = false, gone_ = false;
    std::thread thread_;  // last: it uses all of the above
  };
  mutable std::mutex mutex_;
  std::deque<ModelScript> scripts_;
  std::vector<ChatRequest> requests_;
};

class ScriptedTools final : public ToolRunner {
 public:
  const std::vector<ToolDefinition>& catalogue() const override { return catalogue_; }
  Result<ToolOutcome> run(const ToolCall& call, const ToolCaller& caller, const Deadline&) override {
    ++runs;
    if (waits) {
      began.set_value();
      while (!caller.cancelled()) std::this_thread::yield();
      return fail(ErrorCode::kCancelled, "stopped");
    }
    return behaviour(call);
  }
  std::atomic<int> runs = 0;
  bool waits = false;  // until its caller leaves
  std::promise<void> began;
  std::function<Result<ToolOutcome>(const ToolCall&)> behaviour = [](const ToolCall& call) {
    ToolOutcome outcome;
    outcome.result = call.name + " found it";
    return outcome;
  };

 private:
  std::vector<ToolDefinition> catalogue_ = {{"search", "finds", "{}"}, {"fetch", "gets", "{}"}};
};

class RecordingSink final : public TurnSink {
 public:
  void on_text(std::string_view part) override { text += part; }
  bool cancelled() override { return cancel; }
  std::string text;
  std::atomic<bool> cancel = false;
};

// The wiring of the composition root, over a World that has started.
class RuntimeWorld {
 public:
  RuntimeWorld(World& world, const Clock& clock, ChatModel* model, ToolRunner* tools, RuntimeOptions options = {})
      : recall_(world.stores(), *world.spaces, clock),
        admission_(world.rows->memories(), world.ids, clock),
        runtime(
            std::move(options), world.stores(), recall_, *world.saver, world.ids, clock,
            [this](const AdmissionRequest& request, const Deadline& deadline) { return admit(request, deadline); },
            model, tools) {}

  std::optional<Error> admission_fails;

 private:
  Result<Admitted> admit(const AdmissionRequest& request, const Deadline& deadline) {
    if (admission_fails) return fail(*admission_fails);
    PANDORA_CHECK(deadline.check("admission"));
    Admitted admitted;
    for (const auto& proposal : request.proposals) {
      const MemoryCandidate candidate{request.turn.user, request.turn.session, request.turn.uid, proposal};
      PANDORA_TRY(decided, admission_.decide(candidate, request.recalled, request.system_prompts, deadline));
      if (decided.admission != Admission::kAdmit) continue;
      for (const Uuid& old : decided.supersedes) admitted.superseded.emplace_back(old, decided.memory.id);
      admitted.memories.push_back(std::move(decided.memory));
    }
    return admitted;
  }
  Recall recall_;
  MemoryAdmission admission_;

 public:
  TurnRuntime runtime;
};

}  // namespace pandora::testing
