#include "cli/stack/lint.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>
#include <sys/stat.h>

#include "base/file_system.h"
#include "cli/terminal/output.h"
#include "cli/terminal/terminal.h"
#include "compose/compose_program.h"
#include "compose/env_file.h"
#include "compose/lint.h"
#include "host/posix_process_runner.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxFile = 1u << 20;
constexpr std::size_t kMaxFiles = 1'000;
constexpr Duration kComposePatience = std::chrono::seconds(60);
constexpr const char* kUsualNames[] = {"compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"};
constexpr const char* kUsualOverrides[] = {"compose.override.yaml", "compose.override.yml",
                                           "docker-compose.override.yaml", "docker-compose.override.yml"};

// What is looked at, and what variables mean there.
struct Sources {
  std::vector<SourceFile> compose;
  LintInput input;
  std::vector<EnvLine> env;  // the `.env` beside the first Compose file
};

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

std::string beside(const std::string& folder, const std::string& path) {
  return path.starts_with('/') || folder == "." ? path : join_path(folder, path);
}

std::optional<std::string> from_environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value ? std::optional<std::string>(value) : std::nullopt;
}

Result<std::string> read(FileSystem& files, const std::string& path) {
  auto text = files.read_file(path, kMaxFile);
  if (!text && text.error().code == ErrorCode::kNotFound)
    return fail(std::move(text).error().with_remedy("name files that are there, or a folder with Compose files"));
  return text;
}

std::vector<EnvLine> env_of(FileSystem& files, const std::string& folder) {
  const auto text = files.read_file(beside(folder, ".env"), kMaxFile);
  return text ? parse_env(*text) : std::vector<EnvLine>();
}

std::optional<std::string> variable(const std::vector<EnvLine>& env, const std::string& name) {
  const auto given = from_environment(name);
  return given ? given : env_value(env, name);
}

// The files that Compose would take there, and the `.env`.
Result<std::vector<std::string>> files_of_folder(FileSystem& files, const std::string& folder) {
  std::vector<std::string> found;
  const auto env = env_of(files, folder);
  std::string listed = variable(env, "COMPOSE_FILE").value_or("");
  while (!listed.empty()) {
    const auto colon = listed.find(':');
    found.push_back(beside(folder, listed.substr(0, colon)));
    listed.erase(0, colon == std::string::npos ? listed.size() : colon + 1);
  }
  const auto first_there = [&](const auto& names) {
    for (const auto* name : names)
      if (files.exists(beside(folder, name))) return found.push_back(beside(folder, name));
  };
  if (found.empty()) first_there(kUsualNames);
  if (found.empty())
    return fail(ErrorCode::kNotFound,
                fmt::format("there is no Compose file in {}", folder == "." ? "this folder" : folder),
                "name the files, or run `pandora init`");
  if (found.size() == 1 && listed.empty() && !variable(env, "COMPOSE_FILE")) first_there(kUsualOverrides);
  if (files.exists(beside(folder, ".env"))) found.push_back(beside(folder, ".env"));
  return found;
}

Result<std::vector<std::string>> files_to_read(FileSystem& files, const std::vector<std::string>& given) {
  if (given.empty()) return files_of_folder(files, ".");
  std::vector<std::string> paths;
  for (const auto& path : given) {
    const auto info = files.info(path);
    if (!info || !info->is_directory) {
      paths.push_back(path);
      continue;
    }
    PANDORA_TRY(inside, files_of_folder(files, path));
    paths.insert(paths.end(), inside.begin(), inside.end());
  }
  if (paths.size() > kMaxFiles)
    return fail(ErrorCode::kTooLarge, fmt::format("{} files, at most {} are read", paths.size(), kMaxFiles));
  return paths;
}

// What Prometheus is told, when a container of it mounts it from beside the Compose file.
void add_mounted_configurations(FileSystem& files, Sources& sources) {
  const std::string folder = folder_of(sources.compose.front().path);
  const Json services = sources.input.compose->value.value("services", Json::object());
  for (const auto& service : services) {
    if (!service.is_object() || !service.contains("volumes")) continue;
    for (const auto& volume : service["volumes"]) {
      if (!volume.is_object() || !volume.contains("source") || !volume["source"].is_string()) continue;
      SourceFile file{beside(folder, volume["source"].get<std::string>()), ""};
      const auto known = [&](const LintText& text) { return text.file.path == file.path; };
      if (!file.path.ends_with(".yml") && !file.path.ends_with(".yaml")) continue;
      if (std::ranges::any_of(sources.input.texts, known)) continue;
      const auto text = files.read_file(file.path, kMaxFile);
      if (!text) continue;
      file.text = *text;
      if (file_kind(file) == FileKind::kPrometheus)
        sources.input.texts.push_back({std::move(file), FileKind::kPrometheus});
    }
  }
}

std::optional<FileFacts> facts_of(const std::string& path) {
  constexpr unsigned kPermissions = 07777;
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return std::nullopt;
  return FileFacts{.mode = info.st_mode & kPermissions, .user = info.st_uid};
}

