// A container that runs a few lines of shell with volumes mounted, and is gone again: how the inside of a volume is
// looked at, and changed, whoever asks and wherever the Engine keeps it.
//
// It is made of an image that is here already (never a foreign one), without a network, and with a root that cannot be
// written. Volumes are mounted at /volumes/KEY.
#pragma once
#include <string>
#include <vector>

#include "stack/docker_engine.h"

namespace pandora {

inline constexpr std::string_view kInstanceLabel = "pandora.instance";

struct VolumeMount {
  std::string volume, key;
  bool writable = false;
};
struct OneOff {
  std::string image;                   // an id or a name
  std::string script;                  // for sh; $1, $2, … are `arguments`
  std::vector<std::string> arguments;  // never a secret: they stand in `docker inspect`
  std::vector<VolumeMount> mounts;     // each must exist: kNotFound, and none is made
};
// What it printed. kUnavailable: it ended with another code than 0, and what it complained of.
Result<std::string> run_one_off(DockerEngine& engine, const OneOff& one_off, const Deadline& deadline);

// A command in a container that runs; arguments stand in the Engine's events, so never a secret. As above.
Result<std::string> run_inside(DockerEngine& engine, const std::string& container,
                               const std::vector<std::string>& command, const Deadline& deadline);

// "a\0b\0" as {"a", "b"}: what scripts print that are read here.
std::vector<std::string> split_at_zeros(std::string_view text);

}  // namespace pandora
