#include "host/model_servers.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include <fmt/format.h>

#include "base/text.h"
#include "host/model_server_arguments.h"
#include "models/model_settings.h"

namespace pandora {
namespace {

constexpr std::string_view kPortMark = "{port}";
constexpr std::size_t kMaxShown = 60;

constexpr int kMostCards = 64;
constexpr std::array<std::string_view, 5> kRoles = {"reflex", "nerves", "mind", "voice", "eyes"};

std::string key_of(const std::string& server, std::string_view name) {
  return fmt::format("model_servers.{}.{}", server, name);
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    words.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// Where the program's own arguments begin, behind `env NAME=value …` and the like.
struct Recognised {
  ModelProgram program = ModelProgram::kOther;
  std::size_t first = 0;
};
Recognised recognise(const std::vector<std::string>& command) {
  std::size_t at = 0;
  if (file_name(command[0]) == "env")
    for (at = 1; at < command.size() && command[at].find('=') != std::string::npos;) ++at;
  const auto word = [&](std::size_t place) {
    return place < command.size() ? std::string_view(command[place]) : std::string_view();
  };
  if (file_name(word(at)) == "vllm" && word(at + 1) == "serve") return {ModelProgram::kVllm, at + 2};
  if (file_name(word(at)).starts_with("python") && word(at + 1) == "-m" &&
      word(at + 2) == "vllm.entrypoints.openai.api_server")
    return {ModelProgram::kVllm, at + 3};
  if (file_name(word(at)) == "llama-server") return {ModelProgram::kLlamaServer, at + 1};
  return {ModelProgram::kOther, command.size()};
}

// "0,2"; what is no number (a card's UUID) says nothing.
std::vector<int> visible_cards(const std::vector<std::string>& command) {
  constexpr std::string_view kName = "CUDA_VISIBLE_DEVICES=";
  const auto word = std::ranges::find_if(command, [&](const std::string& one) { return one.starts_with(kName); });
  std::vector<int> cards;
  if (word == command.end()) return cards;
  for (std::string rest = word->substr(kName.size()) + ","; !rest.empty(); rest.erase(0, rest.find(',') + 1)) {
    int card = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.find(','), card);
    if (error != std::errc() || *end != ',' || card < 0 || card >= kMostCards) return {};
    cards.push_back(card);
  }
  return cards;
}

class ArgumentCheck {
 public:
  ArgumentCheck(const ModelServerConfig& server, ModelProgram program)
      : server_(server),
        is_vllm_(program == ModelProgram::kVllm),
        known_(is_vllm_ ? vllm_arguments() : llama_server_arguments()) {}

  Status check(const std::vector<std::string>& words, std::size_t first) {
    for (std::size_t i = first; i < words.size(); ++i) {
      const std::string& word = words[i];
      if (!is_option(word)) {
        PANDORA_CHECK(take_positional(word, i == first));
        continue;
      }
      const std::size_t equals = word.find('=');
      std::string name = word.substr(0, equals);
      if (is_vllm_ && name.starts_with("--")) std::ranges::replace(name, '_', '-');
      const ProgramArgument* argument = find(name);
      if (!argument) return unknown(name);
      PANDORA_CHECK(check_free(name));
      std::string value;
      const bool is_part = argument->value != ArgumentValue::kNone && name.find('.') != std::string::npos;
      if (equals != std::string::npos)
        value = word.substr(equals + 1);
      else if (argument->value != ArgumentValue::kNone && i + 1 < words.size() && !is_option(words[i + 1]))
        value = words[++i];
      if (argument->value == ArgumentValue::kTwoIntegers && i + 1 < words.size() && !is_option(words[i + 1])) {
        PANDORA_CHECK(check_value(name, *argument, value));
        value = words[++i];
      }
      if (!is_part) PANDORA_CHECK(check_value(name, *argument, value));
      values_[std::string(argument->names.substr(0, argument->names.find(' ')))] = value;
      last_takes_more_ = is_vllm_ && takes_several(argument->names);
    }
    return {};
  }

