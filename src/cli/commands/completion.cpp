#include "cli/commands/completion.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace pandora {
namespace {

// The word before decides first: after --kind come its values, after --config a file name. Then the commands so far,
// without options and their values. Nothing to offer: bash completes file names.
std::string bash_script(const CompletionTable& table) {
  std::string cases, values;
  for (const auto& [path, entry] : table.commands)
    cases += fmt::format("    \"{}\") words=\"{}\" options=\"{}\" ;;\n", path, fmt::join(entry.words, " "),
                         fmt::join(entry.options, " "));
  for (const auto& [option, words] : table.values)
    values += fmt::format("    {}) words=\"{}\"; taken=1 ;;\n", option, fmt::join(words, " "));
  return fmt::format(
      "_pandora() {{\n"
      "  local word=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} path= words= options= taken= i\n"
      "  case \"$previous\" in\n{}    {}) taken=1 ;;\n"
      "  esac\n"
      "  if [[ -z $taken ]]; then\n"
      "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "      case \"${{COMP_WORDS[i]}}\" in\n"
      "        {}) ((i++)) ;;\n"
      "        -*) ;;\n"
      "        *) path+=\"${{path:+ }}${{COMP_WORDS[i]}}\" ;;\n"
      "      esac\n"
      "    done\n"
      "    case \"$path\" in\n{}    esac\n"
      "    [[ $word == -* ]] && words=\"$options {}\"\n"
      "  fi\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
      "}}\n"
      "complete -o default -F _pandora pandora\n",
      values, fmt::join(table.with_value, "|"), fmt::join(table.with_value, "|"), cases,
      fmt::join(table.global_options, " "));
}

std::string fish_script(const CompletionTable& table) {
  std::string lines;
  for (const auto& option : table.global_options) lines += fmt::format("complete -c pandora -l {}\n", option.substr(2));
  for (const auto& [path, entry] : table.commands) {
    const auto space = path.find(' ');
    const std::string condition =
        path.empty()                 ? "__fish_use_subcommand"
        : space == std::string::npos ? fmt::format("__fish_seen_subcommand_from {}", path)
                                     : fmt::format("__fish_seen_subcommand_from {}; and __fish_seen_subcommand_from {}",
                                                   path.substr(0, space), path.substr(space + 1));
    for (const auto& word : entry.words)
      lines += fmt::format("complete -c pandora -f -n '{}' -a {}\n", condition, word);
    if (path.empty()) continue;
    for (const auto& option : entry.options) {
      const auto values = table.values.find(option);
      lines +=
          fmt::format("complete -c pandora -n '{}' -l {}{}\n", condition, option.substr(2),
                      values == table.values.end() ? "" : fmt::format(" -x -a '{}'", fmt::join(values->second, " ")));
    }
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
