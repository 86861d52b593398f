#include "host/model_servers.h"

#include <set>
#include <sstream>

#include <gmock/gmock.h>

#include "host/model_server_arguments.h"
#include "support/fault_file_system.h"

namespace pandora {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Words = std::vector<std::string>;

Result<std::vector<ModelServerConfig>> servers_of(const std::string& toml) {
  testing::FaultFileSystem files;
  EXPECT_TRUE(files.write_atomic("/pandora.toml", toml, Durability::kDeferred));
  PANDORA_TRY(config, Config::load({{}, {}, "/pandora.toml", true}, files));
  return model_server_configs(config);
}

Result<ModelCommand> checked(const std::string& command, double share = 0.5) {
  ModelServerConfig server;
  server.name = "voice";
  server.command = *split_command_line(command);
  server.port = 8001;
  server.memory_share = share;
  return check_model_command(server);
}
std::string refused(const std::string& command) {
  const auto result = checked(command);
  return result ? "nothing" : result.error().to_line();
}

TEST(CommandLine, is_split_as_a_shell_does) {
  EXPECT_EQ(*split_command_line("  a  b\tc\n"), (Words{"a", "b", "c"}));
  EXPECT_EQ(*split_command_line(R"(a "b c" 'd "e"' f\ g "h\"i" '' x"y"z)"),
            (Words{"a", "b c", R"(d "e")", "f g", R"(h"i)", "", "xyz"}));
  EXPECT_EQ(*split_command_line("$HOME *"), (Words{"$HOME", "*"}));
  EXPECT_TRUE(split_command_line("")->empty());
  EXPECT_EQ(split_command_line("a 'b").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(split_command_line("a \"b").error().code, ErrorCode::kInvalidArgument);
}

TEST(ModelServers, are_read_from_their_tables) {
  const auto servers = servers_of(R"(
[roles.voice]
api_key = "secret"
[model_servers.large]
command = "vllm serve Qwen/Qwen3-8B-AWQ --max-model-len 8192"
port = 8001
roles = "voice, mind"
memory_share = 0.6
[model_servers.eyes]
command = "llama-server -m eyes.gguf"
port = 8002
roles = "eyes"
cold = true
idle_s = 60
)");
  ASSERT_TRUE(servers) << servers.error().to_line();
  ASSERT_EQ(servers->size(), 2u);
  EXPECT_TRUE((*servers)[0].cold);
  EXPECT_EQ((*servers)[0].idle_time, std::chrono::seconds(60));
  const ModelServerConfig& large = (*servers)[1];
  EXPECT_EQ(large.name, "large");
  EXPECT_THAT(large.roles, ElementsAre(ModelRole::kVoice, ModelRole::kMind));
  EXPECT_EQ(large.command.size(), 5u);
  const HostProcess process = host_process_of(large, *check_model_command(large));
  EXPECT_EQ(process.name, "model-large");
  EXPECT_EQ(process.readiness.port, 8001);
  EXPECT_EQ(process.readiness.model, "Qwen/Qwen3-8B-AWQ");
  EXPECT_EQ(process.gpu_share, 0.6);
  // The key is in the environment, which nobody else can read.
  EXPECT_EQ(process.environment.at("VLLM_API_KEY"), "secret");
  for (const auto& word : process.arguments) EXPECT_EQ(word.find("secret"), std::string::npos);
}

TEST(ModelServers, that_cannot_be_are_refused_by_name) {
  EXPECT_THAT(servers_of("[model_servers.a]\nport = 1\n").error().message,
              HasSubstr("model_servers.a.command is not set"));
  EXPECT_THAT(servers_of("[model_servers.a]\ncommand = \"x 'y\"\n").error().message, HasSubstr("is not closed"));
  EXPECT_THAT(servers_of("[model_servers.a]\ncommand = \"x\"\nroles = \"voice, vioce\"\n").error().message,
              HasSubstr("there is no role \"vioce\""));
  EXPECT_THAT(servers_of("[model_servers.a]\ncommand = \"x\"\n[model_servers.b]\ncommand = \"y\"\n").error().message,
              HasSubstr("model_servers.a and model_servers.b have one port, 8000"));
}

TEST(ModelServers, get_their_port_and_share_from_the_settings) {
  const auto vllm = checked("vllm serve org/model --max-model-len 8k --kv_cache_dtype fp8 --no-enable-prefix-caching");
  ASSERT_TRUE(vllm) << vllm.error().to_line();
  EXPECT_EQ(vllm->program, ModelProgram::kVllm);
  EXPECT_EQ(vllm->weights, "org/model");
  EXPECT_EQ(vllm->listed, "org/model");
  EXPECT_EQ(vllm->context, 8000);
  EXPECT_EQ(vllm->kv_type, "fp8");
  EXPECT_EQ(Words(vllm->arguments.end() - 6, vllm->arguments.end()),
            (Words{"--host", "127.0.0.1", "--port", "8001", "--gpu-memory-utilization", "0.5"}));
  const auto module = checked(
      "env CUDA_VISIBLE_DEVICES=1 python3 -m vllm.entrypoints.openai.api_server --model m "
      "--served-model-name voice other --limit-mm-per-prompt.image 2");
  ASSERT_TRUE(module) << module.error().to_line();
  const auto sizes =
      checked("vllm serve m --cudagraph-capture-sizes 1 2 4 --structured-outputs-config.backend xgrammar");
  ASSERT_TRUE(sizes) << sizes.error().to_line();
  EXPECT_EQ(module->weights, "m");
  EXPECT_EQ(module->listed, "voice");
  EXPECT_EQ(module->cards, (std::vector{1}));
  const auto spread = checked("env CUDA_VISIBLE_DEVICES=0,2,3 vllm serve m -tp 2");
  EXPECT_EQ(spread->cards, (std::vector{0, 2, 3}));
  EXPECT_EQ(spread->spread, 2);
  const auto llama = checked("/opt/llama-server -m m.gguf -c 8192 -ngl 99 -ctk q8_0 -fa --jinja --temp 0.7");
  ASSERT_TRUE(llama) << llama.error().to_line();
  EXPECT_EQ(llama->program, ModelProgram::kLlamaServer);
  EXPECT_EQ(llama->context, 8192);
  EXPECT_EQ(llama->kv_type, "q8_0");
  EXPECT_TRUE(llama->on_card);
  EXPECT_FALSE(checked("llama-server -m m.gguf -ngl 0")->on_card);
  const auto newer = checked(
      "llama-server -m m.gguf --control-vector-layer-range 3 9 --load-mode mmap+mlock --spec-type ngram-mod -rea off");
  EXPECT_TRUE(newer) << newer.error().to_line();
  const auto other = checked("my-server --listen 127.0.0.1:{port} --whatever");
  EXPECT_THAT(other->arguments, ElementsAre("my-server", "--listen", "127.0.0.1:8001", "--whatever"));
}

TEST(ModelServers, wrong_arguments_are_refused_with_the_nearest) {
  EXPECT_THAT(refused("vllm serve m --max-model-length 10"),
              HasSubstr("vllm serve has no argument --max-model-length; did you mean --max-model-len?"));
  EXPECT_THAT(refused("llama-server --ctx-sise 10"), HasSubstr("did you mean --ctx-size?"));
  EXPECT_THAT(refused("llama-server -m m --control-vector-layer-range 3 x"), HasSubstr("is no whole number: x"));
  EXPECT_THAT(refused("llama-server -m m --load-mode slow"), HasSubstr("one of: auto none mmap"));
  EXPECT_THAT(refused("vllm serve m --max-model-len"), HasSubstr("--max-model-len has no value"));
  EXPECT_THAT(refused("vllm serve m --max-model-len --enforce-eager"), HasSubstr("--max-model-len has no value"));
  EXPECT_THAT(refused("vllm serve m --max-model-len many"), HasSubstr("is no whole number: many"));
  EXPECT_THAT(refused("vllm serve m --max-num-seqs 1.5"), HasSubstr("is no whole number"));
  EXPECT_THAT(refused("vllm serve m --swap-space x"), HasSubstr("is no number"));
  EXPECT_THAT(refused("vllm serve m --dtype int3"), HasSubstr("--dtype cannot be int3, but one of: auto half"));
  EXPECT_THAT(refused("vllm serve m --port 1"), HasSubstr("take it out, and set model_servers.voice.port"));
  EXPECT_THAT(refused("vllm serve m --gpu-memory-utilization 0.9"), HasSubstr("model_servers.voice.memory_share"));
  EXPECT_THAT(refused("vllm serve m --api-key=x"), HasSubstr("roles.<role>.api_key"));
  EXPECT_THAT(refused("vllm serve m stray"), HasSubstr("\"stray\" belongs to no argument"));
  EXPECT_THAT(refused("vllm serve"), HasSubstr("names no model"));
  EXPECT_THAT(refused("vllm serve m --no-max-model-len"), HasSubstr("has no argument"));
}

TEST(ModelServerArguments, each_name_stands_once) {
  for (const auto table : {vllm_arguments(), llama_server_arguments()}) {
    std::set<std::string> seen;
    for (const auto& one : table) {
      std::istringstream names{std::string(one.names)};
      for (std::string name; names >> name;) {
        EXPECT_TRUE(seen.insert(name).second) << name;
        EXPECT_EQ(name[0], '-');
      }
    }
    EXPECT_GT(seen.size(), 100u);
  }
}

}  // namespace
}  // namespace pandora
