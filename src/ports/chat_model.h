// A chat model: started with a sink, cancelled by its handle. Asynchronous, unlike the stores.
//
// `start` returns at once and never fails itself. The sink is called from threads of the model's, never from `start` or
// `cancel`, one call at a time, perhaps before `start` has returned: any number of on_delta, then exactly one on_done or
// on_error. After `cancel` that last word is kCancelled, when the deadline passes kDeadlineExceeded (also one that had
// passed before `start`), unless it was on its way already; a delta that was may still come. Other errors: kUnavailable,
// kResourceExhausted, kInvalidArgument (a request that the model refuses), kTooLarge, kDataCorrupt (no sense in what it said).
//
// Destroying the handle cancels and waits; the last word has been said when it returns. So it must not be destroyed from
// within a call of its own sink; `cancel` may be called from there. Thread-safe: any number of starts at once, each with a
// sink of its own, which must outlive the handle, as the model must.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace pandora {

enum class ChatRole { kSystem, kUser, kAssistant, kTool };
struct ToolCall {
  std::string id, name;
  std::string arguments;  // JSON text
  bool operator==(const ToolCall&) const = default;
};
struct ChatMessage {
  ChatRole role = ChatRole::kUser;
  std::string content;
  std::vector<ToolCall> tool_calls;  // of kAssistant
  std::string tool_call_id;          // of kTool
};
struct ToolDefinition {
  std::string name, description;
  std::string schema;  // JSON schema of the arguments
};
enum class ModelRole { kReflex, kNerves, kMind, kVoice, kEyes };

struct ChatRequest {
  ModelRole role = ModelRole::kVoice;
  std::vector<ChatMessage> messages;
  std::vector<ToolDefinition> tools;
  double temperature = 0.7;
  int max_tokens = 0;        // 0: the model's own limit
  std::string json_schema;   // constrains the output when not empty
};
struct ChatResult {
  std::string model;
  std::string content;       // all deltas together
  std::vector<ToolCall> tool_calls;
  std::string finish_reason;
  std::int64_t tokens_in = 0, tokens_out = 0;
};

class ChatSink {
 public:
  virtual ~ChatSink() = default;
  virtual void on_delta(std::string_view text) = 0;
  virtual void on_done(ChatResult result) = 0;
  virtual void on_error(Error error) = 0;
};
class ChatHandle {
 public:
  virtual ~ChatHandle() = default;
  virtual void cancel() = 0;  // returns at once; idempotent; thread-safe; nothing after the last word
};
class ChatModel {
 public:
  virtual ~ChatModel() = default;
  virtual std::unique_ptr<ChatHandle> start(ChatRequest request, const Deadline& deadline, ChatSink& sink) = 0;
};

}  // namespace pandora
