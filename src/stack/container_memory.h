// What a container uses of the machine's memory, as the kernel counts it: its control group, of version 1 or 2.
//
// The Engine says the same, but only when its next round of measuring is over, up to a second later.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

namespace pandora {

// Of the control group of that process, without the pages of files that could be dropped. None: it cannot be seen from
// here (the process has ended, or the Engine is not on this machine). `root`: where /proc and /sys are.
std::optional<std::uint64_t> container_memory(int pid, const std::string& root = "");

}  // namespace pandora
