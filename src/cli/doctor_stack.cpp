#include "cli/doctor_stack.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include <fmt/format.h>
#include <sys/timex.h>
#include <unistd.h>

#include "base/file_system.h"
#include "net/io_threads.h"
#include "stack/compose_model.h"
#include "stack/compose_program.h"
#include "stack/docker_engine.h"
#include "stack/env_file.h"
#include "stack/instance.h"
#include "stack/listeners.h"
#include "stack/posix_process_runner.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxFile = 1u << 20;
constexpr Duration kEnginePatience = std::chrono::seconds(20);
constexpr Duration kComposePatience = std::chrono::seconds(60);  // 1.29 is a Python program on a busy machine
constexpr double kGiga = 1024.0 * 1024 * 1024;

// What listens on a port of the table, and the profile that it is started by; empty: always.
struct PortUse {
  const char* variable;
  const char* service;
  const char* profile;
};
constexpr PortUse kPortUses[] = {{"PANDORA_PORT_GATEWAY", "", ""},
                                 {"PANDORA_PORT_VECTORDB", "vectordb", ""},
                                 {"PANDORA_PORT_POSTGRES", "postgres", ""},
                                 {"PANDORA_PORT_REDIS", "redis", "cache"},
                                 {"PANDORA_PORT_OBJECTS", "objects", "objects"},
                                 {"PANDORA_PORT_PROMETHEUS", "prometheus", "monitoring"},
                                 {"PANDORA_PORT_POSTGRES_EXPORTER", "postgres_exporter", "monitoring"},
                                 {"PANDORA_PORT_GRAFANA", "grafana", "monitoring"}};

struct Instance {
  std::string folder, name, secrets;
  std::vector<EnvLine> env;
  std::vector<Container> containers;  // none when no Engine answers
};

std::string variable(const std::vector<EnvLine>& env, const std::string& name) {
  const char* given = std::getenv(name.c_str());
  return given ? given : env_value(env, name).value_or("");
}

bool is_wanted(const Instance& instance, std::string_view profile) {
  if (profile.empty()) return true;
  const std::string list = "," + variable(instance.env, "COMPOSE_PROFILES") + ",";
  return list.find(fmt::format(",{},", profile)) != std::string::npos || list == ",*,";
}

CheckResult check_compose() {
  const SystemClock clock;
  const auto runner = make_posix_process_runner();
  const auto compose = find_compose(*runner, Deadline::after(clock, kComposePatience));
  if (!compose)
    return {CheckState::kFailure, "compose", compose.error().message, compose.error().remedy, compose.error().code};
  return {CheckState::kOk, "compose", compose->name(), ""};
}

bool has_program(const std::string& name) {
  std::string path = std::getenv("PATH") ? std::getenv("PATH") : "";
  for (path += ":/usr/sbin:/usr/local/sbin"; !path.empty();) {
    const auto colon = path.find(':');
    if (::access(join_path(path.substr(0, colon), name).c_str(), X_OK) == 0) return true;
    path.erase(0, colon == std::string::npos ? path.size() : colon + 1);
  }
  return false;
}

std::string engine_remedy(const Error& error) {
  if (!error.remedy.empty() && error.code != ErrorCode::kUnavailable) return error.remedy;
  if (error.code == ErrorCode::kPermissionDenied) return "sudo usermod -aG docker \"$USER\", then log in again";
  if (error.code == ErrorCode::kNotFound && !has_program("dockerd")) return "sudo apt-get install docker.io";
  return error.code == ErrorCode::kNotFound ? "sudo systemctl start docker" : "sudo systemctl restart docker";
}

CheckResult check_engine(Instance& instance) {
  const auto failure = [](const Error& error) {
    return CheckResult{CheckState::kFailure, "docker", error.message, engine_remedy(error), error.code};
  };
  const SystemClock clock;
  IoThreads threads(clock);
  const char* host = std::getenv("DOCKER_HOST");
  const auto socket = docker_socket(host ? host : "");
  if (!socket) return failure(socket.error());
  const auto engine = DockerEngine::open(*socket, threads);
  if (!engine) return failure(engine.error());
  const auto deadline = Deadline::after(clock, kEnginePatience);
  const auto version = (*engine)->version(deadline);
  if (!version) return failure(version.error());
  auto containers = (*engine)->containers(deadline);
  if (!containers) return failure(containers.error());
  instance.containers = *std::move(containers);
  return {CheckState::kOk, "docker", fmt::format("Engine {} (API {})", version->version, version->api), ""};
}

// Whoever has the port, as far as can be seen; empty: it is as it should be.
std::string stranger_on(const Instance& instance, const PortUse& use, const Listener& listener) {
  for (const auto& container : instance.containers) {
    const bool ours = container.project == instance.name && container.service == use.service;
    if (ours && container.state == "running") return "";
  }
  for (const auto& container : instance.containers)
    for (const auto& port : container.ports)
      if (port.published == listener.port)
        return container.project.empty()
                   ? fmt::format("the container {}", container.name)
                   : fmt::format("the container {} of the project {}", container.name, container.project);
  const auto process = process_of(listener.inode);
  if (!process) return "a process of another user";
  const std::string_view gateway = "pandora";
  if (*use.service == '\0' && process->name == gateway) return "";
  return fmt::format("process {} ({})", process->pid, process->name);
}

