#include "cli/toolbox.h"

#include <condition_variable>
#include <mutex>

#include <fmt/format.h>

#include "base/log.h"
#include "cli/installation.h"
#include "tools/calculator_tool.h"
#include "tools/clock_tool.h"
#include "tools/fetch_tool.h"
#include "tools/file_tools.h"
#include "tools/memory_tools.h"
#include "tools/remote_tools.h"
#include "tools/research_tools.h"

namespace pandora {
namespace {

constexpr Duration kLongestCall = std::chrono::seconds(60);  // of a tool of the Orchestrator's, once it is approved
constexpr std::size_t kSecretBytes = 64;
constexpr Duration kNotePatience = std::chrono::seconds(5);

class Stoppable final : public CallObserver {
 public:
  explicit Stoppable(std::function<bool()> stopped) : stopped_(std::move(stopped)) {}
  void event(const std::string&) override {}
  bool cancelled() override { return stopped_ && stopped_(); }

 private:
  const std::function<bool()> stopped_;
};

// A door that can be shut while somebody is inside: tools that were left behind find it closed.
class ServiceOperations final : public Operations, public ApprovalGate {
 public:
  void open(Service& service) {
    const std::lock_guard lock(mutex_);
    service_ = &service;
  }
  void shut() {
    std::unique_lock lock(mutex_);
    service_ = nullptr;
    shut_ = true;
    left_.wait(lock, [this] { return inside_ == 0; });
  }

  Result<Json> call(const std::string& operation, const Json& arguments, const UserId& user,
                    const std::function<bool()>& stopped, const Deadline& deadline) override {
    Service* service = enter();
    if (!service) return fail(ErrorCode::kUnavailable, "what is remembered cannot be reached now");
    Stoppable observer([this, &stopped] { return shut_ || (stopped && stopped()); });
    auto answer = service->call({operation, user, dump_json(arguments)}, observer, deadline);
    leave();
    if (!answer) return fail(std::move(answer).error());
    Json result = Json::parse(*answer, nullptr, false);
    if (!result.is_object()) return fail(ErrorCode::kInternal, operation + " gave no object");
    return result;
  }

  Result<std::string> ask(const ToolCall& call, const ToolCaller& caller, const Deadline& deadline) override {
    Json arguments = {{"tool", call.name}, {"arguments", call.arguments}};
    if (!caller.session.empty()) arguments["session"] = caller.session.str();
    if (!caller.turn.is_nil()) arguments["turn"] = caller.turn.to_string();
    if (!caller.key.empty()) arguments["key"] = caller.key;
    PANDORA_TRY(answer, this->call("approvals.ask", arguments, caller.who.user, caller.cancelled, deadline));
    return answer.value("answer", "");
  }

 private:
  Service* enter() {
    const std::lock_guard lock(mutex_);
    if (service_) ++inside_;
    return service_;
  }
  void leave() {
    const std::lock_guard lock(mutex_);
    if (--inside_ == 0) left_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable left_;
  Service* service_ = nullptr;
  std::size_t inside_ = 0;
  std::atomic<bool> shut_ = false;
};

// What fetches pages; most processes never do. Held by the tool, so also by one that is left behind.
class PageClient {
 public:
  Result<HttpClient*> get() {
    const std::lock_guard lock(mutex_);
    if (!client_) {
      threads_ = std::make_unique<IoThreads>(clock_);
      PANDORA_TRY(client, HttpClient::create({}, *threads_));
      client_ = std::move(client);
    }
    return client_.get();
  }
  Uuid next_id() { return ids_.next(); }

 private:
  const SystemClock clock_;
  SystemRandom random_;
  UuidV7Generator ids_{clock_, random_};
  std::mutex mutex_;
  std::unique_ptr<IoThreads> threads_;
  std::unique_ptr<HttpClient> client_;
};

class WiredToolbox final : public Toolbox {
 public:
  // What is left behind at the end still holds the operations.
  WiredToolbox() : operations_(std::make_shared<ServiceOperations>()) {}
  ~WiredToolbox() override { operations_->shut(); }

