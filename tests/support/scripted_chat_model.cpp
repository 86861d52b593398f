#include "support/scripted_chat_model.h"

#include <cassert>
#include <thread>

namespace pandora::testing {
namespace {
// Clocks do not call back: this long between two looks at one, in real time.
constexpr auto kLook = std::chrono::milliseconds(1);
constexpr auto kPatience = std::chrono::seconds(10);
}  // namespace

ChatScript&& ChatScript::say(std::string text) && {
  steps.push_back({ChatStep::Kind::kSay, std::move(text), {}});
  return std::move(*this);
}
ChatScript&& ChatScript::wait(Duration time) && {
  steps.push_back({ChatStep::Kind::kWait, {}, time});
  return std::move(*this);
}
ChatScript&& ChatScript::hold() && {
  steps.push_back({ChatStep::Kind::kHold, {}, {}});
  return std::move(*this);
}
ChatScript&& ChatScript::call(ToolCall tool) && {
  tool_calls.push_back(std::move(tool));
  finish_reason = "tool_calls";
  return std::move(*this);
}
ChatScript&& ChatScript::fail(ErrorCode code, std::string message) && {
  error = Error{code, std::move(message), {}};
  return std::move(*this);
}

class ScriptedChatModel::Run final : public ChatHandle {
 public:
  Run(ScriptedChatModel& model, ChatScript script, const Deadline& deadline, ChatSink& sink)
      : model_(model), script_(std::move(script)), deadline_(deadline), sink_(sink), thread_([this] { speak(); }) {}
  ~Run() override {
    cancel();
    thread_.join();
  }
  void cancel() override {
    const std::lock_guard lock(model_.mutex_);
    cancelled_ = true;
    model_.changed_.notify_all();
  }

 private:
  void speak() {
    std::string content;
    Status status = stopped();
    for (auto step = script_.steps.begin(); status && step != script_.steps.end(); ++step) {
      status = take(*step);
      if (!status || step->kind != ChatStep::Kind::kSay) continue;
      content += step->text;
      sink_.on_delta(step->text);
      status = stopped();
    }
    if (status && script_.error) status = pandora::fail(*script_.error);
    {
      const std::lock_guard lock(model_.mutex_);
      --model_.running_;  // before the last word: who hears it finds the model idle
    }
    if (!status) return sink_.on_error(std::move(status).error());
    sink_.on_done({model_.name_, std::move(content), std::move(script_.tool_calls), std::move(script_.finish_reason),
                   script_.tokens_in, script_.tokens_out});
  }

  Status stopped() {
    const std::lock_guard lock(model_.mutex_);
    return stopped_locked();
  }
  Status stopped_locked() const {
    if (cancelled_) return pandora::fail(ErrorCode::kCancelled, "the reply was cancelled");
    return deadline_.check("speaking");
  }

  Status take(const ChatStep& step) {
    if (step.kind == ChatStep::Kind::kSay) return {};
    const bool hold = step.kind == ChatStep::Kind::kHold;
    const SteadyTime until = model_.clock_.steady() + step.wait;
    std::unique_lock lock(model_.mutex_);
    if (hold) ++model_.holding_, model_.changed_.notify_all();
    const auto over = [&] { return hold ? model_.released_ > 0 : model_.clock_.steady() >= until; };
    while (stopped_locked() && !over()) model_.changed_.wait_for(lock, kLook);
    if (hold) --model_.holding_;
    PANDORA_CHECK(stopped_locked());
    if (hold) --model_.released_;
    return {};
  }

  ScriptedChatModel& model_;
  ChatScript script_;
  const Deadline deadline_;
  ChatSink& sink_;
  bool cancelled_ = false;
  std::thread thread_;  // last: it uses all of the above
};

ScriptedChatModel::ScriptedChatModel(const Clock& clock, std::string name) : clock_(clock), name_(std::move(name)) {}
ScriptedChatModel::~ScriptedChatModel() { assert(running_ == 0); }

void ScriptedChatModel::then(ChatScript script) {
  const std::lock_guard lock(mutex_);
  scripts_.push_back(std::move(script));
}
void ScriptedChatModel::otherwise(std::function<ChatScript(const ChatRequest&)> answer) {
  const std::lock_guard lock(mutex_);
  otherwise_ = std::move(answer);
}
void ScriptedChatModel::release() {
  const std::lock_guard lock(mutex_);
  ++released_;
  changed_.notify_all();
}
bool ScriptedChatModel::wait_for_holds(int count) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kPatience, [&] { return holding_ >= count; });
}
std::vector<ChatRequest> ScriptedChatModel::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}
int ScriptedChatModel::running() const {
  const std::lock_guard lock(mutex_);
  return running_;
}

std::unique_ptr<ChatHandle> ScriptedChatModel::start(ChatRequest request, const Deadline& deadline, ChatSink& sink) {
  ChatScript script;
  std::function<ChatScript(const ChatRequest&)> otherwise;
  {
    const std::lock_guard lock(mutex_);
    ++running_;
    requests_.push_back(request);
    if (!scripts_.empty()) {
      script = std::move(scripts_.front());
      scripts_.pop_front();
    } else if (otherwise_) {
      otherwise = otherwise_;
    } else {
      script.error = Error{ErrorCode::kInternal, "the model's script has come to its end", {}};
    }
  }
  if (otherwise) script = otherwise(request);
  return std::make_unique<Run>(*this, std::move(script), deadline, sink);
}

}  // namespace pandora::testing
