// The Compose of this machine: 2, or else 1.29. Only what is meant for programs is read of what it prints.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "ports/process_runner.h"
#include "wire/json_reader.h"

namespace pandora {

struct ComposeProgram {
  std::vector<std::string> command;  // "docker compose", "docker-compose"
  std::string version;               // "2.26.1"
  int major = 0, minor = 0;
  std::string name() const;  // "docker compose 2.26.1"
  bool is_version_two() const { return major >= 2; }
};
inline constexpr int kOldestComposeMinor = 29;  // of version 1

// kNotFound: there is none. kIncompatible: it is older than 1.29.
Result<ComposeProgram> find_compose(ProcessRunner& runner, const Deadline& deadline);

struct ComposeFiles {
  std::string project;             // its name; empty: as Compose makes one
  std::vector<std::string> paths;  // absolute, in the order of merging
  std::string directory;           // where `.env` is
  std::set<std::string> profiles;  // all that are to be in it
  std::string docker_host;         // the Engine ("unix:///…"); empty: the one that Compose finds
};
// `docker compose -p … -f … --profile … WORDS`, to be run in the folder, with its environment.
Command compose_command(const ComposeProgram& compose, const ComposeFiles& files,
                        const std::vector<std::string>& words);
// What each service is made from, as a hash that its container carries.
Result<std::map<std::string, std::string>> config_hashes(ProcessRunner& runner, const ComposeProgram& compose,
                                                         const ComposeFiles& files, const Deadline& deadline);
// The model as it merges the files. kInvalidArgument: it refuses them; the message is its last line.
Result<Json> merged_by_compose(ProcessRunner& runner, const ComposeProgram& compose, const ComposeFiles& files,
                               const Deadline& deadline);

}  // namespace pandora
