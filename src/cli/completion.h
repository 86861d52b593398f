// Completion for a shell, made from the commands themselves.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace pandora {

// "turns" → {"list", "show", …, "--json", …}; "" holds the commands themselves.
using CompletionTable = std::map<std::string, std::vector<std::string>>;
// shell: bash, zsh or fish; kInvalidArgument otherwise.
Result<std::string> completion_script(const std::string& shell, const CompletionTable& table);

}  // namespace pandora
