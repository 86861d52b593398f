#include "stack/instance.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/hash.h"
#include "stack/env_file.h"

namespace pandora {
namespace {

constexpr unsigned kOwnOnly = 0600, kReadable = 0644;
constexpr std::string_view kImages = "images.env", kPorts = "ports.env";
constexpr std::string_view kNotes = "# What you add below stays.";
constexpr std::array<std::string_view, 6> kSecretNames = {"grafana_password", "objects_secret_key", "postgres_password",
                                                          "qdrant_api_key",   "redis_password",     "redis_acl"};

std::string_view deployed(std::string_view path) {
  const auto files = deployment_files();
  return std::ranges::find(files, path, &DeployFile::path)->text;
}

std::string_view overlay_file(Overlay overlay) {
  return overlay == Overlay::kProduction ? "compose.prod.yaml" : "compose.dev.yaml";
}

Overlay present_overlay(const std::vector<EnvLine>& env) {
  const std::string files = env_value(env, "COMPOSE_FILE").value_or("");
  return files.find(overlay_file(Overlay::kProduction)) == std::string::npos ? Overlay::kDevelopment
                                                                             : Overlay::kProduction;
}

// The ports that hold: the table's, or what the user has set in its place.
std::vector<EnvLine> effective_ports(const std::vector<EnvLine>& env) {
  std::vector<EnvLine> ports;
  for (auto& line : parse_env(deployed(kPorts))) {
    if (line.name.empty()) continue;
    line.value = env_value(env, line.name).value_or(line.value);
    ports.push_back(std::move(line));
  }
  return ports;
}

Status check_ports(const std::vector<EnvLine>& ports) {
  constexpr int kHighest = 65'535;
  for (const auto& port : ports) {
    const bool digits = !port.value.empty() && port.value.size() <= 5 &&
                        std::ranges::all_of(port.value, [](char c) { return c >= '0' && c <= '9'; });
    if (!digits || std::stoi(port.value) < 1 || std::stoi(port.value) > kHighest)
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("{} in .env is \"{}\", which is no port", port.name, port.value),
                  "write a number from 1 to 65535");
    for (const auto& other : ports)
      if (&other != &port && other.value == port.value)
        return fail(ErrorCode::kConflict,
                    fmt::format("{} and {} in .env are both {}", port.name, other.name, port.value),
                    "give each a port of its own");
  }
  return {};
}

// For files of programs that read no environment: ${PANDORA_PORT_…} becomes the number.
std::string filled_in(std::string_view text, const std::vector<EnvLine>& ports) {
  std::string filled(text);
  for (const auto& port : ports) {
    const std::string mark = fmt::format("${{{}}}", port.name);
    for (auto at = filled.find(mark); at != std::string::npos; at = filled.find(mark, at))
      filled.replace(at, mark.size(), port.value);
  }
  return filled;
}

bool is_ours(const std::string& name, const std::vector<EnvLine>& ports) {
  if (name == "COMPOSE_PROJECT_NAME" || name == "COMPOSE_FILE" || name == "PANDORA_INSTANCE" ||
      name == "PANDORA_SECRETS")
    return true;
  return name.starts_with("PANDORA_IMAGE_") || std::ranges::find(ports, name, &EnvLine::name) != ports.end();
}

// What is below our last line, and any setting that is none of ours, wherever it stands.
std::string users_lines(const std::vector<EnvLine>& env, const std::vector<EnvLine>& ports) {
  std::string kept;
  bool below = false;
  for (const auto& line : env) {
    if (line.name.empty() ? below : !is_ours(line.name, ports)) kept += line.text + "\n";
    below = below || line.text == kNotes;
  }
  return kept;
}

Result<std::string> env_text(const InstanceOptions& options, const InstancePlan& plan, const std::vector<EnvLine>& env,
                             const std::vector<EnvLine>& ports) {
  std::string text =
      "# Written by `pandora init`. Compose reads it for every command that is typed in this folder. It holds no "
      "secret.\n";
  const std::string instance = env_value(env, "PANDORA_INSTANCE").value_or(options.instance.to_string());
  PANDORA_TRY(secrets, env_line("PANDORA_SECRETS", options.secrets));
  text += fmt::format("COMPOSE_PROJECT_NAME={}\nCOMPOSE_FILE=compose.yaml:{}\nPANDORA_INSTANCE={}\n{}\n\n", plan.name,
                      overlay_file(plan.overlay), instance, secrets);
  text += fmt::format("{}\n", deployed(kImages));
  for (const auto& line : parse_env(deployed(kPorts)))
    text += line.name.empty()
                ? line.text + "\n"
                : fmt::format("{}={}\n", line.name, std::ranges::find(ports, line.name, &EnvLine::name)->value);
  return text + fmt::format("\n{}\n{}", kNotes, users_lines(env, ports));
}

std::string random_password(Random& random) {
  return fmt::format("{:016x}{:016x}{:016x}", random.next(), random.next(), random.next());
}

// Redis' own users file: the default user is off, ours may do everything but administer.
std::string redis_users(const std::string& password) {
  return fmt::format("user default off\nuser pandora on #{} ~* &* +@all -@admin\n", sha256_hex(password));
}

}  // namespace

