#include "cli/storage/data_paths.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>

#include "base/file_system.h"

namespace pandora {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

// $NAME, else ~/fallback.
std::string user_directory(const char* name, std::string_view fallback) {
  const std::string given = environment(name);
  return given.empty() ? join_path(environment("HOME"), fallback) : given;
}

}  // namespace

// In a settings file nobody else does it.
std::string expanded_path(const std::string& path) {
  return path.starts_with("~/") ? join_path(environment("HOME"), path.substr(2)) : path;
}

std::string config_file_path() {
  const std::string given = environment("PANDORA_CONFIG");
  return given.empty() ? join_path(user_directory("XDG_CONFIG_HOME", ".config"), "pandora/pandora.toml") : given;
}

std::string secrets_directory(const std::string& instance) {
  return join_path(user_directory("XDG_CONFIG_HOME", ".config"), "pandora/secrets/" + instance);
}

std::string instance_data_directory(const std::string& instance) {
  return join_path(user_directory("XDG_DATA_HOME", ".local/share"), "pandora-instances/" + instance);
}

std::string models_directory(const Config& config) {
  if (const std::string& given = config.string("models.path"); !given.empty()) return expanded_path(given);
  const std::string cache = environment("PANDORA_CACHE");
  return (cache.empty() ? join_path(user_directory("XDG_CACHE_HOME", ".cache"), "pandora") : cache) + "/models";
}

Result<DataPaths> data_paths(const Config& config) {
  DataPaths paths;
  paths.root = expanded_path(config.string("data.path"));
  const auto& setting =
      *std::ranges::find_if(config.values(), [](const EffectiveValue& value) { return value.key == "data.path"; });
  if (setting.source == SettingSource::kFile && !paths.root.starts_with('/'))
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format("{}: data.path is \"{}\", which is another place from every directory", setting.origin, paths.root),
        "write it from / or ~/ on");
  if (paths.root.empty()) paths.root = join_path(user_directory("XDG_DATA_HOME", ".local/share"), "pandora");
  if (paths.root == "/pandora" || paths.root.starts_with(".local"))
    return fail(ErrorCode::kInvalidArgument, "there is no home directory for the data",
                "set PANDORA_DATA, or use --data");
  paths.database = join_path(paths.root, "pandora.db");
  paths.vectors = join_path(paths.root, "vectors.db");
  paths.journal = join_path(paths.root, "journal");
  const auto placed = [&](const char* key, const char* usual) {
    const std::string& given = config.string(key);
    return given.empty() ? join_path(paths.root, usual) : expanded_path(given);
  };
  paths.documents = placed("documents.path", "panda_system_docs");
  paths.objects = placed("objects.path", "objects");
  paths.socket = join_path(paths.root, "pandora.sock");
  paths.lock = join_path(paths.root, "LOCK");
  paths.orchestrator_secret = join_path(paths.root, "orchestrator.key");
  return paths;
}

Status set_mode(const std::string& path, unsigned mode) {
  std::error_code code;
  std::filesystem::permissions(path, static_cast<std::filesystem::perms>(mode), code);
  if (!code) return {};
  return fail(ErrorCode::kPermissionDenied, fmt::format("cannot set the mode of {}: {}", path, code.message()),
              "use a folder of your own");
}

}  // namespace pandora
