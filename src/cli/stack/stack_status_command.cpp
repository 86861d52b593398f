#include "cli/stack/stack_status_command.h"

#include <algorithm>
#include <future>
#include <thread>

#include <fmt/format.h>
#include <unistd.h>

#include "cli/stack/host_commands.h"
#include "cli/stack/host_plan.h"
#include "cli/stack/stack_session.h"
#include "cli/terminal/output.h"
#include "host/host_control_wire.h"
#include "stack/stack_status.h"
#include "wire/json_reader.h"

namespace pandora {
namespace {

constexpr Duration kAnswerTime = std::chrono::seconds(1);  // for whoever does not answer at once
constexpr Duration kSizesTime = std::chrono::minutes(5);
constexpr Duration kSizesAside = std::chrono::milliseconds(40);  // so long one screen waits for them
constexpr Duration kSizesMeanwhile = std::chrono::seconds(10);   // while screens follow one another
constexpr Duration kWatchTick = std::chrono::seconds(2), kTick = std::chrono::milliseconds(100);
using Sizes = std::map<std::string, std::uint64_t>;

std::string bytes_text(std::uint64_t bytes) {
  constexpr double kStep = 1024;
  double value = static_cast<double>(bytes);
  for (const char* unit : {"B", "kB", "MB", "GB"}) {
    if (value < kStep) return fmt::format("{:.{}f} {}", value, value < 10 && *unit != 'B' ? 1 : 0, unit);
    value /= kStep;
  }
  return fmt::format("{:.1f} TB", value);
}

std::string age_text(Timestamp since, Timestamp now) {
  if (since.micros == 0) return "";
  const auto seconds = std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::seconds>(now - since).count());
  if (seconds < 100) return fmt::format("{} s", seconds);
  if (seconds < 100 * 60) return fmt::format("{} min", seconds / 60);
  if (seconds < 48 * 3600) return fmt::format("{} h", seconds / 3600);
  return fmt::format("{} d", seconds / (24 * 3600));
}

std::string latency_text(const std::optional<Duration>& latency) {
  if (!latency) return "";
  return fmt::format("{:.1f} ms", std::chrono::duration<double, std::milli>(*latency).count());
}

class StatusScreen {
 public:
  StatusScreen(const StatusOptions& options, const HostPlace& place, StackSession& session, DockerEngine& engine)
      : options_(options), place_(place), session_(session), engine_(engine) {}

  Result<bool> show(bool json) {
    if (!measured_.valid()) measure();
    const auto deadline = Deadline::after(session_.clock(), kAnswerTime);
    auto asked = std::async(std::launch::async, [&] { return host_status(place_, session_.clock(), deadline); });
    PANDORA_TRY(rows, stack_status(
                          session_.folder(), engine_,
                          [&](const std::string& service) { return session_.probe_of(service); }, deadline));
    PANDORA_TRY(processes, asked.get());
    if (!options_.watch || measured_.wait_for(Duration(0)) == std::future_status::ready)
      if (auto sizes = measured_.get()) sizes_ = *std::move(sizes);
    print_out(json ? to_json(rows, processes).dump(options_.watch ? -1 : 2) + "\n" : render(rows, processes));
    flush_output();
    return std::ranges::all_of(rows,
                               [](const ServiceStatus& row) { return row.condition == ServiceCondition::kReady; }) &&
           std::ranges::all_of(processes, is_well, &HostStatus::state);
  }

 private:
  // The Engine walks through every volume for it, so the rest does not wait for that longer than a moment.
  void measure() {
    const Duration time = options_.sizes ? kSizesTime : options_.watch ? kSizesMeanwhile : kSizesAside;
    measured_ = std::async(std::launch::async,
                           [this, time] { return engine_.volume_sizes(Deadline::after(session_.clock(), time)); });
  }

  std::optional<std::uint64_t> size_of(const ServiceStatus& row) const {
    if (!sizes_ || row.volumes.empty()) return std::nullopt;
    std::uint64_t sum = 0;
    for (const auto& volume : row.volumes)
      if (const auto found = sizes_->find(volume); found != sizes_->end()) sum += found->second;
    return sum;
  }

