#include "cli/stack/doctor_stack.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include "base/text.h"
#include "compose/compose_model.h"
#include "compose/lint.h"
#include "stack/firewall.h"
#include "stack/instance.h"
#include "stack/plan.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxFile = 1u << 20;
constexpr Duration kPatience = std::chrono::seconds(20);
constexpr Duration kComposePatience = std::chrono::seconds(60);  // 1.29 is a Python program on a busy machine
constexpr std::uint64_t kLittleSpace = 1ull << 30, kFewFiles = 10'000;
constexpr Duration kClockSkew = std::chrono::seconds(2);
constexpr const char* kInit = "pandora init --yes";

bool has_program(const std::string& name) {
  std::string path = std::getenv("PATH") ? std::getenv("PATH") : "";
  for (path += ":/usr/sbin:/usr/local/sbin"; !path.empty();) {
    const auto colon = path.find(':');
    if (::access(join_path(path.substr(0, colon), name).c_str(), X_OK) == 0) return true;
    path.erase(0, colon == std::string::npos ? path.size() : colon + 1);
  }
  return false;
}

CheckResult check_compose(StackSession& session) {
  const auto compose = find_compose(session.runner(), Deadline::after(session.clock(), kComposePatience));
  if (!compose)
    return broken("compose", compose.error().message, compose.error().remedy,
                  as_root("apt-get install -y docker-compose"), compose.error().code);
  return {CheckState::kOk, "compose", compose->name(), ""};
}

CheckResult no_engine(const Error& error) {
  CheckResult result = broken("docker", error.message, error.remedy, "", error.code);
  if (error.code == ErrorCode::kPermissionDenied) {
    result.remedy = "join the group that may, then log in again";
    result.command = as_root("usermod -aG docker \"$(id -un)\"");
  } else if (error.code == ErrorCode::kNotFound) {
    result.remedy = has_program("dockerd") ? "start it" : "install it";
    result.command = as_root(has_program("dockerd") ? "systemctl start docker" : "apt-get install -y docker.io");
  } else if (error.code == ErrorCode::kUnavailable) {
    result.remedy = "start it again";
    result.command = as_root("systemctl restart docker");
  }
  return result;
}

// The Engine, when it answers; its row, and what it says of the machine.
DockerEngine* check_engine(StackSession& session, std::vector<CheckResult>& results) {
  const auto socket = docker_socket(std::getenv("DOCKER_HOST") ? std::getenv("DOCKER_HOST") : "");
  if (!socket) {
    results.push_back(no_engine(socket.error()));
    return nullptr;
  }
  auto engine = session.engine();
  if (engine) {
    const auto version = (*engine)->version(Deadline::after(session.clock(), kPatience));
    if (version) {
      results.push_back(
          {CheckState::kOk, "docker", fmt::format("Engine {} (API {})", version->version, version->api), ""});
      return *engine;
    }
    results.push_back(no_engine(version.error()));
  } else {
    results.push_back(no_engine(engine.error()));
  }
  return nullptr;
}

struct PortUse {
  std::string variable, service, profile;
};
std::vector<PortUse> port_uses() {
  std::vector<PortUse> uses = {{"PANDORA_PORT_GATEWAY", "", ""}};
  for (const auto& service : stack_services())
    uses.push_back({std::string(service.port_variable), std::string(service.name), std::string(service.profile)});
  return uses;
}