Status check_stack_name(std::string_view name) {
  const auto first = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  const auto later = [&](char c) { return first(c) || c == '_' || c == '-'; };
  if (!name.empty() && name.size() <= kMaxStackName && first(name[0]) && std::ranges::all_of(name, later)) return {};
  return fail(
      ErrorCode::kInvalidArgument, fmt::format("\"{}\" cannot be the name of an instance", name),
      fmt::format("use up to {} lower-case letters, digits, _ and -, beginning with a letter or digit", kMaxStackName));
}

Result<std::string> instance_name(const std::optional<std::string>& asked, std::string_view present_env) {
  const auto present = env_value(parse_env(present_env), "COMPOSE_PROJECT_NAME");
  const std::string name = asked ? *asked : present.value_or(std::string(kDefaultStackName));
  PANDORA_CHECK(check_stack_name(name));
  if (present && *present != name)
    return fail(ErrorCode::kConflict, fmt::format("this folder is the instance \"{}\" already", *present),
                "choose another folder (--dir), or leave --name out: a new name would leave its volumes behind");
  return name;
}

Result<InstancePlan> plan_instance(const InstanceOptions& options) {
  const auto env = parse_env(options.present_env);
  InstancePlan plan;
  PANDORA_TRY(name, instance_name(options.name, options.present_env));
  plan.name = name;
  plan.overlay = options.overlay.value_or(present_overlay(env));
  const auto ports = effective_ports(env);
  PANDORA_CHECK(check_ports(ports));
  for (const auto& file : deployment_files()) {
    if (file.path == kImages || file.path == kPorts) continue;
    const bool compose = file.path.starts_with("compose.");
    plan.files.push_back(
        {std::string(file.path), compose ? std::string(file.text) : filled_in(file.text, ports), kReadable});
  }
  PANDORA_TRY(text, env_text(options, plan, env, ports));
  plan.files.push_back({".env", std::move(text), kOwnOnly});
  return plan;
}

std::span<const std::string_view> secret_names() { return kSecretNames; }

std::vector<Secret> plan_secrets(const std::vector<Secret>& present, Random& random) {
  std::vector<Secret> planned;
  const auto text_of = [](const std::vector<Secret>& secrets, std::string_view name) {
    const auto found = std::ranges::find(secrets, name, &Secret::name);
    return found == secrets.end() ? std::string() : found->text;
  };
  for (const auto name : kSecretNames) {
    const std::string made = text_of(planned, "redis_password");
    const bool follows = name == "redis_acl" && !made.empty();
    if (!text_of(present, name).empty() && !follows) continue;
    const std::string redis = made.empty() ? text_of(present, "redis_password") : made;
    planned.push_back({std::string(name), name == "redis_acl" ? redis_users(redis) : random_password(random)});
  }
  return planned;
}

}  // namespace pandora
