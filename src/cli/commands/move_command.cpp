#include "cli/commands/move_command.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/terminal/output.h"
#include "cli/terminal/terminal.h"
#include "wire/json_reader.h"

namespace pandora {
namespace {

std::string settings_of(const MoveCommand& command) {
  std::string settings = fmt::format("rows.store = \"{}\"", command.to == "server" ? "postgres" : "embedded");
  if (!command.points.empty()) settings += fmt::format(" and points.store = \"{}\"", command.points);
  return settings;
}

// Until the settings say otherwise everything goes on where it was.
std::string cut_over(const MoveCommand& command, bool equal, bool is_owner, const Json& gateways) {
  const std::string again =
      fmt::format("pandora move --to {}{}", command.to, command.points.empty() ? "" : " --points " + command.points);
  std::string waiting;
  for (const auto& one : gateways)
    waiting +=
        fmt::format("  {} {}: {}{}\n", one.value("host", ""), one.value("directory", ""),
                    one.value("silent", false) ? "ended" : "runs",
                    one.value("turns", 0) > 0 ? fmt::format(", {} turns wait there", one.value("turns", 0)) : "");
  if (!waiting.empty())
    return fmt::format(
        "Not to be cut over yet: other gateways share these rows, and what they say or hold would stay behind.\n{}"
        "Start those where turns wait, until `pandora status` names none; end them; then run `{}` again.\n",
        waiting, again);
  if (is_owner && equal)
    return fmt::format("Now set {}, and start Pandora. Nothing was removed here.\n", settings_of(command));
  if (is_owner) return fmt::format("Run `{}` again.\n", again);
  return fmt::format(
      "Another process has this data open, and what is said from now on is not there yet. To cut over: end it, run\n"
      "`{}` once more, set {}, and start it again.\n",
      again, settings_of(command));
}

std::string rendered(const Json& result) {
  std::string text;
  const Json& passes = result["passes"];
  for (std::size_t i = 0; i < passes.size(); ++i) {
    text += fmt::format("pass {}:", i + 1);
    for (const auto& [kind, count] : passes[i].items()) {
      text += fmt::format(" {} {}", count.value("rows", 0), kind);
      if (count.value("written", 0) > 0) text += fmt::format(" ({} written)", count.value("written", 0));
      if (count.value("removed", 0) > 0)
        text += fmt::format(" ({} removed there: forgotten)", count.value("removed", 0));
      text += kind == passes[i].items().begin().key() && passes[i].size() == 1 ? "" : ",";
    }
    text.back() = '\n';
  }
  return text + fmt::format("export of {} users: sha256 here {} and there {}: {}\n", result.value("users", 0),
                            result.value("from_sha256", "").substr(0, 16), result.value("to_sha256", "").substr(0, 16),
                            result.value("equal", false) ? "equal" : "not yet equal");
}

}  // namespace

void add_move_command(CLI::App& app, MoveCommand& command) {
  command.parsed = app.add_subcommand(
      "move", "carry everything to the stores of the other profile, compared; run again after an interruption");
  command.parsed->add_option("--to", command.to, "embedded (files here) or server (a PostgreSQL)")->required();
  command.parsed->add_option("--points", command.points,
                             "and the points: embedded or qdrant (they stay where points.store says)");
}

int move(Installation& installation, const UserId& user, const MoveCommand& command, bool json) {
  Json arguments = {{"to", command.to}};
  if (!command.points.empty()) arguments["points"] = command.points;
  catch_interrupts();
  Result<std::string> answer = std::string();
  {
    ProgressObserver progress;
    answer = installation.service().call({"move", user, dump_json(arguments)}, progress, Deadline::never());
  }
  if (!answer && answer.error().code == ErrorCode::kCancelled)
    return report(Error(answer.error()).with_remedy("run it again: it goes on"));
  if (!answer) return report(answer.error());
  Json result = Json::parse(*answer, nullptr, false);
  const bool equal = result.value("equal", false), alone = result.value("gateways", Json::array()).empty();
  result["next"] = cut_over(command, equal, installation.is_owner(), result["gateways"]);
  print_out(json ? result.dump(2) + "\n" : rendered(result) + result["next"].get<std::string>());
  return equal && alone ? 0 : error_info(ErrorCode::kConflict).exit_code;
}

}  // namespace pandora