void check_ports(StackSession& session, const std::vector<Container>& containers, std::vector<CheckResult>& results) {
  const StackFolder& folder = session.folder();
  const auto all = listeners();
  std::size_t wrong = 0;
  std::optional<FirewallSight> firewall;
  std::set<std::uint16_t> open;
  const auto reached = [&](const std::string& what, const std::string& address, std::uint16_t port) {
    if (!open.insert(port).second) return;
    if (!firewall) firewall = look_at_firewall(session.runner(), Deadline::after(session.clock(), kPatience));
    ++wrong;
    results.push_back(broken("ports",
                             fmt::format("{} listens on {}:{}: other machines reach it{}", what, address, port,
                                         firewall_words(*firewall, port)),
                             "publish it on 127.0.0.1 only; `pandora lint` names the line",
                             fmt::format("{} && pandora up --containers", kInit)));
  };
  for (const auto& use : port_uses()) {
    const auto port = folder.port_in(use.variable);
    if (!folder.asks_for(use.profile) || port == 0) continue;
    const Listener* found = listener_on(all, {"127.0.0.1", port});
    if (!found) continue;
    const std::string what = use.service.empty() ? "the Gateway" : use.service;
    const auto own = use.service.empty() ? process_of(found->inode) : std::nullopt;
    const Stranger stranger = stranger_on(*found, use.service, folder, containers);
    if (!stranger.who.empty() && !(own && own->name == "pandora")) {
      ++wrong;
      const auto free = free_port(all, static_cast<std::uint16_t>(found->port + 1));
      const std::string other = fmt::format("sed -i 's/^{0}=.*/{0}={1}/' .env && {2}", use.variable, free, kInit);
      results.push_back(broken("ports", fmt::format("{}, which {} needs, is taken by {}", port, what, stranger.who),
                               fmt::format("end it, or set {}={} in .env and run `{}`", use.variable, free, kInit),
                               stranger.container.empty() ? other : "docker stop " + shell_word(stranger.container)));
    } else if (!found->is_loopback() && !use.service.empty()) {
      reached(what, found->address, found->port);
    }
  }
  // Of services that the user has added as well, and of those that nobody listens for: Docker can do it by rules alone.
  for (const auto& container : containers)
    for (const auto& port : container.ports)
      if (container.project == folder.name && port.published != 0 && !port.address.empty() &&
          !port.address.starts_with("127.") && port.address != "::1")
        reached(container.service, port.address, static_cast<std::uint16_t>(port.published));
  if (wrong == 0) results.push_back({CheckState::kOk, "ports", "free, or of this instance, on 127.0.0.1", ""});
}

// Who has to know a password anew when its file is lost.
std::string service_of_secret(std::string_view secret) {
  for (const auto& service : stack_services())
    if (service.secret == secret) return std::string(service.name);
  return secret == "redis_acl" ? "redis" : secret == "objects_secret_key" ? "objects" : "grafana";
}

