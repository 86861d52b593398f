#include "stack/stack_folder.h"

#include <charconv>

#include <fmt/format.h>

#include "base/text.h"
#include "stack/docker_engine.h"
#include "stack/instance.h"

namespace pandora {
namespace {

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto end = text.find(separator);
    if (const auto part = trim(text.substr(0, end)); !part.empty()) parts.emplace_back(part);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return parts;
}

}  // namespace

std::string StackFolder::variable(const std::string& which) const {
  const auto found = variables.find(which);
  return found == variables.end() ? "" : found->second;
}

std::uint16_t StackFolder::port_in(const std::string& which) const {
  const std::string text = variable(which);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() ? port : 0;
}

ComposeFiles StackFolder::compose_files() const {
  return {.project = name, .paths = files, .directory = directory, .profiles = profiles, .docker_host = docker_host};
}

bool StackFolder::asks_for(std::string_view profile) const {
  return profile.empty() || profiles.contains("*") || profiles.contains(std::string(profile));
}

Result<StackFolder> read_stack_folder(FileSystem& files, const std::string& directory, const Environment& environment,
                                      const std::set<std::string>& profiles) {
  const auto text = files.read_file(join_path(directory, ".env"), kMaxEnvBytes);
  if (!text && text.error().code != ErrorCode::kNotFound) return fail(text.error());
  const auto env = parse_env(text ? *text : "");
  if (!env_value(env, "PANDORA_INSTANCE"))
    return fail(ErrorCode::kNotFound, fmt::format("{} is no folder of an instance", directory),
                "run `pandora init` there, or name the folder (--dir)");
  StackFolder folder{.directory = directory,
                     .name = {},
                     .instance = {},
                     .secrets = {},
                     .files = {},
                     .profiles = profiles,
                     .variables = {},
                     .docker_host = environment("DOCKER_HOST").value_or("")};
  if (folder.docker_host.empty()) folder.docker_host = fmt::format("unix://{}", kUsualDockerSocket);
  for (const auto& line : env)
    if (!line.name.empty()) folder.variables[line.name] = environment(line.name).value_or(line.value);
  if (const auto given = environment("COMPOSE_PROFILES")) folder.variables["COMPOSE_PROFILES"] = *given;
  folder.name = folder.variable("COMPOSE_PROJECT_NAME");
  folder.instance = folder.variable("PANDORA_INSTANCE");
  folder.secrets = folder.variable("PANDORA_SECRETS");
  for (const auto& file : split(folder.variable("COMPOSE_FILE"), ':'))
    folder.files.push_back(file.starts_with('/') ? file : join_path(directory, file));
  for (auto& profile : split(folder.variable("COMPOSE_PROFILES"), ',')) folder.profiles.insert(std::move(profile));
  if (!check_stack_name(folder.name) || folder.secrets.empty() || folder.files.empty())
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}/.env lacks a part of what init writes", directory),
                "run `pandora init` there: what you added stays");
  return folder;
}

Result<std::string> read_secret(FileSystem& files, const StackFolder& folder, const std::string& name) {
  PANDORA_TRY(text, files.read_file(join_path(folder.secrets, name), kMaxSecretBytes));
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  return text;
}

}  // namespace pandora
