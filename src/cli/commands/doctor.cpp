#include "cli/commands/doctor.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/text.h"
#include "cli/installation.h"
#include "cli/stack/doctor_stack.h"
#include "cli/terminal/terminal.h"
#include "embed/embedders.h"
#include "models/openai_chat_model.h"
#include "net/io_threads.h"
#include "ports/point_space.h"

namespace pandora {
namespace {

constexpr std::uint64_t kLittleSpace = 1ull << 30;
constexpr Duration kModelPatience = std::chrono::seconds(5);
constexpr Duration kCopiesPatience = std::chrono::seconds(15);  // longer than a drain that is stuck
constexpr std::uint64_t kFewFiles = 10'000;
constexpr Timestamp kProgramWritten{1'767'225'600'000'000};  // 2026-01-01: a clock before it is wrong

CheckResult failure(std::string check, const Error& error) {
  return {CheckState::kFailure, std::move(check), error.message, error.remedy, error.code};
}

CheckResult check_directory(FileSystem& files, const std::string& root) {
  if (auto made = files.create_directories(root); !made) return failure("data directory", made.error());
  const std::string probe = join_path(root, ".doctor");
  if (auto written = files.write_atomic(probe, "x", Durability::kNow); !written)
    return failure("data directory", written.error());
  (void)files.remove_file(probe);
  struct stat info{};
  if (::stat(root.c_str(), &info) == 0 && (info.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return {CheckState::kWarning, "data directory",
            root + " can be written, but others on this machine can look into it", "chmod 700 " + root};
  return {CheckState::kOk, "data directory", root + " can be written", ""};
}

CheckResult check_space(FileSystem& files, const std::string& root) {
  const auto free = files.free_bytes(root);
  if (!free) return failure("disk space", free.error());
  const std::string left = fmt::format("{:.1f} GB are free", static_cast<double>(*free) / 1e9);
  if (*free < kLittleSpace)
    return {CheckState::kWarning, "disk space", left, "free some space, or move the data (--data)"};
  // A file system that has no fixed number of files says 0 of 0.
  struct statvfs inodes{};
  if (::statvfs(root.c_str(), &inodes) == 0 && inodes.f_files > 0 && inodes.f_favail < kFewFiles)
    return {CheckState::kWarning, "disk space",
            fmt::format("{}, but only {} more files can be made", left, inodes.f_favail),
            "remove files there, or move the data (--data)"};
  return {CheckState::kOk, "disk space", left, ""};
}

CheckResult check_clock() {
  const Timestamp now = SystemClock().now();
  if (now < kProgramWritten)
    return {CheckState::kFailure, "clock", "it says " + to_iso8601(now), "set the system's clock",
            ErrorCode::kUnavailable};
  return {CheckState::kOk, "clock", to_iso8601(now), ""};
}

CheckResult check_encoder(const Config& config) {
  const std::string& model = config.string("encoder.model");
  if (model == "hashing")
    return {CheckState::kWarning, "encoder", "\"hashing\" finds words, not meanings", "unset encoder.model"};
  const auto opened = open_bert_embedder(join_path(models_directory(config), model));
  if (!opened) return failure("encoder", opened.error());
  const std::string_view text = "a first sentence";
  const auto vector = (*opened)->embed({&text, 1}, TextRole::kPassage, Deadline::never());
  if (!vector) return failure("encoder", vector.error());
  return {CheckState::kOk, "encoder", fmt::format("{} ({} dimensions) works", model, (*opened)->identity().dimension),
          ""};
}

CheckResult check_model_server(HttpClient& client, const ModelServerSettings& server, const SystemClock& clock) {
  constexpr std::size_t kShown = 5;
  const auto models = list_models(client, server, clock, Deadline::after(clock, kModelPatience));
  if (!models) return {CheckState::kFailure, "language model", models.error().message, models.error().remedy};
  if (models->empty())
    return {CheckState::kFailure, "language model", server.url + " answers, but has no model", "load one there"};
  if (server.model.empty())
    return {CheckState::kOk, "language model",
            fmt::format("{} answers; its first model, {}, is used", server.url, models->front()), ""};
  if (std::ranges::find(*models, server.model) != models->end())
    return {CheckState::kOk, "language model", fmt::format("{} answers and has {}", server.url, server.model), ""};
  std::string names;
  for (std::size_t i = 0; i < std::min(models->size(), kShown); ++i)
    names += (i == 0 ? "" : ", ") + one_line((*models)[i]);
  return {CheckState::kWarning, "language model",
          fmt::format("{} answers, but does not list {}", server.url, server.model),
          "it has " + names + (models->size() > kShown ? ", …" : "")};
}

void check_models(const Config& config, std::vector<CheckResult>& results) {
  if (!has_model(config))
    return results.push_back(
        {CheckState::kOk, "language model", "none is set (model.url): replies quote what was found", ""});
  const auto settings = model_settings(config);
  if (!settings)
    return results.push_back(
        {CheckState::kFailure, "language model", settings.error().message, settings.error().remedy});
  const SystemClock clock;
  IoThreads threads(clock);
  const auto client = HttpClient::create({}, threads);
  if (!client)
    return results.push_back({CheckState::kFailure, "language model", client.error().message, client.error().remedy});
  std::vector<ModelServerSettings> asked;
  for (const auto& role : settings->roles)
    for (const auto& server : role.servers) {
      if (std::ranges::find(asked, server) != asked.end()) continue;
      asked.push_back(server);
      results.push_back(check_model_server(**client, server, clock));
    }
}

Result<Json> ask(Service& service, const UserId& user, const char* operation, CallObserver& observer,
                 const Deadline& deadline) {
  PANDORA_TRY(answer, service.call({operation, user, "{}"}, observer, deadline));
  return Json::parse(answer, nullptr, false);
}

CheckResult check_saving(const Json& status) {
  const std::string last_error = status.value("last_error", "");
  const std::string waiting =
      fmt::format("{} turns and {} files and points wait", status.value("pending", 0), status.value("outbox", 0));
  if (last_error.empty()) return {CheckState::kOk, "saving", waiting, ""};
  return {CheckState::kWarning, "saving", waiting + ": " + last_error,
          "nothing acknowledged is lost; it goes on by itself once that is solved"};
}

// Points that another encoder, or an older program, made go on answering; these settings ask for others.
CheckResult check_points(const Config& config, const Json& status) {
  const Json points = status.value("points", Json::object());
  const std::string made_by = points.value("made_by", "");
  const Json encoder = status.value("encoder", Json::object());
  const std::string& model = config.string("encoder.model");
  bool same = encoder.value("model", "") == model && points.value("analyzer", 0) == kAnalyzerVersion &&
              points.value("form", 0) == kPointForm;
  if (model != "hashing")  // its weights may be others than they were
    if (const auto opened = open_bert_embedder(join_path(models_directory(config), model)))
      same = same && encoder.value("revision", "") == (*opened)->identity().revision;
  if (const std::string why = status.value("points_error", ""); !why.empty())
    return {CheckState::kFailure, "points", why,
            "turns are kept meanwhile; those without points are found by their date only", ErrorCode::kUnavailable};
  if (same) return {CheckState::kOk, "points", "made by " + made_by, ""};
  return {CheckState::kWarning, "points", fmt::format("made by {}, which is not what is set now", made_by),
          "run `pandora reindex`"};
}

void check_servers_beside(const Json& status, std::vector<CheckResult>& results) {
  if (const std::string why = status.value("cache_error", ""); !why.empty())
    results.push_back(
        {CheckState::kWarning, "cache", why,
         "limits are counted by each process alone, and what other gateways do is not known, until it answers; it goes "
         "on by itself then"});
  if (const std::string why = status.value("objects_error", ""); !why.empty())
    results.push_back({CheckState::kFailure, "objects", why,
                       "turns with images are not acknowledged until it answers; it goes on by itself then",
                       ErrorCode::kUnavailable});
  if (const std::string why = status.value("documents_error", ""); !why.empty())
    results.push_back(
        {CheckState::kFailure, "documents", why,
         "turns are acknowledged, and their directories wait in the journal; it goes on by itself when it "
         "answers",
         ErrorCode::kUnavailable});
}

// What an import brought may be of the future; a day is a clock that jumped back.
std::optional<CheckResult> check_order_of_time(const Json& status) {
  constexpr Duration kDay = std::chrono::hours(24);
  const Json said = status.value("newest_at", Json());
  const auto newest = parse_iso8601(said.is_string() ? said.get<std::string>() : "");
  const Timestamp now = SystemClock().now();
  if (!newest || *newest - now < kDay) return std::nullopt;
  return CheckResult{CheckState::kFailure, "clock",
                     fmt::format("it says {}, but the newest turn is of {}", to_iso8601(now), to_iso8601(*newest)),
                     "set the system's clock", ErrorCode::kUnavailable};
}

class Interruptible final : public CallObserver {
 public:
  void event(const std::string&) override {}
  bool cancelled() override { return interrupted(); }
};

// Gives up after a while: on a large installation `pandora reconcile` is the place for this.
CheckResult check_copies(Service& service, const UserId& user) {
  const SystemClock clock;
  Interruptible observer;
  const auto found = ask(service, user, "reconcile", observer, Deadline::after(clock, kCopiesPatience));
  if (!found && (found.error().code == ErrorCode::kCancelled || found.error().code == ErrorCode::kDeadlineExceeded))
    return {CheckState::kOk, "copies", "too many to compare here: `pandora reconcile` does", ""};
  if (!found) return failure("copies", found.error());
  const auto count = (*found)["differences"].size();
  if (count == 0) return {CheckState::kOk, "copies", "files, rows and points say the same", ""};
  const Json& first = (*found)["differences"][0];
  return {CheckState::kFailure, "copies",
          fmt::format("{} differences between files, rows and points, the first: {}, {}", count,
                      first.value("kind", ""), first.value("what", "")),
          "run `pandora reconcile --apply`", ErrorCode::kDataCorrupt};
}

void check_service(const Config& config, const UserId& user, std::vector<CheckResult>& results) {
  auto installation = Installation::open(config, {.thorough = true});
  if (!installation) return results.push_back(failure("stores", installation.error()));
  results.push_back(
      {CheckState::kOk, "owner",
       (*installation)->is_owner() ? "nobody else uses the data directory" : "another process owns it and answers",
       ""});
  NoObserver nobody;
  Service& service = (*installation)->service();
  const auto status = ask(service, user, "status", nobody, Deadline::never());
  if (!status) return results.push_back(failure("stores", status.error()));
  if (const std::string why = status->value("rows_error", ""); !why.empty())
    return results.push_back({CheckState::kFailure, "stores", why,
                              "turns wait in the journal meanwhile, and nothing acknowledged is lost",
                              ErrorCode::kUnavailable});
  if (const auto wrong = check_order_of_time(*status)) results.push_back(*wrong);
  results.push_back({CheckState::kOk, "stores", fmt::format("{} turns", status->value("turns", 0)), ""});
  results.push_back(check_saving(*status));
  for (const auto& journal : status->value("journals", Json::array()))
    if (journal.value("silent", false))
      results.push_back(
          {CheckState::kWarning, "journals",
           fmt::format("the gateway with {}:{} died {} s ago, and turns may wait in its journal",
                       journal.value("host", ""), journal.value("directory", ""), journal.value("silent_seconds", 0)),
           "start `pandora gateway` on that directory: it drains it"});
  results.push_back(check_points(config, *status));
  check_servers_beside(*status, results);
  if (status->value("last_error", "").empty() && status->value("points_error", "").empty())
    results.push_back(check_copies(service, user));
}

std::string_view name_of(CheckState state) {
  return state == CheckState::kOk ? "ok" : state == CheckState::kWarning ? "warning" : "failure";
}

}  // namespace

std::vector<CheckResult> examine(const Config& config, const UserId& user) {
  std::vector<CheckResult> results = {check_clock()};
  examine_stack(".", results);
  const auto paths = data_paths(config);
  if (!paths) {
    results.push_back(failure("data directory", paths.error()));
    return results;
  }
  const auto files = make_posix_file_system();
  results.push_back(check_directory(*files, paths->root));
  if (results.back().finding == CheckState::kFailure) return results;
  results.push_back(check_space(*files, paths->root));
  results.push_back(check_encoder(config));
  check_models(config, results);
  check_service(config, user, results);
  return results;
}

Json to_json(const std::vector<CheckResult>& results) {
  Json checks = Json::array();
  for (const auto& result : results)
    checks.push_back({{"check", result.check},
                      {"state", name_of(result.finding)},
                      {"detail", result.detail},
                      {"remedy", result.remedy},
                      {"command", result.command}});
  return {{"checks", checks}};
}

std::string render_checks(const std::vector<CheckResult>& results) {
  std::string text;
  for (const auto& result : results) {
    text += fmt::format("{:8} {}: {}\n", name_of(result.finding), bold(result.check), result.detail);
    if (!result.remedy.empty()) text += fmt::format("         → {}\n", result.remedy);
    if (!result.command.empty()) text += fmt::format("         $ {}\n", result.command);
  }
  return text;
}

int exit_code_of(const std::vector<CheckResult>& results) {
  const auto failed = std::ranges::find(results, CheckState::kFailure, &CheckResult::finding);
  return failed == results.end() ? 0 : error_info(failed->code).exit_code;
}

}  // namespace pandora