Result<Sources> read_sources(const std::vector<std::string>& given) {
  Sources sources;
  const auto files = make_posix_file_system();
  PANDORA_TRY(paths, files_to_read(*files, given));
  for (const auto& path : paths) {
    PANDORA_TRY(text, read(*files, path));
    SourceFile file{path, std::move(text)};
    const auto kind = file_kind(file);
    if (!kind)
      return fail(ErrorCode::kInvalidArgument, fmt::format("{} is no kind of file that is known here", path),
                  "Compose (.yaml, .yml), .env, .sh, .sql, .py, .json");
    if (*kind == FileKind::kCompose)
      sources.compose.push_back(std::move(file));
    else
      sources.input.texts.push_back({std::move(file), *kind});
  }
  sources.input.facts = facts_of;
  if (sources.compose.empty()) return sources;
  const std::string folder = folder_of(sources.compose.front().path);
  sources.env = env_of(*files, folder);
  const auto variables = [&](const std::string& name) { return variable(sources.env, name); };
  PANDORA_TRY(model, read_compose(sources.compose, variables));
  sources.input.compose = std::move(model);
  sources.input.project_is_named = !variables("COMPOSE_PROJECT_NAME").value_or("").empty();
  add_mounted_configurations(*files, sources);
  return sources;
}

// Compose's own model, when there is a Compose; says how it was merged.
std::string merge_by_compose(Sources& sources, bool without_compose) {
  ComposeModel& model = *sources.input.compose;
  if (without_compose) return "merged without Compose, as asked";
  for (const auto& file : model.files)
    if (file.is_fragment) return fmt::format("merged without Compose: {} is a part of a file", file.path);
  const SystemClock clock;
  const auto deadline = Deadline::after(clock, kComposePatience);
  const auto runner = make_posix_process_runner();
  const auto compose = find_compose(*runner, deadline);
  if (!compose) return "merged without Compose: " + compose.error().message;
  ComposeFiles files;
  std::error_code code;
  for (const auto& file : model.files) files.paths.push_back(std::filesystem::absolute(file.path, code).string());
  files.directory = folder_of(files.paths.front());
  files.profiles = model.profiles();
  auto merged = merged_by_compose(*runner, *compose, files, deadline);
  if (!merged && merged.error().code == ErrorCode::kInvalidArgument) {
    sources.input.refusal = merged.error().message;
    return fmt::format("merged without {}, which refuses the files", compose->name());
  }
  const Status taken = merged ? take_composes_model(model, *std::move(merged)) : Status(fail(merged.error()));
  return taken ? "merged by " + compose->name() : "merged without Compose: " + taken.error().message;
}

std::string plural(std::size_t count, std::string_view one) {
  return fmt::format("{} {}{}", count, one, count == 1 ? "" : "s");
}

std::string render(const std::vector<LintFinding>& findings, std::size_t files, std::string_view how) {
  std::string text;
  for (const auto& finding : findings)
    text += fmt::format("{} {} {}: {}\n    why: {}\n    → {}\n", bold(finding.place.to_string()),
                        to_string(finding.severity), finding.rule, finding.message, finding.why, finding.fix);
  const auto errors = std::ranges::count(findings, Severity::kError, &LintFinding::severity);
  const auto warnings = static_cast<std::ptrdiff_t>(findings.size()) - errors;
  return text + fmt::format("{}, {} in {}{}\n", plural(static_cast<std::size_t>(errors), "error"),
                            plural(static_cast<std::size_t>(warnings), "warning"), plural(files, "file"),
                            how.empty() ? "" : fmt::format("; {}", how));
}

Json to_json(const std::vector<LintFinding>& findings) {
  Json list = Json::array();
  for (const auto& finding : findings)
    list.push_back({{"rule", finding.rule},
                    {"severity", to_string(finding.severity)},
                    {"file", finding.place.file},
                    {"line", finding.place.line},
                    {"column", finding.place.column},
                    {"path", finding.path},
                    {"message", finding.message},
                    {"why", finding.why},
                    {"fix", finding.fix}});
  return list;
}

}  // namespace

int lint_files(const LintOptions& options, bool json) {
  auto sources = read_sources(options.files);
  if (!sources) return report(sources.error());
  const std::string how = sources->compose.empty() ? "" : merge_by_compose(*sources, options.without_compose);
  if (sources->input.compose && sources->input.compose->needs_compose() && !how.starts_with("merged by"))
    return report({ErrorCode::kUnavailable,
                   "these files use `extends` or `include`, which only Compose itself can merge",
                   "install Docker's compose plugin, or name the files that are meant"});
  const auto findings = lint(sources->input);
  const std::size_t files = sources->compose.size() + sources->input.texts.size();
  if (json)
    print_out(Json{{"findings", to_json(findings)}, {"files", files}, {"merged", how}}.dump(2) + "\n");
  else
    print_out(visible(render(findings, files, how)));
  const bool failed = std::ranges::find(findings, Severity::kError, &LintFinding::severity) != findings.end();
  return failed ? error_info(ErrorCode::kConflict).exit_code : 0;
}

}  // namespace pandora
