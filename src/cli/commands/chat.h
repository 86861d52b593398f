// A conversation: in a terminal with line editing and history, or over a pipe, one message a line.
//
// Over a pipe replies go to stdout and nothing else does. In a terminal Ctrl-C ends the reply under way, or clears the
// line; Ctrl-D or /quit ends the conversation.
#pragma once
#include <cstdint>
#include <string>

#include "service/service.h"

namespace pandora {

enum class ChatFormat { kText, kJson };  // kJson: one JSON object a reply

struct ChatOptions {
  UserId user;
  SessionId session;
  std::int64_t message_bytes = 4 << 20;
  ChatFormat format = ChatFormat::kText;
};
// The exit code.
int run_chat(Service& service, const ChatOptions& options);

}  // namespace pandora
