// Model servers as command lines of the configuration ([model_servers.NAME]): read, checked, and made host processes.
//
// vLLM and llama.cpp's server are known by their program; their arguments are checked against those that they document
// (model_server_arguments.h), and get their address, port and share of the card from the settings. Any other program
// runs as it is, with {port} replaced. Pure.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "host/host_processes.h"
#include "ports/chat_model.h"

namespace pandora {

enum class ModelProgram { kVllm, kLlamaServer, kOther };

struct ModelServerConfig {
  std::string name;
  std::vector<std::string> command;
  std::uint16_t port = 0;
  std::vector<ModelRole> roles;
  std::string model;
  double memory_share = 0;
  bool cold = false;
  Duration idle_time{0}, ready_time{0};
  std::int64_t weights_mib = 0, kv_bytes_per_token = 0;  // 0: as its files say
  std::string api_key;                                   // of its first role
};
// Words as a shell has them: blanks, single and double quotes, backslashes; nothing is expanded. kInvalidArgument: a
// quote that is not closed.
Result<std::vector<std::string>> split_command_line(std::string_view text);
// Those of the configuration, by name. Two on one port, one without a command, and a role that is none are errors.
Result<std::vector<ModelServerConfig>> model_server_configs(const Config& config);

struct ModelCommand {
  ModelProgram program = ModelProgram::kOther;
  std::vector<std::string> arguments;  // what is started
  std::string weights;       // the model as the command line names it: a folder, a file, an "org/name"; or empty
  std::string listed;        // what `/models` will list; empty: not known
  std::int64_t context = 0;  // tokens of one sequence; 0: as the model has it
  std::string kv_type;       // of the KV cache; empty: the program's own choice
  std::string v_type;        // of llama.cpp's values, when they differ
  bool on_card = true;       // false: no layer goes to the card
  std::vector<int> cards;    // that it sees (`env CUDA_VISIBLE_DEVICES=1,2 …`); empty: all of them
  int spread = 1;            // on how many of those it is spread, the first ones; 0: on all
};
// kInvalidArgument: an argument that the program does not have (with the nearest that it has), that lacks its value or
// has one that it cannot be, or that is set elsewhere.
Result<ModelCommand> check_model_command(const ModelServerConfig& server);

// "model-voice"; `needs` and what it is made of are added by who knows them.
std::string host_name_of(const ModelServerConfig& server);
HostProcess host_process_of(const ModelServerConfig& server, const ModelCommand& command);

}  // namespace pandora
