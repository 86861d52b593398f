#include "host/host_control_wire.h"

#include <algorithm>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "host/process_ending.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxCallBytes = 4u << 20;
constexpr Duration kLeftGrace = std::chrono::seconds(15);
constexpr std::string_view kPidFile = ".pid";

template <class T>
std::optional<T> enum_named(std::string_view name, T last) {
  for (int i = 0; i <= static_cast<int>(last); ++i)
    if (to_string(static_cast<T>(i)) == name) return static_cast<T>(i);
  return std::nullopt;
}

Json to_json(const HostProcess& process) {
  const HostReadiness& ready = process.readiness;
  return {{"name", process.name},
          {"arguments", process.arguments},
          {"environment", process.environment},
          {"directory", process.directory},
          {"readiness",
           {{"port", ready.port},
            {"health_path", ready.health_path},
            {"speaks_chat", ready.speaks_chat},
            {"model", ready.model},
            {"api_key", ready.api_key}}},
          {"needs", process.needs},
          {"gpu_share", process.gpu_share},
          {"gpu_cards", process.gpu_cards},
          {"cold", process.cold},
          {"idle_us", process.idle_time.count()},
          {"ready_us", process.ready_time.count()},
          {"grace_us", process.stop_grace.count()},
          {"made_of", process.made_of},
          {"watch", process.watch}};
}

Json to_json(const Error& error) {
  return {{"code", error_info(error.code).name}, {"message", error.message}, {"remedy", error.remedy}};
}

Error error_of(const Json& json) {
  return {error_code_named(json.value("code", "")), json.value("message", ""), json.value("remedy", "")};
}

Json to_json(const HostEvent& event) {
  return {{"at", event.at.micros}, {"process", event.process}, {"state", to_string(event.state)}, {"text", event.text}};
}

HostEvent event_of(const Json& json) {
  return {{json.value("at", std::int64_t{0})},
          json.value("process", ""),
          enum_named(json.value("state", ""), HostState::kLeft).value_or(HostState::kWaiting),
          json.value("text", "")};
}

Deadline deadline_of(const Json& call, const Clock& clock) {
  const auto micros = call.value("within_us", std::int64_t{-1});
  return micros < 0 ? Deadline::never() : Deadline::after(clock, Duration(micros));
}

std::int64_t within(const Deadline& deadline) {
  const Duration left = deadline.remaining();
  return left == Duration::max() ? -1 : left.count();
}

Result<Json> answer_call(HostControl& control, const Json& call, const HostProgress& progress, const Clock& clock,
                         std::vector<std::unique_ptr<HostUse>>& uses) {
  const std::string what = call.value("do", "");
  const Deadline deadline = deadline_of(call, clock);
  if (what == "apply") {
    std::vector<HostProcess> processes;
    for (const auto& one : call.value("processes", Json::array())) {
      PANDORA_TRY(process, decode_host_process(one));
      processes.push_back(std::move(process));
    }
    PANDORA_CHECK(control.apply(std::move(processes)));
  } else if (what == "settle") {
    PANDORA_CHECK(control.settle(progress, deadline));
  } else if (what == "restart") {
    PANDORA_CHECK(control.restart(call.value("name", ""), progress, deadline));
  } else if (what == "stop") {
    PANDORA_CHECK(control.stop(progress));
  } else if (what == "use") {
    PANDORA_TRY(use, control.use(call.value("name", ""), progress, deadline));
    uses.push_back(std::move(use));
  } else if (what == "status") {
    PANDORA_TRY(rows, control.status(deadline));
    Json all = Json::array();
    for (const auto& row : rows) all.push_back(host_status_json(row));
    return all;
  } else {
    return fail(ErrorCode::kInvalidArgument, "the supervisor does not know that call",
                "another version of the program runs: pandora down, then pandora up");
  }
  return Json(true);
}

constexpr Duration kLastMoment = std::chrono::seconds(5);  // of a supervisor that has stopped everything
constexpr Duration kLookAtLock = std::chrono::milliseconds(5);

class RemoteUse final : public HostUse {
 public:
  explicit RemoteUse(std::shared_ptr<LocalConnection> connection) : connection_(std::move(connection)) {}