  Status wire(const Config& config, ToolPlace place, HttpClient* client, const Clock& clock) {
    PANDORA_TRY(folders, parse_tool_folders(config.string("tools.folders"), &expanded_path));
    PANDORA_TRY(policy, ApprovalPolicy::parse(config.string("tools.approvals")));
    ToolList tools = make_memory_tools(operations_);
    for (auto& tool : make_research_tools(operations_)) tools.push_back(std::move(tool));
    for (auto& tool : make_file_tools(folders)) tools.push_back(std::move(tool));
    const auto pages = std::make_shared<PageClient>();
    tools.push_back(
        make_fetch_tool({[pages] { return pages->get(); }, [pages] { return pages->next_id(); }, clock}, operations_));
    tools.push_back(make_calculator_tool());
    tools.push_back(make_clock_tool(clock));
    PANDORA_TRY(registry, ToolRegistry::create({.tools = std::move(tools),
                                                .policy = std::move(policy),
                                                .gate = operations_.get(),
                                                .note = [this](const ToolNote& note) { keep(note); },
                                                .clock = clock}));
    registry_ = std::move(registry);
    if (place == ToolPlace::kHere) return {};
    std::string url = config.string("tools.url");
    if (url.empty()) url = fmt::format("http://127.0.0.1:{}", config.integer("orchestrator.port"));
    while (url.ends_with('/')) url.pop_back();
    const Duration patience = std::chrono::milliseconds(config.integer("tools.approval_ms")) + kLongestCall;
    PANDORA_TRY(paths, data_paths(config));
    PANDORA_TRY(remote, RemoteTools::create(
                            url, registry_->catalogue(), patience, [paths] { return read_orchestrator_secret(paths); },
                            *client, clock));
    remote_ = std::move(remote);
    return {};
  }
  ToolRunner& runner() override {
    if (remote_) return *remote_;
    return *registry_;
  }
  ToolRegistry* registry() override { return remote_ ? nullptr : registry_.get(); }
  void connect(Service& service) override { operations_->open(service); }
  void disconnect() override { operations_->shut(); }

 private:
  // A call that is part of a turn stands in the turn's record.
  void keep(const ToolNote& note) {
    if (!note.turn.is_nil()) return;
    const Observation row = to_observation(note);
    const SystemClock clock;
    const auto kept = operations_->call(
        "tools.note", {{"tool", row.name}, {"micros", row.micros}, {"ok", row.ok}, {"detail", row.detail}}, note.user,
        {}, Deadline::after(clock, kNotePatience));
    if (!kept) log_warn("tool.not_noted", {{"tool", row.name}, {"error", kept.error().to_line()}});
  }

  const std::shared_ptr<ServiceOperations> operations_;
  std::unique_ptr<ToolRegistry> registry_;
  std::unique_ptr<RemoteTools> remote_;
};

}  // namespace

Result<std::string> read_orchestrator_secret(const DataPaths& paths) {
  auto secret = make_posix_file_system()->read_file(paths.orchestrator_secret, kSecretBytes);
  if (secret && secret->size() == kSecretBytes) return secret;
  return fail(ErrorCode::kUnavailable,
              "the Orchestrator, which runs the tools, has left no secret in the data directory",
              "answer without it; `pandora orchestrator` with the same --data starts it");
}

Result<std::string> orchestrator_secret(const DataPaths& paths, Random& random) {
  auto files = make_posix_file_system();
  PANDORA_CHECK(files->create_directories(paths.root));
  if (!files->exists(paths.orchestrator_secret)) {
    std::string made;
    while (made.size() < kSecretBytes) made += fmt::format("{:016x}", random.next());
    // Two that start at once agree on the one that was first.
    if (auto file = files->open(paths.orchestrator_secret, OpenMode::kCreateNew)) PANDORA_CHECK((*file)->append(made));
  }
  return read_orchestrator_secret(paths);
}

Result<std::unique_ptr<Toolbox>> Toolbox::open(const Config& config, ToolPlace place, HttpClient* client,
                                               const Clock& clock) {
  auto toolbox = std::make_unique<WiredToolbox>();
  PANDORA_CHECK(toolbox->wire(config, place, client, clock));
  return toolbox;
}

}  // namespace pandora
