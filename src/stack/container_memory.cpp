#include "stack/container_memory.h"

#include <algorithm>
#include <fstream>

#include <fmt/format.h>

namespace pandora {
namespace {

struct Group {
  std::string directory;
  const char* usage;      // its file
  const char* droppable;  // a line of memory.stat
};

std::optional<Group> group_of(int pid, const std::string& root) {
  std::ifstream groups(fmt::format("{}/proc/{}/cgroup", root, pid));
  std::optional<Group> unified;
  for (std::string line; std::getline(groups, line);) {
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string path = line.substr(second + 1);
    if (controllers.find(",memory,") != std::string::npos)
      return Group{fmt::format("{}/sys/fs/cgroup/memory{}", root, path), "memory.usage_in_bytes",
                   "total_inactive_file"};
    if (controllers == ",,")
      unified = Group{fmt::format("{}/sys/fs/cgroup{}", root, path), "memory.current", "inactive_file"};
  }
  return unified;
}

}  // namespace

std::optional<std::uint64_t> container_memory(int pid, const std::string& root) {
  if (pid <= 0) return std::nullopt;
  const auto group = group_of(pid, root);
  if (!group) return std::nullopt;
  std::uint64_t used = 0, droppable = 0;
  if (!(std::ifstream(group->directory + "/" + group->usage) >> used)) return std::nullopt;
  std::ifstream details(group->directory + "/memory.stat");
  std::string name;
  for (std::uint64_t value = 0; details >> name >> value;)
    if (name == group->droppable) droppable = value;
  return used - std::min(used, droppable);
}

}  // namespace pandora
