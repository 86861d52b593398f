// The folder that `pandora init` has made, as it is when a command begins.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "compose/compose_program.h"
#include "compose/env_file.h"
#include "stack/services.h"

namespace pandora {

struct StackFolder {
  std::string directory;                         // absolute
  std::string name;                              // of the project: containers and volumes carry it
  std::string instance;                          // the label of its volumes
  std::string secrets;                           // the folder of its passwords
  std::vector<std::string> files;                // of Compose, absolute, in the order of merging
  std::set<std::string> profiles;                // COMPOSE_PROFILES, and what the caller asked for
  std::map<std::string, std::string> variables;  // of .env, overridden by the environment
  std::string docker_host;                       // DOCKER_HOST, or where the Engine usually is

  std::string variable(const std::string& which) const;  // empty: not set
  // Of a variable, or of a service, on this machine; 0: none is set.
  std::uint16_t port_in(const std::string& which) const;
  std::uint16_t port_of(const StackService& service) const { return port_in(std::string(service.port_variable)); }
  ComposeFiles compose_files() const;
  bool asks_for(std::string_view profile) const;  // empty: of none, so always
  std::string state_directory() const { return state_directory_in(directory); }
  static std::string state_directory_in(const std::string& directory) { return join_path(directory, ".pandora"); }
};
inline constexpr std::size_t kMaxEnvBytes = 1u << 20;
inline constexpr std::size_t kMaxSecretBytes = 64 * 1024;

using Environment = std::function<std::optional<std::string>(const std::string& name)>;
// kNotFound: no `pandora init` was run there. kInvalidArgument: its .env lacks what `init` writes.
Result<StackFolder> read_stack_folder(FileSystem& files, const std::string& directory, const Environment& environment,
                                      const std::set<std::string>& profiles);

// A password; kNotFound, kPermissionDenied. Without the line break that an editor may have left.
Result<std::string> read_secret(FileSystem& files, const StackFolder& folder, const std::string& name);

}  // namespace pandora
