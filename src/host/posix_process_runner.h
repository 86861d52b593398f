// Host programs by posix_spawn. What `run` starts is a process group of its own, so that its children go with it at the
// deadline; what `start` starts is a session of its own, so that neither Ctrl-C nor the end of the terminal reaches it.
#pragma once
#include <memory>

#include "ports/process_runner.h"

namespace pandora {

std::unique_ptr<ProcessRunner> make_posix_process_runner();

}  // namespace pandora
