// What the folder of an instance says to the programs that are started in it: where they keep what is said, in which of
// its stores, and on which ports.
#pragma once
#include <functional>
#include <optional>
#include <string>

#include "base/file_system.h"

namespace pandora {

using Variables = std::function<std::optional<std::string>(const std::string& name)>;

// Its `.env`, under the names that settings have in the environment, and what follows from it: the ports of its table,
// and the files of its passwords, where they can be read. `data`: a data directory that was named otherwise; what is
// said in another one than the instance's own is never kept in its stores. Empty: no instance is there.
Variables instance_variables(FileSystem& files, const std::string& directory, const std::optional<std::string>& data);

}  // namespace pandora
