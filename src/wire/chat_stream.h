// A streamed chat completion, put right and put together. Pure; one object a stream.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "wire/openai_chat.h"

namespace pandora {

// Text whose pieces may end in the middle of a character.
class Utf8Joiner {
 public:
  std::string push(
      std::string_view bytes);  // what is whole; at most three bytes are kept back; broken bytes become U+FFFD
  std::string flush();          // what was kept back, as U+FFFD
  bool is_clean() const { return kept_.empty(); }

 private:
  std::string kept_;
};

// Puts the chunks of one stream right, so that a strict client can read them:
// - every tool call has its index, also when the server gives none, or the same to all; a call without index goes on
// with
//   the last one, unless it has an id of its own or a name where the last has one already;
// - the first piece of a call has an id (made up when there is none) and the type "function", later pieces have
// neither;
// - "stop" becomes "tool_calls" when tools are called;
// - characters cut between two chunks are whole.
class ChatStreamRepair {
 public:
  void apply(OpenAiChatChunk& chunk);
  bool is_clean() const;  // a chunk of words alone would come out as it is

 private:
  struct Call {
    std::string id;
    bool named = false;
  };
  struct Choice {
    std::vector<Call> calls;
    std::map<int, std::size_t> given;  // index of the server → ours, the latest
    Utf8Joiner text;
    std::map<std::size_t, Utf8Joiner> arguments;
  };
  std::size_t place_of(Choice& choice, const OpenAiToolCall& call);
  std::map<int, Choice> choices_;
};

// What a stream amounts to, of its first choice; chunks must be right (ChatStreamRepair).
class ChatAssembler {
 public:
  static constexpr std::size_t kMaxReplyBytes = 16 << 20;
  static constexpr std::size_t kMaxToolCalls = 128;
  // kTooLarge past a maximum.
  Status add(const OpenAiChatChunk& chunk);
  Status add_text(std::string_view text);

  std::string content;  // so far
  std::vector<OpenAiToolCall> tool_calls;
  std::string model, finish_reason;
  std::optional<OpenAiUsage> usage;  // as the server reported it, or none

 private:
  std::size_t bytes_ = 0;
};

// "call_0": an id for a tool call that came without.
std::string made_up_call_id(std::size_t place);

}  // namespace pandora
