// A client's chat completion, as the Gateway understands it: which conversation and turn it is, what of it is new, and
// how it goes on to the model. Pure.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/http_types.h"
#include "pipeline/turn_runtime.h"
#include "wire/json_reader.h"

namespace pandora {

inline constexpr std::string_view kPandoraModel = "pandora";
inline constexpr std::string_view kSessionHeader = "Pandora-Session";
inline constexpr std::string_view kMemoryHeader = "Pandora-Memory";
inline constexpr std::string_view kToolsHeader = "Pandora-Tools";

enum class ClientMemory { kOn, kRead, kWrite, kOff };

struct ClientChat {
  Json request;       // as it came, without `model` and `stream_options`
  std::string model;  // "pandora", or a server's own
  bool streams = false, wants_usage = false;
  bool has_system_prompt = false, has_tools = false, has_images = false;
  ClientMemory memory = ClientMemory::kOn;
  SessionId session;
  std::string message;  // the last of the user's, its images as "[image]"; empty: there is none, and so no turn
  std::size_t user_messages = 0;
  std::size_t messages_since = 0;         // that message
  std::vector<std::string> tool_names;    // of its own
  bool takes_our_tools = false;           // beside its own
  std::vector<ToolBlock> tools_run;       // since that message
  std::vector<std::string> called_tools;  // ids of the calls whose results came last; empty: none
  HeldTexts held;
  std::optional<PassedOnRequest>
      untouched;  // of one that is no turn and in which nothing is put right; then `request` is null

  bool is_turn() const { return memory != ClientMemory::kOff && !message.empty(); }
  // What goes to the model: with what was recalled in the system prompt, its own or a new one; with our tools, and what
  // was called of them, where it was.
  PassedOnRequest compose(const GatherSection& gathered, const std::vector<OwnRounds>& rounds = {},
                          const std::vector<ToolDefinition>& tools = {}) const;
};

// kInvalidArgument with the place, kTooLarge. Our tools go along when the model is "pandora" and memory is on, or where
// the header asks for them; never where they would change what is asked: a choice of tools, several answers, functions
// of before there were tools. The session: the header's name, else metadata.session_id, else `user`,
// else a fingerprint of the user and of what the conversation began with, so that it is the same each time it is sent.
Result<ClientChat> read_client_chat(const HttpRequest& request, const UserId& user);

}  // namespace pandora
