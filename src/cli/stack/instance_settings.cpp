#include "cli/stack/instance_settings.h"

#include <cstdint>
#include <filesystem>
#include <map>

#include "cli/storage/data_paths.h"
#include "compose/env_file.h"
#include "stack/stack_folder.h"

namespace pandora {
namespace {

// A setting's name, and the line of the table of ports that it follows.
constexpr std::pair<const char*, const char*> kPorts[] = {{"PANDORA_GATEWAY_PORT", "PANDORA_PORT_GATEWAY"},
                                                          {"PANDORA_ORCHESTRATOR_PORT", "PANDORA_PORT_ORCHESTRATOR"},
                                                          {"QDRANT_PORT", "PANDORA_PORT_VECTORDB"},
                                                          {"POSTGRES_PORT", "PANDORA_PORT_POSTGRES"},
                                                          {"REDIS_PORT", "PANDORA_PORT_REDIS"}};
constexpr std::pair<const char*, const char*> kSecrets[] = {{"QDRANT_API_KEY", "qdrant_api_key"},
                                                            {"POSTGRES_PASSWORD", "postgres_password"},
                                                            {"REDIS_PASSWORD", "redis_password"},
                                                            {"AWS_SECRET_ACCESS_KEY", "objects_secret_key"}};
constexpr const char* kStores[] = {"PANDORA_ROWS_STORE", "PANDORA_POINTS_STORE", "PANDORA_CACHE_STORE",
                                   "PANDORA_OBJECTS_STORE", "PANDORA_DOCUMENTS_STORE"};
constexpr const char* kUser = "pandora";  // of Redis and of the S3 server

bool is_port(const std::string& text) {
  const bool digits = !text.empty() && text.size() <= 5 && text.find_first_not_of("0123456789") == std::string::npos;
  return digits && std::stoi(text) > 0 && std::stoi(text) <= UINT16_MAX;
}

std::string whole_path(const std::string& path) {
  std::error_code code;
  const auto whole = std::filesystem::weakly_canonical(std::filesystem::absolute(expanded_path(path), code), code);
  return code ? path : whole.string();
}

}  // namespace

Variables instance_variables(FileSystem& files, const std::string& directory, const std::optional<std::string>& data) {
  const auto text = files.read_file(join_path(directory, ".env"), kMaxEnvBytes);
  if (!text) return {};
  std::map<std::string, std::string> said;
  for (const auto& line : parse_env(*text))
    if (!line.name.empty()) said[line.name] = line.value;
  if (!said.contains("PANDORA_INSTANCE")) return {};
  if (data && said.contains("PANDORA_DATA") && whole_path(*data) != whole_path(said["PANDORA_DATA"]))
    for (const char* name : kStores) said.erase(name);
  // An address of another server, in a file that holds for all instances, is not meant for this one's stores.
  for (const char* name : {"DATABASE_URL", "QDRANT_URL", "REDIS_URL"}) said.try_emplace(name, "");
  for (const char* name : {"POSTGRES_HOST", "QDRANT_HOST", "REDIS_HOST"}) said.try_emplace(name, "127.0.0.1");
  for (const char* name : {"REDIS_USER", "AWS_ACCESS_KEY_ID"}) said.try_emplace(name, kUser);
  // One that is none is `init`'s to name.
  for (const auto& [setting, port] : kPorts)
    if (const auto set = said.find(port); set != said.end() && is_port(set->second))
      said.try_emplace(setting, set->second);
  if (const auto set = said.find("PANDORA_PORT_OBJECTS"); set != said.end() && is_port(set->second))
    said.try_emplace("S3_ENDPOINT", "http://127.0.0.1:" + set->second);
  for (const auto& [setting, secret] : kSecrets) {
    const std::string path = join_path(said["PANDORA_SECRETS"], secret);
    const auto password = files.read_file(path, kMaxSecretBytes);
    // One that is lost is found by `up` and `doctor`, which must be able to start.
    if (!said.contains(setting) && password && !password->empty())
      said.try_emplace(std::string(setting) + "_FILE", path);
  }
  return [said = std::move(said)](const std::string& name) -> std::optional<std::string> {
    const auto found = said.find(name);
    return found == said.end() ? std::nullopt : std::optional(found->second);
  };
}

}  // namespace pandora