 private:
  const std::shared_ptr<LocalConnection> connection_;  // its end is the end of the use
};

class RemoteControl final : public RemoteHostControl {
 public:
  RemoteControl(HostPlace place, const Clock& clock) : place_(std::move(place)), clock_(clock) {}

  Status apply(std::vector<HostProcess> processes) override {
    Json all = Json::array();
    for (const auto& process : processes) all.push_back(to_json(process));
    PANDORA_CHECK(call({{"do", "apply"}, {"processes", all}}, {}, Deadline::never()));
    return {};
  }
  Status settle(const HostProgress& progress, const Deadline& deadline) override {
    PANDORA_CHECK(call({{"do", "settle"}}, progress, deadline));
    return {};
  }
  Status restart(const std::string& name, const HostProgress& progress, const Deadline& deadline) override {
    PANDORA_CHECK(call({{"do", "restart"}, {"name", name}}, progress, deadline));
    return {};
  }
  Status stop(const HostProgress& progress) override {
    PANDORA_CHECK(call({{"do", "stop"}}, progress, Deadline::never()));
    // Its last word comes before its end: who returns earlier meets it once more in the next command.
    const auto files = make_posix_file_system();
    const Deadline patience = Deadline::after(clock_, kLastMoment);
    while (!files->lock(place_.lock(), "waits for its end") && !patience.expired())
      std::this_thread::sleep_for(kLookAtLock);
    return {};
  }
  Result<std::unique_ptr<HostUse>> use(const std::string& name, const HostProgress& progress,
                                       const Deadline& deadline) override {
    PANDORA_TRY(opened, connect_local(place_.socket()));
    const std::shared_ptr<LocalConnection> connection = std::move(opened);
    PANDORA_CHECK(exchange(connection, {{"do", "use"}, {"name", name}}, progress, deadline));
    return std::make_unique<RemoteUse>(connection);
  }
  void abandon() override {
    const std::lock_guard lock(mutex_);
    abandoned_ = true;
    for (const auto& one : connections_)
      if (const auto connection = one.lock()) connection->stop_receiving();
  }
  Result<std::vector<HostStatus>> status(const Deadline& deadline) override {
    PANDORA_TRY(answer, call({{"do", "status"}}, {}, deadline));
    std::vector<HostStatus> rows;
    for (const auto& row : answer) {
      PANDORA_TRY(status, decode_host_status(row));
      rows.push_back(std::move(status));
    }
    return rows;
  }

 private:
  Result<Json> call(Json what, const HostProgress& progress, const Deadline& deadline) {
    PANDORA_TRY(connection, connect_local(place_.socket()));
    return exchange(std::move(connection), std::move(what), progress, deadline);
  }
  Result<Json> exchange(const std::shared_ptr<LocalConnection>& connection, Json what, const HostProgress& progress,
                        const Deadline& deadline) {
    {
      const std::lock_guard lock(mutex_);
      if (abandoned_) return fail(ErrorCode::kCancelled, "nobody waits for it any more");
      std::erase_if(connections_, [](const auto& one) { return one.expired(); });
      connections_.push_back(connection);
    }
    what["within_us"] = within(deadline);
    PANDORA_CHECK(connection->send(dump_json(what)));
    // The supervisor keeps the time; what it says of its end is worth a moment more.
    constexpr Duration kLastWord = std::chrono::seconds(5);
    const Deadline patience =
        within(deadline) < 0 ? deadline : Deadline::after(clock_, deadline.remaining() + kLastWord);
    for (;;) {
      auto frame = connection->receive(patience);
      if (!frame && frame.error().code == ErrorCode::kCancelled)
        return fail(ErrorCode::kUnavailable, "the supervisor has ended", "pandora up");
      if (!frame) return fail(frame.error());
      PANDORA_TRY(json, parse_json(*frame, kMaxFrameBytes, "the supervisor's answer"));
      if (json.contains("event")) {
        if (progress) progress(event_of(json["event"]));
      } else if (json.contains("error")) {
        return fail(error_of(json["error"]));
      } else {
        return json.value("done", Json());
      }
    }
  }
  const HostPlace place_;
  const Clock& clock_;
  std::mutex mutex_;
  bool abandoned_ = false;
  std::vector<std::weak_ptr<LocalConnection>> connections_;
};

}  // namespace

