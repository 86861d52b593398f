// `pandora status` in the folder of an instance: one screen of all that the stack is, containers and processes.
#pragma once
#include <string>

#include "base/config.h"

namespace pandora {

struct StatusOptions {
  std::string directory = ".";
  bool watch = false;  // again and again, until Ctrl-C
  bool sizes = false;  // waits for the sizes of volumes, however long the Engine needs
};
// Has `pandora init` made that folder?
bool is_stack_folder(const std::string& directory);
// 0: every container that is asked for is ready, and each process of this machine that was started is ready or cold;
// otherwise the exit code of kUnavailable.
int show_stack_status(const StatusOptions& options, const Config& config, bool json);

}  // namespace pandora
