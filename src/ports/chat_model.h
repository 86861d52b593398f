// A chat model: started with a sink, cancelled by its handle. Asynchronous, unlike the stores.
//
// `start` returns at once and never fails itself. The sink is called from threads of the model's, never from `start` or
// `cancel`, one call at a time, perhaps before `start` has returned: any number of on_delta, then exactly one on_done
// or on_error. After `cancel` that last word is kCancelled, when the deadline passes kDeadlineExceeded (also one that
// had passed before `start`), unless it was on its way already; a delta that was may still come. Other errors:
// kUnavailable, kResourceExhausted, kInvalidArgument (a request that the model refuses), kTooLarge, kDataCorrupt (no
// sense in what it said).
//
// Destroying the handle cancels and waits; the last word has been said when it returns. So it must not be destroyed
// from within a call of its own sink; `cancel` may be called from there. Thread-safe: any number of starts at once,
// each with a sink of its own, which must outlive the handle, as the model must.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
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

// What a client asked in OpenAI's own form, sent on as it is: the model reads of it only what stands here.
struct PassedOnRequest {
  std::string body;  // JSON object of a chat completion, without `model` and `stream_options`
  bool streams = false;
  bool has_temperature = false, has_max_tokens = false;  // otherwise the role's are added
};

struct ChatRequest {
  ModelRole role = ModelRole::kVoice;
  std::vector<ChatMessage> messages;
  std::vector<ToolDefinition> tools;
  double temperature = 0.7;
  int max_tokens = 0;       // 0: the model's own limit
  std::string json_schema;  // constrains the output when not empty
  std::string model;        // one of a server's own; empty: the role's
  std::string server;       // the only one that is asked (the base of its API); empty: the role's, in their order
  std::string request_id;   // sent along, so that both logs name the same; empty: none
  std::optional<PassedOnRequest> passed_on;  // instead of the messages and of what shapes the answer
};
// A server's refusal, as it gave it.
struct ChatRefusal {
  int status = 0;
  std::string type, code, message;
  std::string retry_after;  // the header; empty: it gave none
};
struct ChatResult {
  std::string model;
  std::string content;  // all deltas together
  std::vector<ToolCall> tool_calls;
  std::string finish_reason;
  std::int64_t tokens_in = 0, tokens_out = 0;
};

class ChatSink {
 public:
  virtual ~ChatSink() = default;
  virtual void on_delta(std::string_view text) = 0;
  // Of a request that is passed on: each chunk of the answer as JSON, put right, before the delta that it holds; or,
  // when the server does not stream, the whole answer.
  virtual void on_event(std::string_view json) { (void)json; }
  // Directly before on_error, when a server's refusal is the reason.
  virtual void on_refusal(const ChatRefusal& refusal) { (void)refusal; }
  virtual void on_done(ChatResult result) = 0;
  virtual void on_error(Error error) = 0;
};
class ChatHandle {
 public:
  virtual ~ChatHandle() = default;
  virtual void cancel() = 0;  // returns at once; idempotent; thread-safe; nothing after the last word
  // The listener is slow: the model is read no further until it resumes; what is on its way still comes. Also from
  // within a call of the sink. A model that cannot pause goes on.
  virtual void pause() {}
  virtual void resume() {}
};
class ChatModel {
 public:
  virtual ~ChatModel() = default;
  virtual std::unique_ptr<ChatHandle> start(ChatRequest request, const Deadline& deadline, ChatSink& sink) = 0;
};

}  // namespace pandora
