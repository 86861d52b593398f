#include "stack/instance.h"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

#include "base/hash.h"
#include "compose/env_file.h"

namespace pandora {
namespace {

constexpr unsigned kOwnOnly = 0600, kReadable = 0644;
constexpr std::string_view kImages = "images.env", kPorts = "ports.env";
constexpr std::string_view kVolume = "PANDORA_VOLUME_", kAdopted = "PANDORA_VOLUMES_ADOPTED",
                           kAside = "PANDORA_VOLUMES_ASIDE";
constexpr std::array<std::string_view, 6> kVolumeKeys = {"grafana_data",    "objects_data", "postgres_data",
                                                         "prometheus_data", "qdrant_data",  "redis_data"};
constexpr std::string_view kVolumeNotes =
    "# Where the data of each store is. `pandora volumes` and `pandora init --adopt` change it.";
constexpr std::string_view kPrograms =
    "# Where the programs that are started in this folder keep what is said. `embedded` in place of postgres or "
    "qdrant\n"
    "# needs no container; what was kept in the other is found again by `pandora reconcile --apply`.";
constexpr std::string_view kData = "PANDORA_DATA", kRows = "PANDORA_ROWS_STORE", kPoints = "PANDORA_POINTS_STORE";
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
      name == "PANDORA_SECRETS" || name == kAdopted || name == kAside || name == kData || name == kRows ||
      name == kPoints)
    return true;
  return name.starts_with("PANDORA_IMAGE_") || name.starts_with(kVolume) ||
         std::ranges::find(ports, name, &EnvLine::name) != ports.end();
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

std::string volume_variable(std::string_view key) {
  std::string name(kVolume);
  for (const char c : key) name += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

std::string volume_lines(const VolumeChoices& volumes, const std::vector<AsideEntry>& aside) {
  std::string text = fmt::format("{}\n", kVolumeNotes), adopted, kept;
  for (const auto& [key, volume] : volumes) {
    text += fmt::format("{}={}\n", volume_variable(key), volume.name);
    if (volume.adopted) adopted += (adopted.empty() ? "" : ",") + volume.name;
  }
  for (const auto& entry : aside)
    kept += fmt::format("{}{}:{}:{}{}", kept.empty() ? "" : ",", entry.name, entry.key, entry.since,
                        entry.adopted ? ":adopted" : "");
  if (!adopted.empty()) text += fmt::format("{}={}\n", kAdopted, adopted);
  return text + (kept.empty() ? "" : fmt::format("{}={}\n", kAside, kept));
}

// One that was made before they were written goes on with the stores that it has.
Result<std::string> program_lines(const InstanceOptions& options, const std::vector<EnvLine>& env) {
  const bool is_new = !env_value(env, "PANDORA_INSTANCE");
  std::string data = env_value(env, kData).value_or("");
  if ((is_new && data.empty()) || options.moves_data) data = options.data;
  std::string text = fmt::format("{}\n", kPrograms);
  if (!data.empty()) {
    PANDORA_TRY(line, env_line(kData, data));
    text += line + "\n";
  }
  return text + fmt::format("{}={}\n{}={}\n", kRows, env_value(env, kRows).value_or(is_new ? "postgres" : "embedded"),
                            kPoints, env_value(env, kPoints).value_or(is_new ? "qdrant" : "embedded"));
}

Result<std::string> env_text(const InstanceOptions& options, const InstancePlan& plan, const std::vector<EnvLine>& env,
                             const std::vector<EnvLine>& ports, const VolumeChoices& volumes) {
  std::string text =
      "# Written by `pandora init`. Compose reads it for every command that is typed in this folder. It holds no "
      "secret.\n";
  const std::string instance = env_value(env, "PANDORA_INSTANCE").value_or(options.instance.to_string());
  PANDORA_TRY(secrets, env_line("PANDORA_SECRETS", options.secrets));
  text += fmt::format("COMPOSE_PROJECT_NAME={}\nCOMPOSE_FILE=compose.yaml:{}\nPANDORA_INSTANCE={}\n{}\n\n", plan.name,
                      overlay_file(plan.overlay), instance, secrets);
  PANDORA_TRY(programs, program_lines(options, env));
  text += programs + "\n";
  text += fmt::format("{}\n{}\n", volume_lines(volumes, volumes_aside(options.present_env)), deployed(kImages));
  for (const auto& line : parse_env(deployed(kPorts)))
    text += line.name.empty()
                ? line.text + "\n"
                : fmt::format("{}={}\n", line.name, std::ranges::find(ports, line.name, &EnvLine::name)->value);
  return text + fmt::format("\n{}\n{}", kNotes, users_lines(env, ports));
}

std::string random_password(Random& random) {
  return fmt::format("{:016x}{:016x}{:016x}", random.next(), random.next(), random.next());
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
  auto volumes = volume_choices(name, options.present_env);
  for (const auto& [key, volume] : options.volumes) volumes[key] = volume;
  for (const auto& file : deployment_files()) {
    if (file.path == kImages || file.path == kPorts) continue;
    const bool compose = file.path.starts_with("compose.");
    plan.files.push_back({std::string(file.path),
                          compose ? *compose_with_volumes(file.text, volumes) : filled_in(file.text, ports),
                          kReadable});
  }
  PANDORA_TRY(text, env_text(options, plan, env, ports, volumes));
  plan.files.push_back({".env", std::move(text), kOwnOnly});
  return plan;
}

std::span<const std::string_view> volume_keys() { return kVolumeKeys; }

VolumeChoices volume_choices(std::string_view name, std::string_view present_env) {
  const auto env = parse_env(present_env);
  const std::string adopted = "," + env_value(env, kAdopted).value_or("") + ",";
  VolumeChoices choices;
  for (const auto key : kVolumeKeys) {
    const std::string set = env_value(env, volume_variable(key)).value_or("");
    const std::string volume = set.empty() ? fmt::format("{}_{}", name, key) : set;
    choices[std::string(key)] = {.name = volume,
                                 .adopted = adopted.find(fmt::format(",{},", volume)) != std::string::npos};
  }
  return choices;
}

std::vector<AsideEntry> volumes_aside(std::string_view present_env) {
  std::vector<AsideEntry> found;
  std::string list = env_value(parse_env(present_env), kAside).value_or("");
  for (list += ','; !list.empty(); list.erase(0, list.find(',') + 1)) {
    std::vector<std::string> parts;
    for (std::string entry = list.substr(0, list.find(',')) + ":"; !entry.empty(); entry.erase(0, entry.find(':') + 1))
      parts.push_back(entry.substr(0, entry.find(':')));
    if (parts.size() >= 3) found.push_back({parts[0], parts[1], parts[2], parts.size() > 3 && parts[3] == "adopted"});
  }
  return found;
}

std::string env_with_volumes(std::string_view present_env, const VolumeChoices& volumes,
                             const std::vector<AsideEntry>& aside) {
  std::string before, after;
  bool met = false;  // where they stand, or else at the end
  for (const auto& line : parse_env(present_env)) {
    const bool is_about_them =
        line.name.starts_with(kVolume) || line.name == kAdopted || line.name == kAside || line.text == kVolumeNotes;
    met = met || is_about_them;
    if (!is_about_them) (met ? after : before) += line.text + "\n";
  }
  return before + volume_lines(volumes, aside) + after;
}

// A volume of another project is `external`, so that Compose neither makes nor removes it; labels it refuses on one.
Result<std::string> compose_with_volumes(std::string_view compose, const VolumeChoices& volumes) {
  constexpr std::string_view kLabels = "    labels:\n      pandora.instance: ${PANDORA_INSTANCE:?run pandora init}\n";
  constexpr std::string_view kExternal = "    external: true\n";
  std::string text(compose);
  if (text.find("\nvolumes:\n") == std::string::npos) return text;  // an overlay
  for (const auto& [key, volume] : volumes) {
    const std::string line = fmt::format("    name: ${{{}:?run pandora init}}\n", volume_variable(key));
    const auto at = text.find(line);
    const auto next = at + line.size();
    const bool marked = at != std::string::npos && text.compare(next, kLabels.size(), kLabels) == 0;
    const bool external = at != std::string::npos && text.compare(next, kExternal.size(), kExternal) == 0;
    if (!marked && !external)
      return fail(ErrorCode::kConflict, fmt::format("compose.yaml does not say of {} what `pandora init` writes", key),
                  "run `pandora init --yes` there first: it writes compose.yaml again");
    text.replace(next, (marked ? kLabels : kExternal).size(), volume.adopted ? kExternal : kLabels);
  }
  return text;
}

std::span<const std::string_view> secret_names() { return kSecretNames; }

std::string redis_users(const std::vector<std::string>& passwords) {
  std::string hashes;
  for (const auto& password : passwords)
    if (!password.empty()) hashes += fmt::format(" #{}", sha256_hex(password));
  return fmt::format("user default off\nuser pandora on{} ~* &* +@all -@admin\n", hashes);
}

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
    planned.push_back({std::string(name), name == "redis_acl" ? redis_users({redis}) : random_password(random)});
  }
  return planned;
}

}  // namespace pandora