  std::string render(const std::vector<ServiceStatus>& rows, const std::vector<HostStatus>& processes) const {
    std::string text = options_.watch && is_terminal(STDOUT_FILENO) ? "\033[H\033[J" : "";
    text += fmt::format("{} in {}\n{}\n", bold(session_.folder().name), session_.folder().directory,
                        bold(fmt::format("{:18} {:13} {:>7} {:>9} {:>8} {:>8}  {}", "service", "state", "since",
                                         "latency", "memory", "volume", "port")));
    for (const auto& row : rows) {
      const auto size = size_of(row);
      const std::string volume = row.volumes.empty() ? "" : size ? bytes_text(*size) : "…";
      text += fmt::format("{:18} {:13} {:>7} {:>9} {:>8} {:>8}  {}\n", row.service, to_string(row.condition),
                          age_text(row.since, session_.clock().now()), latency_text(row.latency),
                          row.memory_bytes ? bytes_text(*row.memory_bytes) : "", volume,
                          fmt::format("{}", fmt::join(row.ports, " ")));
      if (!row.reason.empty()) text += fmt::format("{:18} {}\n", "", visible(row.reason));
      if (row.restarts > 0) text += fmt::format("{:18} restarted {} times\n", "", row.restarts);
    }
    if (processes.empty()) return text + "no process of this machine is started: `pandora up` starts them\n";
    return text + render_host_rows(processes);
  }

  Json to_json(const std::vector<ServiceStatus>& rows, const std::vector<HostStatus>& processes) const {
    Json services = Json::array();
    for (const auto& row : rows) {
      const auto size = size_of(row);
      services.push_back({{"service", row.service},
                          {"container", row.container},
                          {"image", row.image},
                          {"state", to_string(row.condition)},
                          {"reason", row.reason},
                          {"since", row.since.micros == 0 ? Json() : Json(to_iso8601(row.since))},
                          {"restarts", row.restarts},
                          {"latency_ms", row.latency ? Json(static_cast<double>(row.latency->count()) / 1000) : Json()},
                          {"memory_bytes", row.memory_bytes ? Json(*row.memory_bytes) : Json()},
                          {"volumes", row.volumes},
                          {"volume_bytes", size ? Json(*size) : Json()},
                          {"ports", row.ports}});
    }
    Json hosted = Json::array();
    for (const auto& row : processes) hosted.push_back(host_status_json(row));
    return {{"name", session_.folder().name},
            {"directory", session_.folder().directory},
            {"services", services},
            {"processes", hosted}};
  }

  const StatusOptions& options_;
  const HostPlace& place_;
  StackSession& session_;
  DockerEngine& engine_;
  std::optional<Sizes> sizes_;
  std::future<Result<Sizes>> measured_;  // waits for its thread, so it goes first
};

}  // namespace

bool is_stack_folder(const std::string& directory) { return StackSession::open(directory, {}).has_value(); }

int show_stack_status(const StatusOptions& options, const Config& config, bool json) {
  if (options.watch) catch_interrupts();
  const auto session = StackSession::open(options.directory, {});
  if (!session) return report(session.error());
  const auto engine = (*session)->engine();
  if (!engine) return report(engine.error());
  const auto place = host_place(config);
  if (!place) return report(place.error());
  StatusScreen screen(options, *place, **session, **engine);
  for (;;) {
    const auto ready = screen.show(json);
    if (!ready && !options.watch) return report(ready.error());
    if (!ready) report(ready.error());  // it may come back
    if (!options.watch) return *ready ? 0 : error_info(ErrorCode::kUnavailable).exit_code;
    for (Duration waited{}; waited < kWatchTick; waited += kTick) {
      if (interrupted() || output_failed()) return 0;
      std::this_thread::sleep_for(kTick);
    }
  }
}

}  // namespace pandora