CheckResult check_secrets(const StackFolder& folder) {
  for (const auto name : secret_names()) {
    const std::string path = join_path(folder.secrets, name);
    struct stat info{};
    const bool there = ::stat(path.c_str(), &info) == 0;
    if (there && info.st_size > 0 && (info.st_mode & S_IROTH) != 0) continue;
    if (there && info.st_size > 0)
      return broken("secrets",
                    fmt::format("{} is for its owner alone (mode {:04o}): a container that is not root cannot read it",
                                path, info.st_mode & 07777),
                    "make it readable; the folder keeps others out", "chmod 444 " + shell_word(path));
    const std::string service = service_of_secret(name);
    const bool is_told = service != "grafana";  // whose password is its own once it has data
    return broken("secrets", fmt::format("{} {}", path, there ? "is empty" : "is not there"),
                  is_told ? "put it back, or have another made: a store that has data is then told the new one"
                          : "put it back, or have another made: a Grafana that has data keeps the one that it was made "
                            "with until `grafana cli admin reset-admin-password` is run in its container",
                  fmt::format("{}{}{}", there ? fmt::format("rm -f {} && ", shell_word(path)) : "", kInit,
                              is_told ? " && pandora secrets rotate " + service : ""),
                  ErrorCode::kNotFound);
  }
  struct stat info{};
  if (::stat(folder.secrets.c_str(), &info) == 0 && (info.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return broken("secrets", fmt::format("{} can be entered by others on this machine", folder.secrets),
                  "close it: the files in it are readable by all", "chmod 700 " + shell_word(folder.secrets),
                  ErrorCode::kPermissionDenied);
  return {CheckState::kOk, "secrets", fmt::format("{} in {}", secret_names().size(), folder.secrets), ""};
}

double memory_of_machine() {
  std::ifstream info("/proc/meminfo");
  double kilobytes = 0;
  for (std::string name, unit; info >> name >> kilobytes && name != "MemTotal:";) std::getline(info, unit);
  return kilobytes * 1024;
}

// The limits that the services may use together, when all that are wanted run.
CheckResult check_memory(StackSession& session) {
  const StackFolder& folder = session.folder();
  std::vector<SourceFile> sources;
  for (const auto& path : folder.files) {
    auto text = session.files().read_file(path, kMaxFile);
    if (!text) return broken("memory", text.error().message, "have it written again", kInit, text.error().code);
    sources.push_back({path, *std::move(text)});
  }
  const auto model = read_compose(sources, [&](const std::string& name) -> std::optional<std::string> {
    const std::string value = folder.variable(name);
    return value.empty() ? std::nullopt : std::optional(value);
  });
  if (!model) return broken("memory", model.error().message, "have the files written again", kInit, model.error().code);
  double limits = 0;
  for (const auto& [name, service] : member(model->value, "services").items()) {
    const Json& profiles = member(service, "profiles");
    if (profiles.is_array() && std::ranges::none_of(profiles, [&](const Json& profile) {
          return profile.is_string() && folder.asks_for(profile.get<std::string>());
        }))
      continue;
    limits +=
        size_bytes(member(member(member(member(service, "deploy"), "resources"), "limits"), "memory")).value_or(0);
  }
  const double all = memory_of_machine();
  if (limits == 0) return {CheckState::kOk, "memory", fmt::format("{}, and no limits are set", size_of(all)), ""};
  const std::string detail = fmt::format("the services may use {}, the machine has {}", size_of(limits), size_of(all));
  if (limits <= all) return {CheckState::kOk, "memory", detail, ""};
  CheckResult result =
      broken("memory", detail, "lower the limits in compose.prod.yaml, start fewer profiles, or do without limits",
             "pandora init --development --yes");
  result.finding = CheckState::kWarning;
  return result;
}

CheckResult check_clock_source() {
  timex state{};
  const bool kept = ::adjtimex(&state) >= 0 && (state.status & STA_UNSYNC) == 0;
  if (kept) return {CheckState::kOk, "clock source", "it is kept right", ""};
  return {CheckState::kWarning,
          "clock source",
          "nothing keeps the clock right, as far as the kernel knows",
          "start what does; in a container its host does",
          ErrorCode::kUnavailable,
          as_root("timedatectl set-ntp true")};
}

// An update of the program, or a hand: what was meant to stay belongs into a file of one's own.
CheckResult check_files(StackSession& session) {
  const StackFolder& folder = session.folder();
  InstanceOptions options{.name = {}, .overlay = {}, .secrets = folder.secrets, .instance = {}, .present_env = {}};
  const std::string env_path = join_path(folder.directory, ".env");
  if (auto env = session.files().read_file(env_path, kMaxFile)) options.present_env = *std::move(env);
  const auto plan = plan_instance(options);
  if (!plan) return broken("files", plan.error().message, plan.error().remedy, "", plan.error().code);
  for (const auto& file : plan->files) {
    const auto present = session.files().read_file(join_path(folder.directory, file.path), kMaxFile);
    if (!present) return broken("files", present.error().message, "have it written again", kInit, present.error().code);
    if (file.path == ".env" || *present == file.text) continue;
    CheckResult result = broken("files", fmt::format("{} is not as this pandora writes it", file.path),
                                "have it written again; settings of your own belong into a file of your own, after "
                                "the others in COMPOSE_FILE",
                                kInit);
    result.finding = CheckState::kWarning;
    return result;
  }
  return {CheckState::kOk, "files", fmt::format("{} in {}", plan->files.size(), folder.directory), ""};
}

CheckResult check_images(const StackFolder& folder) {
  for (const auto& [name, image] : folder.variables) {
    if (!name.starts_with("PANDORA_IMAGE_") || image.find("@sha256:") != std::string::npos) continue;
    const auto slash = image.rfind('/');
    const auto colon = image.find(':', slash == std::string::npos ? 0 : slash);
    const std::string tag = colon == std::string::npos ? "" : image.substr(colon + 1);
    if (tag.find('.') != std::string::npos) continue;
    return broken(
        "images",
        fmt::format("{} is {}: the next pull may bring another version, which need not read the data", name, image),
        "pin the version, as this pandora does", kInit);
  }
  return {CheckState::kOk, "images", "pinned by version", ""};
}

// Where the Engine keeps images and volumes, as far as that is a place of this machine.
CheckResult check_docker_space(const Json& info) {
  const std::string root = text_in(info, "DockerRootDir");
  struct statvfs space{};
  if (root.empty() || ::statvfs(root.c_str(), &space) != 0)
    return {CheckState::kOk, "docker's disk", "it is not for this user to look at", ""};
  const auto free = static_cast<std::uint64_t>(space.f_bavail) * space.f_frsize;
  const std::string detail = fmt::format("{} are free in {}", size_of(static_cast<double>(free)), root);
  const bool few_files = space.f_files > 0 && space.f_favail < kFewFiles;
  if (free >= kLittleSpace && !few_files) return {CheckState::kOk, "docker's disk", detail, ""};
  CheckResult result = broken(
      "docker's disk",
      few_files ? fmt::format("{}, but only {} more files can be made", detail, space.f_favail) : detail,
      "free some space: images that nothing names take it first", "docker image prune -f", ErrorCode::kStorageFull);
  result.finding = free < kLittleSpace / 4 || few_files ? CheckState::kFailure : CheckState::kWarning;
  return result;
}

CheckResult check_clock_of(const Json& info, Timestamp now) {
  const auto theirs = parse_iso8601(text_in(info, "SystemTime"));
  if (!theirs) return {CheckState::kOk, "clocks", "the Engine does not say what time it is", ""};
  const Duration skew = now > *theirs ? now - *theirs : *theirs - now;
  if (skew < kClockSkew) return {CheckState::kOk, "clocks", "here and in the containers the same", ""};
  return broken("clocks",
                fmt::format("here it is {}, in the containers {}: {} s apart", to_iso8601(now), to_iso8601(*theirs),
                            std::chrono::duration_cast<std::chrono::seconds>(skew).count()),
                "set the clock right, and have it kept so", as_root("timedatectl set-ntp true"),
                ErrorCode::kUnavailable);
}

// Everything that takes an Engine, and files that Compose takes.
void examine_engine(StackSession& session, DockerEngine& engine, bool has_compose, std::vector<CheckResult>& results) {
  const auto info = engine.get("/info", Deadline::after(session.clock(), kPatience));
  const Timestamp now = session.clock().now();
  if (!info)
    return results.push_back(broken("docker", info.error().message, info.error().remedy, "", info.error().code));
  results.push_back(check_docker_space(*info));
  results.push_back(check_clock_of(*info, now));
  if (!has_compose) return;
  const auto sight = session.look();
  if (!sight)
    return results.push_back(
        broken("files", sight.error().message, "have the files written again", kInit, sight.error().code));
  examine_containers(session, *sight, results);
  examine_volumes(session, *sight, results);
  examine_passwords(session, *sight, results);
}

}  // namespace

CheckResult broken(std::string check, std::string detail, std::string remedy, std::string command, ErrorCode code) {
  return {CheckState::kFailure, std::move(check), std::move(detail), std::move(remedy), code, std::move(command)};
}

std::string as_root(std::string_view command) { return fmt::format("{}{}", ::geteuid() == 0 ? "" : "sudo ", command); }

std::string shell_word(std::string_view word) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@%+,=";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string_view::npos) return std::string(word);
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string made_anew(const StackSight& sight, const std::string& service) {
  return fmt::format("{} && {} up -d --force-recreate {}", kInit, fmt::join(sight.compose.command, " "), service);
}

std::string size_of(double bytes) {
  constexpr double kMega = 1024.0 * 1024, kGiga = kMega * 1024;
  return bytes < kGiga ? fmt::format("{:.0f} MB", bytes / kMega) : fmt::format("{:.1f} GB", bytes / kGiga);
}

void examine_stack(const std::string& directory, std::vector<CheckResult>& results) {
  const auto env = make_posix_file_system()->read_file(join_path(directory, ".env"), kMaxFile);
  if (!env || !env_value(parse_env(*env), "PANDORA_INSTANCE")) return;
  auto session = StackSession::open(directory, {});
  if (!session)
    return results.push_back(
        broken("files", session.error().message, session.error().remedy, kInit, session.error().code));
  const StackFolder& folder = (*session)->folder();
  results.push_back(check_compose(**session));
  const bool has_compose = results.back().finding == CheckState::kOk;
  DockerEngine* engine = check_engine(**session, results);
  std::vector<Container> containers;
  if (engine)
    if (auto found = engine->containers(Deadline::after((*session)->clock(), kPatience)))
      containers = *std::move(found);
  check_ports(**session, containers, results);
  results.push_back(check_files(**session));
  results.push_back(check_images(folder));
  results.push_back(check_secrets(folder));
  results.push_back(check_memory(**session));
  results.push_back(check_clock_source());
  if (engine) examine_engine(**session, *engine, has_compose, results);
}

}  // namespace pandora