void check_ports(const Instance& instance, std::vector<CheckResult>& results) {
  const auto all = listeners();
  std::size_t wrong = 0;
  for (const auto& use : kPortUses) {
    const std::string port = variable(instance.env, use.variable);
    if (!is_wanted(instance, use.profile) || port.empty()) continue;
    const auto found =
        std::ranges::find_if(all, [&](const Listener& listener) { return std::to_string(listener.port) == port; });
    if (found == all.end()) continue;
    const std::string what = *use.service == '\0' ? "the Gateway" : use.service;
    const std::string stranger = stranger_on(instance, use, *found);
    if (!stranger.empty()) {
      ++wrong;
      results.push_back({CheckState::kFailure, "ports",
                         fmt::format("{}, which {} needs, is taken by {}", port, what, stranger),
                         fmt::format("end it, or set {}={} in .env and run `pandora init --yes`", use.variable,
                                     free_port(all, static_cast<std::uint16_t>(found->port + 1))),
                         ErrorCode::kConflict});
    } else if (!found->is_loopback() && *use.service != '\0') {
      ++wrong;
      results.push_back({CheckState::kFailure, "ports",
                         fmt::format("{} listens on {}:{}: other machines reach it", what, found->address, port),
                         "publish it on 127.0.0.1 only: `pandora lint` names the line", ErrorCode::kConflict});
    }
  }
  if (wrong == 0) results.push_back({CheckState::kOk, "ports", "free, or of this instance, on 127.0.0.1", ""});
}

CheckResult check_secrets(const Instance& instance) {
  const auto files = make_posix_file_system();
  for (const auto name : secret_names())
    if (!files->exists(join_path(instance.secrets, name)))
      return {CheckState::kFailure, "secrets", fmt::format("{} is not in {}", name, instance.secrets),
              "put it back: a store keeps the password that it was made with; for a new store `pandora init` makes one",
              ErrorCode::kNotFound};
  return {CheckState::kOk, "secrets", fmt::format("{} in {}", secret_names().size(), instance.secrets), ""};
}

double memory_of_machine() {
  std::ifstream info("/proc/meminfo");
  double kilobytes = 0;
  for (std::string name, unit; info >> name >> kilobytes && name != "MemTotal:";) std::getline(info, unit);
  return kilobytes * 1024;
}

// The limits that the services may use together, when all that are wanted run.
CheckResult check_memory(const Instance& instance) {
  const auto files = make_posix_file_system();
  std::vector<SourceFile> sources;
  std::string listed = variable(instance.env, "COMPOSE_FILE");
  while (!listed.empty()) {
    const auto colon = listed.find(':');
    const std::string path = join_path(instance.folder, listed.substr(0, colon));
    auto text = files->read_file(path, kMaxFile);
    if (!text)
      return {CheckState::kFailure, "memory", text.error().message, "run `pandora init` here again", text.error().code};
    sources.push_back({path, *std::move(text)});
    listed.erase(0, colon == std::string::npos ? listed.size() : colon + 1);
  }
  const auto model = read_compose(sources, [&](const std::string& name) -> std::optional<std::string> {
    const std::string value = variable(instance.env, name);
    return value.empty() ? std::nullopt : std::optional(value);
  });
  if (!model) return {CheckState::kFailure, "memory", model.error().message, model.error().remedy, model.error().code};
  double limits = 0;
  for (const auto& [name, service] : member(model->value, "services").items()) {
    const Json& profiles = member(service, "profiles");
    if (profiles.is_array() && std::ranges::none_of(profiles, [&](const Json& profile) {
          return profile.is_string() && is_wanted(instance, profile.get<std::string>());
        }))
      continue;
    limits +=
        size_bytes(member(member(member(member(service, "deploy"), "resources"), "limits"), "memory")).value_or(0);
  }
  const double all = memory_of_machine();
  if (limits == 0) return {CheckState::kOk, "memory", fmt::format("{:.1f} GB, and no limits are set", all / kGiga), ""};
  const std::string detail =
      fmt::format("the services may use {:.1f} GB, the machine has {:.1f} GB", limits / kGiga, all / kGiga);
  if (limits <= all) return {CheckState::kOk, "memory", detail, ""};
  return {CheckState::kWarning, "memory", detail, "lower the limits in compose.prod.yaml, or start fewer profiles"};
}

CheckResult check_clock_source() {
  timex state{};
  const bool kept = ::adjtimex(&state) >= 0 && (state.status & STA_UNSYNC) == 0;
  if (kept) return {CheckState::kOk, "clock source", "it is kept right", ""};
  return {CheckState::kWarning, "clock source", "nothing keeps the clock right, as far as the kernel knows",
          "start systemd-timesyncd or chrony; in a container its host does"};
}

}  // namespace

void examine_stack(const std::string& folder, std::vector<CheckResult>& results) {
  const auto text = make_posix_file_system()->read_file(join_path(folder, ".env"), kMaxFile);
  if (!text) return;
  Instance instance{.folder = folder, .name = {}, .secrets = {}, .env = parse_env(*text), .containers = {}};
  if (!env_value(instance.env, "PANDORA_INSTANCE")) return;
  instance.name = variable(instance.env, "COMPOSE_PROJECT_NAME");
  instance.secrets = variable(instance.env, "PANDORA_SECRETS");
  results.push_back(check_compose());
  results.push_back(check_engine(instance));
  check_ports(instance, results);
  results.push_back(check_secrets(instance));
  results.push_back(check_memory(instance));
  results.push_back(check_clock_source());
}

}  // namespace pandora