Json host_process_json(const HostProcess& process) { return to_json(process); }

Result<HostProcess> decode_host_process(const Json& json) {
  HostProcess process;
  try {
    const Json& ready = json.at("readiness");
    process.name = json.at("name").get<std::string>();
    process.arguments = json.at("arguments").get<std::vector<std::string>>();
    process.environment = json.at("environment").get<std::map<std::string, std::string>>();
    process.directory = json.at("directory").get<std::string>();
    process.readiness = {ready.at("port").get<std::uint16_t>(), ready.at("health_path").get<std::string>(),
                         ready.at("speaks_chat").get<bool>(), ready.at("model").get<std::string>(),
                         ready.at("api_key").get<std::string>()};
    process.needs = json.at("needs").get<std::vector<std::string>>();
    process.gpu_share = json.at("gpu_share").get<double>();
    process.gpu_cards = json.value("gpu_cards", std::vector<int>());
    process.cold = json.at("cold").get<bool>();
    process.idle_time = Duration(json.at("idle_us").get<std::int64_t>());
    process.ready_time = Duration(json.at("ready_us").get<std::int64_t>());
    process.stop_grace = Duration(json.at("grace_us").get<std::int64_t>());
    process.made_of = json.at("made_of").get<std::vector<std::string>>();
    process.watch = json.at("watch").get<bool>();
  } catch (const Json::exception&) {
    return fail(ErrorCode::kInvalidArgument, "what is to be started is not complete",
                "another version of the program runs: pandora down, then pandora up");
  }
  return process;
}

Json host_status_json(const HostStatus& status) {
  return {{"name", status.name},
          {"state", to_string(status.state)},
          {"pid", status.pid},
          {"since_us", status.since.micros},
          {"restarts", status.restarts},
          {"reason", status.reason},
          {"last_exit", status.last_exit},
          {"last_lines", status.last_lines},
          {"memory_bytes", status.memory_bytes},
          {"port", status.port},
          {"latency_us", status.latency ? Json(status.latency->count()) : Json()},
          {"log", status.log}};
}

Result<HostStatus> decode_host_status(const Json& json) {
  HostStatus status;
  try {
    status.name = json.at("name").get<std::string>();
    status.state = enum_named(json.at("state").get<std::string>(), HostState::kLeft).value_or(HostState::kWaiting);
    status.pid = json.at("pid").get<int>();
    status.since = {json.at("since_us").get<std::int64_t>()};
    status.restarts = json.at("restarts").get<int>();
    status.reason = json.at("reason").get<std::string>();
    status.last_exit = json.at("last_exit").get<std::string>();
    status.last_lines = json.at("last_lines").get<std::vector<std::string>>();
    status.memory_bytes = json.at("memory_bytes").get<std::uint64_t>();
    status.port = json.at("port").get<std::uint16_t>();
    if (!json.at("latency_us").is_null()) status.latency = Duration(json.at("latency_us").get<std::int64_t>());
    status.log = json.at("log").get<std::string>();
  } catch (const Json::exception&) {
    return fail(ErrorCode::kIncompatible, "the supervisor is another version of the program",
                "pandora down, then pandora up");
  }
  return status;
}

void serve_host_control(HostControl& control, LocalConnection& connection, const Clock& clock) {
  std::vector<std::unique_ptr<HostUse>> uses;  // end with the connection
  for (;;) {
    const auto frame = connection.receive(Deadline::never());
    if (!frame) return;
    const auto progress = [&](const HostEvent& event) {
      (void)connection.send(dump_json({{"event", to_json(event)}}));  // who left hears no more
    };
    const auto call = parse_json(*frame, kMaxCallBytes, "a call");
    auto answer = call && call->is_object() ? answer_call(control, *call, progress, clock, uses)
                                            : Result<Json>(fail(ErrorCode::kInvalidArgument, "it is no call"));
    const Json last = answer ? Json{{"done", *answer}} : Json{{"error", to_json(answer.error())}};
    if (!connection.send(dump_json(last))) return;
  }
}

