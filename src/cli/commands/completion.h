// Completion for a shell, made from the commands themselves.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace pandora {

struct CompletionTable {
  struct Entry {
    std::vector<std::string> words, options;  // "list"; "--limit"
  };
  std::map<std::string, Entry> commands;  // by path: "" is the program itself, "turns", "turns list"
  std::vector<std::string> global_options;
  std::vector<std::string> with_value;                     // options of any command after which a value comes
  std::map<std::string, std::vector<std::string>> values;  // what can come after some of them
};
// shell: bash, zsh or fish; kInvalidArgument otherwise.
Result<std::string> completion_script(const std::string& shell, const CompletionTable& table);

}  // namespace pandora
