#include "compose/compose_program.h"

#include <cstdio>
#include <sstream>

#include <fmt/format.h>

#include "base/text.h"
#include "compose/yaml.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxModel = 16u << 20;
constexpr std::size_t kMaxMessage = 400;

// Of "2.26.1-4", "v2.40.0", "1.29.2".
bool read_version(std::string_view text, ComposeProgram& program) {
  text = trim(text);
  if (text.starts_with('v')) text.remove_prefix(1);
  program.version = one_line(ellipsize(text, 64));
  return std::sscanf(program.version.c_str(), "%d.%d", &program.major, &program.minor) == 2;
}

std::string last_line(std::string_view text) {
  text = trim(text);
  const auto end = text.rfind('\n');
  return one_line(ellipsize(trim(end == std::string_view::npos ? text : text.substr(end + 1)), kMaxMessage));
}

}  // namespace

std::string ComposeProgram::name() const { return fmt::format("{} {}", fmt::join(command, " "), version); }

Result<ComposeProgram> find_compose(ProcessRunner& runner, const Deadline& deadline) {
  const std::vector<std::string> kTried[] = {{"docker", "compose"}, {"docker-compose"}};
  for (const auto& tried : kTried) {
    ComposeProgram program{.command = tried, .version = {}};
    Command command{.arguments = tried, .environment = {}, .directory = {}, .input = {}};
    command.arguments.insert(command.arguments.end(), {"version", "--short"});
    const auto output = runner.run(command, deadline);
    if (!output && output.error().code == ErrorCode::kDeadlineExceeded)
      return fail(Error(output.error()).with_remedy("try again when the machine is less busy"));
    if (!output || output->status.code != 0 || !read_version(output->out, program)) continue;
    if (program.major == 1 && program.minor < kOldestComposeMinor)
      return fail(ErrorCode::kIncompatible, fmt::format("{} is too old", program.name()),
                  "install Compose 2, or 1.29 (apt-get install docker-compose)");
    return program;
  }
  return fail(ErrorCode::kNotFound, "neither `docker compose` nor `docker-compose` is installed",
              "install Docker's compose plugin, or apt-get install docker-compose");
}

Command compose_command(const ComposeProgram& compose, const ComposeFiles& files,
                        const std::vector<std::string>& words) {
  Command command{.arguments = compose.command, .environment = {}, .directory = files.directory, .input = {}};
  const auto add = [&](std::initializer_list<std::string> more) {
    command.arguments.insert(command.arguments.end(), more);
  };
  if (!files.docker_host.empty()) command.environment["DOCKER_HOST"] = files.docker_host;
  if (!files.project.empty()) add({"-p", files.project});
  for (const auto& path : files.paths) add({"-f", path});
  for (const auto& profile : files.profiles) add({"--profile", profile});
  command.arguments.insert(command.arguments.end(), words.begin(), words.end());
  return command;
}

Result<std::map<std::string, std::string>> config_hashes(ProcessRunner& runner, const ComposeProgram& compose,
                                                         const ComposeFiles& files, const Deadline& deadline) {
  PANDORA_TRY(output, runner.run(compose_command(compose, files, {"config", "--hash", "*"}), deadline));
  if (output.status.code != 0)
    return fail(ErrorCode::kInvalidArgument, fmt::format("{} refuses it: {}", compose.name(), last_line(output.err)));
  std::map<std::string, std::string> hashes;
  std::istringstream lines(output.out);
  for (std::string service, hash; lines >> service >> hash;) hashes[service] = hash;
  return hashes;
}

Result<Json> merged_by_compose(ProcessRunner& runner, const ComposeProgram& compose, const ComposeFiles& files,
                               const Deadline& deadline) {
  std::vector<std::string> words{"config"};
  if (compose.is_version_two()) words.insert(words.end(), {"--format", "json"});
  PANDORA_TRY(output, runner.run(compose_command(compose, files, words), deadline));
  if (output.status.code != 0)
    return fail(ErrorCode::kInvalidArgument, fmt::format("{} refuses it: {}", compose.name(), last_line(output.err)));
  if (compose.is_version_two()) return parse_json(output.out, kMaxModel, compose.name());
  PANDORA_TRY(document, parse_yaml(output.out, compose.name()));
  return document.value;
}

}  // namespace pandora
