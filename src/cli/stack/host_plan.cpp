#include "cli/stack/host_plan.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>
#include <unistd.h>

#include "base/file_system.h"
#include "cli/storage/data_paths.h"
#include "gateway/guard.h"
#include "host/model_servers.h"

namespace pandora {
namespace {

constexpr Duration kServerReady = std::chrono::minutes(2);  // the encoder, and what is left from before
constexpr Duration kBeyondDrain = std::chrono::seconds(5);

std::string absolute(const std::string& path) {
  std::error_code code;
  const auto whole = std::filesystem::absolute(path, code);
  return code ? path : whole.lexically_normal().string();
}

bool is_secret_flag(const EffectiveValue& value) {
  return value.source == SettingSource::kFlag && value.setting->secret;
}

// What the processes are to read as this one has read it: variables by name, files whose content is a value, flags.
void pass_settings_on(const Config& config, const HostPlanOptions& options, HostProcess& process) {
  for (const auto& value : config.values()) {
    const std::string name(value.setting->environment);
    const bool is_path = value.setting->kind == SettingKind::kPath && !value.value.empty();
    if (value.source == SettingSource::kEnvironment || value.source == SettingSource::kInstance)
      process.environment[name] = is_path ? absolute(expanded_path(value.value)) : value.value;
    if (value.source == SettingSource::kEnvironmentFile || value.source == SettingSource::kInstanceFile) {
      process.made_of.push_back(absolute(value.origin.substr(name.size() + 6)));  // "NAME_FILE=path"
      process.environment[name + "_FILE"] = process.made_of.back();
    }
  }
  for (const auto& [name, value] : secret_variables(config)) process.environment[name] = value;
  const auto flags = open_flags(config, options.flags);
  process.arguments.insert(process.arguments.end(), flags.begin(), flags.end());
}

HostProcess own_process(const Config& config, const HostPlanOptions& options, const DataPaths& paths,
                        const std::string& name) {
  HostProcess process;
  process.name = name;
  process.arguments = {this_program(), name, "--data", paths.root};
  if (!options.config_file.empty() && std::filesystem::exists(options.config_file)) {
    process.arguments.insert(process.arguments.end(), {"--config", absolute(options.config_file)});
    process.made_of.push_back(absolute(options.config_file));
  }
  pass_settings_on(config, options, process);
  process.made_of.push_back(this_program());
  process.watch = options.watch;
  process.ready_time = kServerReady;
  process.stop_grace = std::chrono::milliseconds(config.integer("gateway.drain_ms")) + kBeyondDrain;
  return process;
}

// Where it can be asked from here; without HTTP that this program could check, its port is all that counts.
Result<HostReadiness> readiness_of(const Config& config, const std::string& name, const std::string& path) {
  HostReadiness ready;
  ready.port = static_cast<std::uint16_t>(config.integer(name + ".port"));
  if (ready.port == 0)
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}.port is 0", name), "give it a port of its own");
  const std::string& address = config.string(name + ".address");
  const bool here = exposure_of(address) != Exposure::kBeyond || address == "0.0.0.0" || address == "::";
  const bool plain = name != "gateway" || config.string("gateway.tls_certificate").empty();
  if (here && plain) ready.health_path = path;
  return ready;
}

}  // namespace

std::map<std::string, std::string> secret_variables(const Config& config) {
  std::map<std::string, std::string> variables;
  for (const auto& value : config.values()) {
    if (!is_secret_flag(value)) continue;
    const std::string name(value.setting->environment);
    variables[name] = value.value;
    variables[name + "_FILE"] = "";  // one that is inherited would contradict it
  }
  return variables;
}

std::vector<std::string> open_flags(const Config& config, const std::map<std::string, std::string>& flags) {
  std::vector<std::string> words;
  for (const auto& [key, value] : flags) {
    const auto found = std::ranges::find(config.values(), key, &EffectiveValue::key);
    const bool is_secret = found != config.values().end() && is_secret_flag(*found);
    if (key == "data.path" || is_secret) continue;  // the one is given by its own flag
    words.insert(words.end(), {"--set", fmt::format("{}={}", key, value)});
  }
  return words;
}

Result<HostPlace> host_place(const Config& config) {
  PANDORA_TRY(paths, data_paths(config));
  return HostPlace{absolute(paths.root) + "/host"};
}

std::string this_program() {
  constexpr std::string_view kGone = " (deleted)";
  std::error_code code;
  std::string path = std::filesystem::read_symlink("/proc/self/exe", code).string();
  if (path.ends_with(kGone)) path.resize(path.size() - kGone.size());
  return path;
}

Result<std::vector<HostProcess>> plan_host_processes(const Config& config, const HostPlanOptions& options) {
  PANDORA_TRY(found, data_paths(config));
  DataPaths paths = std::move(found);
  paths.root = absolute(paths.root);
  PANDORA_TRY(servers, model_server_configs(config));
  std::vector<HostProcess> processes;
  std::vector<std::string> models;
  std::string on_card;
  for (const auto& server : servers) {
    PANDORA_TRY(command, check_model_command(server));
    HostProcess process = host_process_of(server, command);
    process.watch = options.watch;
    process.directory = paths.root;
    // Two that look at the card at once would each count what the other is about to take.
    if (!server.cold && server.memory_share > 0) {
      if (!on_card.empty()) process.needs.push_back(on_card);
      on_card = process.name;
    }
    models.push_back(process.name);
    processes.push_back(std::move(process));
  }
  const bool tools = config.boolean("tools.enabled");
  if (tools) {
    HostProcess orchestrator = own_process(config, options, paths, "orchestrator");
    PANDORA_TRY(ready, readiness_of(config, "orchestrator", "/health/live"));
    orchestrator.readiness = ready;
    orchestrator.needs = models;
    processes.push_back(std::move(orchestrator));
  }
  HostProcess gateway = own_process(config, options, paths, "gateway");
  PANDORA_TRY(ready, readiness_of(config, "gateway", "/health/ready"));
  gateway.readiness = ready;
  gateway.needs = tools ? std::vector<std::string>{"orchestrator"} : models;
  processes.push_back(std::move(gateway));
  return processes;
}

}  // namespace pandora
