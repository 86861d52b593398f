// `pandora init`: the Compose files of an instance, its `.env`, and its secrets.
#pragma once
#include <optional>
#include <string>

namespace pandora {

struct InitOptions {
  std::optional<std::string> name;
  std::string directory = ".";
  std::string data;     // where its programs keep what is said; empty: ~/.local/share/pandora-instances/NAME
  std::string secrets;  // empty: <configuration>/pandora/secrets/<name>
  bool production = false, development = false;
  bool yes = false;
  std::string adopt;  // the project whose volumes are taken over; empty: none
};
// Replaces no file without asking, and no secret at all. The exit code.
int init_instance(const InitOptions& options, bool json);

}  // namespace pandora
