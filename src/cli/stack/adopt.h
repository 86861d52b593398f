// `pandora init --adopt PROJECT`: the volumes of another Compose project become those of this instance.
//
// Nothing is copied. Each is looked into first; then a file in it says whose it is, it is given to the user that the
// service runs as, and `.env` names it. What was changed is told, with how to undo it.
#pragma once
#include <string>
#include <vector>

#include "cli/stack/instance_volumes.h"

namespace pandora {

struct AdoptedVolume {
  std::string name, key, holds;
  unsigned user = 0, group = 0;  // who had it
  unsigned user_now = 0;
};
struct Adoption {
  std::vector<AdoptedVolume> taken;
  std::vector<AsideVolume> aside;  // what this instance used until now
  std::string undo;                // commands, one a line
};
// kConflict: a container that runs uses one. kIncompatible: PostgreSQL of another version. kDataCorrupt: it holds
// something else than its name says. The message says whether anything has been changed, and the remedy how to undo it.
Result<Adoption> adopt(const std::string& directory, const std::string& project);

}  // namespace pandora