  std::string value(const std::string& name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? "" : found->second;
  }
  const std::string& positional() const { return positional_; }

 private:
  static bool is_option(const std::string& word) {
    return word.size() > 1 && word[0] == '-' && !(word[1] >= '0' && word[1] <= '9') && word[1] != '.';
  }
  static bool takes_several(std::string_view names) {
    constexpr std::string_view kLists[] = {"--allowed-media-domains",
                                           "--cuda-graph-sizes",
                                           "--cudagraph-capture-sizes",
                                           "--ignore-patterns",
                                           "--logits-processors",
                                           "--lora-modules",
                                           "--middleware",
                                           "--served-model-name"};
    return std::ranges::find(kLists, names) != std::end(kLists);
  }
  std::string place() const { return key_of(server_.name, "command"); }
  std::string_view program() const { return is_vllm_ ? "vllm serve" : "llama-server"; }

  const ProgramArgument* find(std::string_view name) const {
    const auto is = [&](std::string_view wanted) {
      return std::ranges::find_if(known_, [&](const ProgramArgument& one) {
        const auto names = words_of(one.names);
        return std::ranges::find(names, wanted) != names.end();
      });
    };
    auto found = is(name);
    if (found == known_.end() && is_vllm_ && name.starts_with("--no-")) {
      found = is(fmt::format("--{}", name.substr(5)));
      if (found != known_.end() && found->value != ArgumentValue::kNone) found = known_.end();
    }
    if (found == known_.end() && is_vllm_) found = is(name.substr(0, name.find('.')));
    return found == known_.end() ? nullptr : &*found;
  }

  Status unknown(const std::string& name) const {
    std::string_view nearest;
    for (const auto& one : known_)
      for (const auto word : words_of(one.names))
        if (nearest.empty() || edit_distance(name, word) < edit_distance(name, nearest)) nearest = word;
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format("{}: {} has no argument {}", place(), program(), one_line(ellipsize(name, kMaxShown))),
        fmt::format("did you mean {}? those of {} are known", nearest, is_vllm_ ? kVllmVersion : kLlamaServerVersion));
  }

  Status check_free(const std::string& name) const {
    const auto elsewhere = [&](std::string_view where) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("{}: {} is set elsewhere", place(), name),
                  fmt::format("take it out, and set {}", where));
    };
    if (name == "--port" || name == "--host") return elsewhere(key_of(server_.name, "port"));
    if (name == "--gpu-memory-utilization") return elsewhere(key_of(server_.name, "memory_share"));
    // Everybody on this machine can read a command line.
    if (name == "--api-key") return elsewhere("roles.<role>.api_key: nobody sees it there");
    return {};
  }

  Status check_value(const std::string& name, const ProgramArgument& argument, const std::string& value) const {
    const auto wrong = [&](const std::string& why) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("{}: {} {}", place(), name, why));
    };
    if (argument.value == ArgumentValue::kNone || (value.empty() && argument.value == ArgumentValue::kOptionalText))
      return {};
    if (value.empty()) return wrong("has no value");
    double number = 0;
    const auto parsed = std::from_chars(value.data(), value.data() + value.size(), number);
    const std::string_view rest(parsed.ptr, static_cast<std::size_t>(value.data() + value.size() - parsed.ptr));
    const bool scaled = is_vllm_ && rest.size() == 1 && std::string_view("kKmMgG").find(rest) != rest.npos;
    const bool is_whole = argument.value == ArgumentValue::kInteger || argument.value == ArgumentValue::kTwoIntegers;
    if (is_whole &&
        (parsed.ec != std::errc() || !(rest.empty() || scaled) || (!scaled && value.find('.') != std::string::npos)))
      return wrong(fmt::format("is no whole number: {}", one_line(ellipsize(value, kMaxShown))));
    if (argument.value == ArgumentValue::kNumber && (parsed.ec != std::errc() || !rest.empty()))
      return wrong(fmt::format("is no number: {}", one_line(ellipsize(value, kMaxShown))));
    const auto choices = words_of(argument.choices);
    if (!choices.empty() && std::ranges::find(choices, value) == choices.end())
      return wrong(
          fmt::format("cannot be {}, but one of: {}", one_line(ellipsize(value, kMaxShown)), argument.choices));
    return {};
  }

  Status take_positional(const std::string& word, bool is_first) {
    if (is_vllm_ && is_first) {
      positional_ = word;
      return {};
    }
    if (last_takes_more_) return {};
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: \"{}\" belongs to no argument", place(), one_line(ellipsize(word, kMaxShown))));
  }

  const ModelServerConfig& server_;
  const bool is_vllm_;
  const std::span<const ProgramArgument> known_;
  std::map<std::string, std::string> values_;
  std::string positional_;
  bool last_takes_more_ = false;
};