std::vector<LeftProcess> left_host_processes(const HostPlace& place, FileSystem& files) {
  std::vector<LeftProcess> left;
  const auto all = files.list(place.directory);
  if (!all) return left;
  for (const auto& file : *all) {
    if (file.is_directory || !file.name.ends_with(kPidFile)) continue;
    const auto text = files.read_file(place.directory + "/" + file.name, kMaxPidFileBytes);
    auto decoded = text ? decode_pid_file(*text) : Result<PidFile>(fail(text.error()));
    if (decoded) left.push_back({file.name.substr(0, file.name.size() - kPidFile.size()), *std::move(decoded)});
  }
  // One that was never noted was about to be started: the last of them.
  const auto started = [](const LeftProcess& one) {
    return one.file.process.pid > 0 ? one.file.process.start_ticks : UINT64_MAX;
  };
  std::ranges::stable_sort(left, {}, started);
  return left;
}

std::vector<ProcessEntry> end_left_host_process(const HostPlace& place, const LeftProcess& left, FileSystem& files,
                                                const Clock& clock, const HostProgress& progress) {
  const auto tell = [&](const std::string& text) {
    if (progress) progress({clock.now(), left.name, HostState::kStopping, text});
  };
  const auto main = still_runs(left.file.process) ? std::optional(left.file.process) : std::nullopt;
  const auto members = members_of(read_processes(), left.file.mark, main ? main->pid : 0);
  if (!members.empty()) {
    tell(fmt::format("ends what is left from before: {}", names_of(members)));
    const EndReport report = end_processes(left.file.mark, main, kLeftGrace, clock, [] { return false; });
    if (!report.killed.empty()) tell(fmt::format("killed: {}", names_of(report.killed)));
    if (!report.survivors.empty()) return report.survivors;
  }
  (void)files.remove_file(place.pid_file(left.name));
  return {};
}

Result<std::unique_ptr<RemoteHostControl>> connect_host_supervisor(const HostPlace& place, const Clock& clock) {
  PANDORA_CHECK(connect_local(place.socket()));  // is anybody there?
  return std::make_unique<RemoteControl>(place, clock);
}

Result<std::vector<HostStatus>> host_status(const HostPlace& place, const Clock& clock, const Deadline& deadline) {
  if (auto control = connect_host_supervisor(place, clock)) {
    auto rows = (*control)->status(deadline);
    // One that ends while it is asked is as good as none.
    if (rows || rows.error().code != ErrorCode::kUnavailable) return rows;
  }
  const auto files = make_posix_file_system();
  std::vector<HostStatus> rows;
  const auto all = read_processes();
  for (const auto& left : left_host_processes(place, *files)) {
    const bool leads = still_runs(left.file.process);
    const auto members = members_of(all, left.file.mark, leads ? left.file.process.pid : 0);
    if (members.empty()) continue;
    HostStatus row;
    row.name = left.name;
    row.state = HostState::kLeft;
    row.pid = members.front().pid;
    row.reason = "no supervisor looks after it";
    row.restarts = left.file.restarts;
    row.log = place.log(left.name);
    for (const auto& member : members) row.memory_bytes += resident_bytes(member.pid);
    rows.push_back(std::move(row));
  }
  return rows;
}

Status stop_left_host_processes(const HostPlace& place, const Clock& clock, const HostProgress& progress) {
  const auto files = make_posix_file_system();
  if (!files->exists(place.directory)) return {};
  PANDORA_TRY(lock, files->lock(place.lock(), "ending what is left"));
  auto left = left_host_processes(place, *files);
  std::ranges::reverse(left);
  std::vector<ProcessEntry> survivors;
  for (const auto& one : left)
    for (auto& entry : end_left_host_process(place, one, *files, clock, progress))
      survivors.push_back(std::move(entry));
  if (survivors.empty()) return {};
  return fail(ErrorCode::kUnavailable, "cannot be killed: " + names_of(survivors),
              "they wait in the kernel, for a disk or a card; try again when that answers");
}

}  // namespace pandora
