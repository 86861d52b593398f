// A chat model: started with a sink, cancelled by its handle. Asynchronous, unlike the stores.
//
// `start` returns at once. The sink is called from threads of the model's, one call at a time: any number of on_delta,
// then exactly one on_done or on_error, also after cancel (kCancelled) and when the deadline passes. Destroying the handle
// cancels and waits until no call of the sink is under way. The sink must outlive the handle.
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
  virtual void cancel() = 0;  // returns at once; idempotent
};
class ChatModel {
 public:
  virtual ~ChatModel() = default;
  virtual std::unique_ptr<ChatHandle> start(ChatRequest request, const Deadline& deadline, ChatSink& sink) = 0;
};

}  // namespace pandora