// "8k" is 8,000 and "8K" 8,192, as vLLM has it.
std::int64_t tokens_of(const std::string& text) {
  double number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc()) return 0;
  const std::string_view unit(parsed.ptr, static_cast<std::size_t>(text.data() + text.size() - parsed.ptr));
  const double scale = unit == "k" ? 1e3 : unit == "K" ? 1024 : unit == "m" ? 1e6 : unit == "M" ? 1024.0 * 1024 : 1;
  return static_cast<std::int64_t>(number * scale);
}

}  // namespace

Result<std::vector<std::string>> split_command_line(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool has_word = false;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote != 0) {
      if (c == quote)
        quote = 0;
      else if (c == '\\' && quote == '"' && i + 1 < text.size() && (text[i + 1] == '"' || text[i + 1] == '\\'))
        word += text[++i];
      else
        word += c;
    } else if (c == '\'' || c == '"') {
      quote = c;
      has_word = true;
    } else if (c == '\\' && i + 1 < text.size()) {
      word += text[++i];
      has_word = true;
    } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      if (has_word) words.push_back(std::exchange(word, ""));
      has_word = false;
    } else {
      word += c;
      has_word = true;
    }
  }
  if (quote != 0) return fail(ErrorCode::kInvalidArgument, fmt::format("a quote ({}) is not closed", quote));
  if (has_word) words.push_back(word);
  return words;
}

Result<std::vector<ModelServerConfig>> model_server_configs(const Config& config) {
  std::vector<ModelServerConfig> servers;
  std::map<std::uint16_t, std::string> ports;
  for (const auto& name : config.tables("model_servers")) {
    ModelServerConfig server;
    server.name = name;
    auto command = split_command_line(config.string(key_of(name, "command")));
    if (!command) return fail(std::move(command).error().with_context(key_of(name, "command")));
    if (command->empty() || command->front().empty())
      return fail(ErrorCode::kInvalidArgument, fmt::format("{} is not set", key_of(name, "command")),
                  "`pandora models example` shows what it may look like");
    server.command = *std::move(command);
    server.port = static_cast<std::uint16_t>(config.integer(key_of(name, "port")));
    if (const auto [other, is_new] = ports.emplace(server.port, name); !is_new)
      return fail(ErrorCode::kInvalidArgument, fmt::format("model_servers.{} and model_servers.{} have one port, {}",
                                                           other->second, name, server.port));
    PANDORA_TRY(roles, roles_of_server(config, name));
    server.roles = std::move(roles);
    server.model = config.string(key_of(name, "model"));
    server.memory_share = config.number(key_of(name, "memory_share"));
    server.cold = config.boolean(key_of(name, "cold"));
    server.idle_time = std::chrono::seconds(config.integer(key_of(name, "idle_s")));
    server.ready_time = std::chrono::seconds(config.integer(key_of(name, "ready_s")));
    server.weights_mib = config.integer(key_of(name, "weights_mib"));
    server.kv_bytes_per_token = config.integer(key_of(name, "kv_bytes_per_token"));
    if (!server.roles.empty())
      server.api_key =
          config.string(fmt::format("roles.{}.api_key", kRoles[static_cast<std::size_t>(server.roles.front())]));
    servers.push_back(std::move(server));
  }
  return servers;
}

