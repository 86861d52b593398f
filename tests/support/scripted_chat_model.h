// A chat model that says what its script says, on a thread of its own, as ports/chat_model.h promises.
//
//   ScriptedChatModel model(clock);
//   model.then(ChatScript().say("It is ").hold().say("noon."));   // hold: until release(), cancel or the deadline
//   model.then(ChatScript().call({"1", "clock", "{}"}));          // a tool call instead of words
//   model.then(ChatScript().say("It").fail(ErrorCode::kUnavailable, "the line went dead"));
//
// Scripts are used up in the order of `then`, one by each `start`; after them `otherwise` is asked. Without either the
// start fails with kInternal, so that a test that asks once too often says so. Thread-safe. It must outlive its
// handles.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "ports/chat_model.h"

namespace pandora::testing {

struct ChatStep {
  enum class Kind { kSay, kWait, kHold };
  Kind kind = Kind::kSay;
  std::string text;  // of kSay: one delta
  Duration wait{0};  // of kWait: on the model's clock
};

struct ChatScript {
  std::vector<ChatStep> steps;
  std::vector<ToolCall> tool_calls;
  std::string finish_reason = "stop";
  std::int64_t tokens_in = 0, tokens_out = 0;
  std::optional<Error> error;  // the last word instead of a result

  ChatScript&& say(std::string text) &&;
  ChatScript&& wait(Duration time) &&;
  ChatScript&& hold() &&;
  ChatScript&& call(ToolCall call) &&;  // and the finish reason is "tool_calls"
  ChatScript&& fail(ErrorCode code, std::string message) &&;
};

class ScriptedChatModel final : public ChatModel {
 public:
  explicit ScriptedChatModel(const Clock& clock, std::string name = "scripted");
  ~ScriptedChatModel() override;  // every handle must be gone

  void then(ChatScript script);
  void otherwise(std::function<ChatScript(const ChatRequest&)> answer);
  // One hold goes on: of those under way, or else the next that is reached.
  void release();
  // Until `count` scripts stand at a hold; false when that takes over ten seconds.
  bool wait_for_holds(int count = 1);
  std::vector<ChatRequest> requests() const;
  int running() const;  // started, and the last word not yet said

  std::unique_ptr<ChatHandle> start(ChatRequest request, const Deadline& deadline, ChatSink& sink) override;

 private:
  class Run;
  const Clock& clock_;
  const std::string name_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<ChatScript> scripts_;
  std::function<ChatScript(const ChatRequest&)> otherwise_;
  std::vector<ChatRequest> requests_;
  int holding_ = 0, released_ = 0, running_ = 0;
};

}  // namespace pandora::testing
