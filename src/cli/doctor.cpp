#include "cli/doctor.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "cli/installation.h"
#include "cli/terminal.h"
#include "embed/embedders.h"
#include "models/openai_chat_model.h"
#include "net/io_threads.h"

namespace pandora {
namespace {

constexpr std::uint64_t kLittleSpace = 1ull << 30;
constexpr Duration kModelPatience = std::chrono::seconds(5);
constexpr Timestamp kProgramWritten{1'767'225'600'000'000};  // 2026-01-01: a clock before it is wrong

CheckResult check_directory(FileSystem& files, const std::string& root) {
  if (auto made = files.create_directories(root); !made) return {CheckState::kFailure, "data directory", made.error().message, made.error().remedy};
  const std::string probe = join_path(root, ".doctor");
  if (auto written = files.write_atomic(probe, "x", Durability::kNow); !written)
    return {CheckState::kFailure, "data directory", written.error().message, written.error().remedy};
  (void)files.remove_file(probe);
  return {CheckState::kOk, "data directory", root + " can be written", ""};
}

CheckResult check_space(FileSystem& files, const std::string& root) {
  const auto free = files.free_bytes(root);
  if (!free) return {CheckState::kFailure, "disk space", free.error().message, free.error().remedy};
  const std::string left = fmt::format("{:.1f} GB are free", static_cast<double>(*free) / 1e9);
  if (*free < kLittleSpace) return {CheckState::kWarning, "disk space", left, "free some space, or move the data (--data)"};
  return {CheckState::kOk, "disk space", left, ""};
}

CheckResult check_clock() {
  const Timestamp now = SystemClock().now();
  if (now < kProgramWritten) return {CheckState::kFailure, "clock", "it says " + to_iso8601(now), "set the system's clock"};
  return {CheckState::kOk, "clock", to_iso8601(now), ""};
}

CheckResult check_encoder(const Config& config) {
  const std::string& model = config.string("encoder.model");
  if (model == "hashing") return {CheckState::kWarning, "encoder", "\"hashing\" finds words, not meanings", "unset encoder.model"};
  const auto opened = open_bert_embedder(join_path(models_directory(config), model));
  if (!opened) return {CheckState::kFailure, "encoder", opened.error().message, opened.error().remedy};
  const std::string_view text = "a first sentence";
  const auto vector = (*opened)->embed({&text, 1}, TextRole::kPassage, Deadline::never());
  if (!vector) return {CheckState::kFailure, "encoder", vector.error().message, vector.error().remedy};
  return {CheckState::kOk, "encoder", fmt::format("{} ({} dimensions) works", model, (*opened)->identity().dimension), ""};
}

CheckResult check_model_server(HttpClient& client, const ModelServerSettings& server, const SystemClock& clock) {
  constexpr std::size_t kShown = 5;
  const auto models = list_models(client, server, clock, Deadline::after(clock, kModelPatience));
  if (!models) return {CheckState::kFailure, "language model", models.error().message, models.error().remedy};
  if (models->empty()) return {CheckState::kFailure, "language model", server.url + " answers, but has no model", "load one there"};
  if (server.model.empty()) return {CheckState::kOk, "language model", fmt::format("{} answers; its first model, {}, is used", server.url, models->front()), ""};
  if (std::ranges::find(*models, server.model) != models->end()) return {CheckState::kOk, "language model", fmt::format("{} answers and has {}", server.url, server.model), ""};
  std::string names;
  for (std::size_t i = 0; i < std::min(models->size(), kShown); ++i) names += (i == 0 ? "" : ", ") + one_line((*models)[i]);
  return {CheckState::kWarning, "language model", fmt::format("{} answers, but does not list {}", server.url, server.model), "it has " + names + (models->size() > kShown ? ", …" : "")};
}

void check_models(const Config& config, std::vector<CheckResult>& results) {
  if (!has_model(config)) return results.push_back({CheckState::kOk, "language model", "none is set (model.url): replies quote what was found", ""});
  const auto settings = model_settings(config);
  if (!settings) return results.push_back({CheckState::kFailure, "language model", settings.error().message, settings.error().remedy});
  const SystemClock clock;
  IoThreads threads(clock);
  const auto client = HttpClient::create({}, threads);
  if (!client) return results.push_back({CheckState::kFailure, "language model", client.error().message, client.error().remedy});
  std::vector<ModelServerSettings> asked;
  for (const auto& role : settings->roles)
    for (const auto& server : role.servers) {
      if (std::ranges::find(asked, server) != asked.end()) continue;
      asked.push_back(server);
      results.push_back(check_model_server(**client, server, clock));
    }
}

void check_service(const Config& config, const UserId& user, std::vector<CheckResult>& results) {
  auto installation = Installation::open(config);
  if (!installation) {
    results.push_back({CheckState::kFailure, "stores", installation.error().message, installation.error().remedy});
    return;
  }
  results.push_back({CheckState::kOk, "owner", (*installation)->is_owner() ? "nobody else uses the data directory" : "another process owns it and answers", ""});
  NoObserver nobody;
  const SystemClock clock;
  const auto answer = (*installation)->service().call({"status", user, "{}"}, nobody, Deadline::after(clock, std::chrono::seconds(10)));
  if (!answer) {
    results.push_back({CheckState::kFailure, "stores", answer.error().message, answer.error().remedy});
    return;
  }
  const Json status = Json::parse(*answer, nullptr, false);
  const auto count = [&](const char* name) { return status.value(name, std::int64_t{0}); };
  results.push_back({CheckState::kOk, "stores", fmt::format("{} turns", count("turns")), ""});
  const std::string last_error = status.value("last_error", "");
  const std::string waiting = fmt::format("{} turns and {} files and points wait", count("pending"), count("outbox"));
  if (!last_error.empty()) results.push_back({CheckState::kWarning, "saving", waiting + ": " + last_error, "nothing acknowledged is lost; it goes on by itself"});
  else results.push_back({CheckState::kOk, "saving", waiting, ""});
}

std::string_view name_of(CheckState state) {
  return state == CheckState::kOk ? "ok" : state == CheckState::kWarning ? "warning" : "failure";
}

}  // namespace

std::vector<CheckResult> examine(const Config& config, const UserId& user) {
  std::vector<CheckResult> results = {check_clock()};
  const auto paths = data_paths(config);
  if (!paths) {
    results.push_back({CheckState::kFailure, "data directory", paths.error().message, paths.error().remedy});
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
  for (const auto& result : results) checks.push_back({{"check", result.check}, {"state", name_of(result.finding)}, {"detail", result.detail}, {"remedy", result.remedy}});
  return {{"checks", checks}};
}

std::string render_checks(const std::vector<CheckResult>& results) {
  std::string text;
  for (const auto& result : results) {
    text += fmt::format("{:8} {}: {}\n", name_of(result.finding), bold(result.check), result.detail);
    if (!result.remedy.empty()) text += fmt::format("         → {}\n", result.remedy);
  }
  return text;
}

int exit_code_of(const std::vector<CheckResult>& results) {
  const bool failed = std::ranges::any_of(results, [](const CheckResult& result) { return result.finding == CheckState::kFailure; });
  return failed ? error_info(ErrorCode::kUnavailable).exit_code : 0;
}

}  // namespace pandora
