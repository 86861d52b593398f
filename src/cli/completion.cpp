#include "cli/completion.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace pandora {
namespace {

std::string bash_script(const CompletionTable& table) {
  std::string cases;
  for (const auto& [path, words] : table) cases += fmt::format("    \"{}\") words=\"{}\" ;;\n", path, fmt::join(words, " "));
  return fmt::format(
      "_pandora() {{\n"
      "  local word=${{COMP_WORDS[COMP_CWORD]}} path= words= i\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    [[ ${{COMP_WORDS[i]}} == -* ]] || path+=\"${{path:+ }}${{COMP_WORDS[i]}}\"\n"
      "  done\n"
      "  case \"$path\" in\n{}    *) words= ;;\n"
      "  esac\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
      "}}\n"
      "complete -o default -F _pandora pandora\n",
      cases);
}

std::string fish_script(const CompletionTable& table) {
  std::string lines;
  for (const auto& [path, words] : table)
    for (const auto& word : words) {
      if (word.starts_with("--")) continue;
      if (path.empty()) lines += fmt::format("complete -c pandora -f -n __fish_use_subcommand -a {}\n", word);
      else lines += fmt::format("complete -c pandora -f -n '__fish_seen_subcommand_from {}' -a {}\n", path, word);
    }
  return lines;
}

}  // namespace

Result<std::string> completion_script(const std::string& shell, const CompletionTable& table) {
  if (shell == "bash") return bash_script(table);
  if (shell == "zsh") return "autoload -U +X bashcompinit && bashcompinit\n" + bash_script(table);
  if (shell == "fish") return fish_script(table);
  return fail(ErrorCode::kInvalidArgument, fmt::format("no completion for \"{}\"", shell), "use bash, zsh or fish");
}

}  // namespace pandora
