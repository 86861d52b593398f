#include "stack/compose_answers.h"

#include <cctype>
#include <future>
#include <set>

#include <fmt/format.h>

#include "base/hash.h"
#include "base/log.h"
#include "wire/json_reader.h"

namespace pandora {
namespace {

constexpr int kForm = 1;  // of the file
// Of Compose's own, and what its paths are made with.
constexpr const char* kAlways[] = {"COMPOSE_COMPATIBILITY", "COMPOSE_CONVERT_WINDOWS_PATHS", "COMPOSE_DISABLE_ENV_FILE",
                                   "COMPOSE_ENV_FILES",     "COMPOSE_EXPERIMENTAL",          "COMPOSE_PROFILES",
                                   "DOCKER_CONFIG",         "DOCKER_DEFAULT_PLATFORM",       "HOME"};

// $NAME and ${NAME…; more than Compose would interpolate is no harm.
void names_in(std::string_view text, std::set<std::string>& names) {
  for (auto at = text.find('$'); at != std::string_view::npos; at = text.find('$', at + 1)) {
    std::size_t begin = at + 1;
    if (begin < text.size() && text[begin] == '{') ++begin;
    std::size_t end = begin;
    while (end < text.size() && (std::isalnum(static_cast<unsigned char>(text[end])) || text[end] == '_')) ++end;
    if (end > begin) names.emplace(text.substr(begin, end - begin));
  }
}

bool names_other_files(std::string_view text) {
  for (const char* word : {"env_file", "extends", "include", "label_file"})
    if (text.find(word) != std::string_view::npos) return true;
  return false;
}

Result<ComposeAnswers> ask(const ComposeFiles& files, ProcessRunner& runner, const Deadline& deadline) {
  PANDORA_TRY(program, find_compose(runner, deadline));
  auto hashes = std::async(std::launch::async, [&] { return config_hashes(runner, program, files, deadline); });
  auto model = merged_by_compose(runner, program, files, deadline);
  auto hashed = hashes.get();
  if (!model) return fail(model.error());
  if (!hashed) return fail(hashed.error());
  return ComposeAnswers{.program = std::move(program), .model = *std::move(model), .hashes = *std::move(hashed)};
}

std::optional<ComposeAnswers> read_kept(const std::string& path, const std::string& fingerprint, FileSystem& files) {
  const auto text = files.read_file(path, kMaxComposeAnswers);
  if (!text) return std::nullopt;
  auto kept = parse_json(*text, kMaxComposeAnswers, path);
  if (!kept) return std::nullopt;
  try {
    if (kept->at("form") != kForm || kept->at("made_of") != fingerprint) return std::nullopt;
    return ComposeAnswers{.program = {.command = kept->at("command").get<std::vector<std::string>>(),
                                      .version = kept->at("version").get<std::string>(),
                                      .major = kept->at("major").get<int>(),
                                      .minor = kept->at("minor").get<int>()},
                          .model = kept->at("model"),
                          .hashes = kept->at("hashes").get<std::map<std::string, std::string>>()};
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

Status keep(const ComposeAnswers& answers, const std::string& path, const std::string& fingerprint, FileSystem& files) {
  const Json kept = {{"form", kForm},
                     {"made_of", fingerprint},
                     {"command", answers.program.command},
                     {"version", answers.program.version},
                     {"major", answers.program.major},
                     {"minor", answers.program.minor},
                     {"hashes", answers.hashes},
                     {"model", answers.model}};
  PANDORA_CHECK(files.create_directories(path.substr(0, path.rfind('/'))));
  return files.write_atomic(path, kept.dump(), Durability::kDeferred);
}

}  // namespace

std::optional<std::string> fingerprint_of(const ComposeQuestion& question) {
  // Compose 2 reads one beside the first file by itself only when none is named; those that are named are all.
  std::set<std::string> names(std::begin(kAlways), std::end(kAlways));
  names_in(question.env, names);
  Json all = {{"project", question.files.project},
              {"directory", question.files.directory},
              {"profiles", question.files.profiles},
              {"programs", question.programs},
              {"env", question.env},
              {"sources", Json::array()}};
  for (const auto& source : question.sources) {
    if (names_other_files(source.text)) return std::nullopt;
    names_in(source.text, names);
    all["sources"].push_back({source.path, source.text});
  }
  for (const auto& name : names)
    if (const auto value = question.environment(name)) all["variables"][name] = *value;
  // A file that is not UTF-8 is no Compose file; then there is nothing to keep.
  const std::string text = all.dump(-1, ' ', false, Json::error_handler_t::replace);
  return sha256_hex(text);
}

Result<ComposeAnswers> ask_compose(const ComposeQuestion& question, const std::string& kept, FileSystem& files,
                                   ProcessRunner& runner, const Deadline& deadline) {
  const auto fingerprint = kept.empty() ? std::nullopt : fingerprint_of(question);
  if (fingerprint)
    if (auto found = read_kept(kept, *fingerprint, files)) return *std::move(found);
  PANDORA_TRY(answers, ask(question.files, runner, deadline));
  if (fingerprint)
    if (const Status done = keep(answers, kept, *fingerprint, files); !done)
      log_debug("compose.answers_not_kept", {{"why", done.error().to_line()}});
  return answers;
}

}  // namespace pandora