Result<ModelCommand> check_model_command(const ModelServerConfig& server) {
  const Recognised recognised = recognise(server.command);
  ModelCommand command;
  command.program = recognised.program;
  command.arguments = server.command;
  command.cards = visible_cards(server.command);
  if (recognised.program == ModelProgram::kOther) {
    for (auto& word : command.arguments)
      for (std::size_t at = 0; (at = word.find(kPortMark, at)) != std::string::npos;)
        word.replace(at, kPortMark.size(), std::to_string(server.port));
    command.listed = server.model;
    return command;
  }
  ArgumentCheck check(server, recognised.program);
  PANDORA_CHECK(check.check(server.command, recognised.first));
  const auto add = [&](std::string name, std::string value) {
    command.arguments.push_back(std::move(name));
    command.arguments.push_back(std::move(value));
  };
  add("--host", "127.0.0.1");
  add("--port", std::to_string(server.port));
  if (recognised.program == ModelProgram::kVllm) {
    command.weights = check.value("--model").empty() ? check.positional() : check.value("--model");
    if (command.weights.empty())
      return fail(ErrorCode::kInvalidArgument, fmt::format("{} names no model", key_of(server.name, "command")),
                  "vllm serve MODEL");
    command.listed = check.value("--served-model-name").empty() ? command.weights : check.value("--served-model-name");
    command.context = tokens_of(check.value("--max-model-len"));
    command.kv_type = check.value("--kv-cache-dtype");
    command.on_card = check.value("--device") != "cpu";
    command.spread = 1;
    for (const char* way : {"--tensor-parallel-size", "--pipeline-parallel-size", "--data-parallel-size"})
      command.spread =
          std::clamp(command.spread * std::max(1, static_cast<int>(tokens_of(check.value(way)))), 1, kMostCards);
    if (server.memory_share > 0) add("--gpu-memory-utilization", fmt::format("{}", server.memory_share));
  } else {
    command.weights = check.value("--model");
    command.listed = check.value("--alias");
    command.context = tokens_of(check.value("--ctx-size"));
    command.kv_type = check.value("--cache-type-k");
    command.v_type = check.value("--cache-type-v");
    command.on_card = check.value("--gpu-layers") != "0" && server.memory_share > 0;
    command.spread = check.value("--split-mode") == "none" ? 1 : 0;
  }
  if (!server.model.empty()) command.listed = server.model;
  return command;
}

std::string host_name_of(const ModelServerConfig& server) { return "model-" + server.name; }

HostProcess host_process_of(const ModelServerConfig& server, const ModelCommand& command) {
  constexpr Duration kModelGrace = std::chrono::seconds(30);
  HostProcess process;
  process.name = host_name_of(server);
  process.arguments = command.arguments;
  if (!server.api_key.empty() && command.program != ModelProgram::kOther)
    process.environment[command.program == ModelProgram::kVllm ? "VLLM_API_KEY" : "LLAMA_API_KEY"] = server.api_key;
  process.readiness = {.port = server.port,
                       .health_path = command.program == ModelProgram::kOther ? "" : "/health",
                       .speaks_chat = true,
                       .model = command.listed,
                       .api_key = server.api_key};
  process.gpu_share = server.memory_share;
  process.gpu_cards = command.cards;
  for (int card = 0; command.cards.empty() && card < command.spread; ++card) process.gpu_cards.push_back(card);
  if (command.spread > 0 && process.gpu_cards.size() > static_cast<std::size_t>(command.spread))
    process.gpu_cards.resize(static_cast<std::size_t>(command.spread));
  process.cold = server.cold;
  process.idle_time = server.idle_time;
  process.ready_time = server.ready_time;
  process.stop_grace = kModelGrace;
  return process;
}

}  // namespace pandora
