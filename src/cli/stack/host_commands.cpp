#include "cli/stack/host_commands.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <thread>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/stack/host_plan.h"
#include "cli/stack/models_command.h"
#include "cli/stack/service_unit.h"
#include "cli/stack/stack_status_command.h"
#include "cli/terminal/output.h"
#include "cli/terminal/stop_signals.h"
#include "cli/terminal/terminal.h"
#include "host/host_control_wire.h"
#include "host/posix_process_runner.h"
#include "host/supervisor.h"
#include "net/io_threads.h"

namespace pandora {
namespace {

constexpr Duration kSupervisorStart = std::chrono::seconds(20);  // until one that was started takes calls
constexpr Duration kIdleSupervisor = std::chrono::minutes(1);    // one that is given nothing to do ends
constexpr Duration kStatusTime = std::chrono::seconds(5);
constexpr int kLookMs = 20;

// A line an event, as they come.
HostProgress printed() {
  return [](const HostEvent& event) {
    print_error(event.process.empty() ? fmt::format("{}\n", visible(event.text))
                                      : fmt::format("{} {}\n", bold(event.process, 20), visible(event.text)));
  };
}

struct Tools {
  SystemClock clock;
  SystemRandom random;
  IoThreads threads{clock};
  std::unique_ptr<HttpClient> client;
  std::unique_ptr<ProcessRunner> runner = make_posix_process_runner();
  std::unique_ptr<FileSystem> files = make_posix_file_system();
  Status open() {
    PANDORA_TRY(made, HttpClient::create({}, threads));
    client = std::move(made);
    return {};
  }
  SupervisorParts parts() { return {*runner, *client, *files, random, clock}; }
};

SupervisorSettings settings_for(const HostPlace& place, const HostContext& context, bool watch) {
  SupervisorSettings settings;
  settings.place = place;
  settings.log_writer = {"/proc/self/exe", "host", "write-log"};  // this very program, whatever lies at its path by now
  if (watch)
    settings.reload = [reload = context.reload, flags = context.flags,
                       file = context.config_file]() -> Result<std::vector<HostProcess>> {
      PANDORA_TRY(config, reload());
      return plan_host_processes(config, {flags, file, true});
    };
  return settings;
}

int print_rows(HostControl& control, const Clock& clock, bool json, const Json& beside) {
  const auto rows = control.status(Deadline::after(clock, kStatusTime));
  if (!rows) return report(rows.error());
  if (json) {
    Json all = beside;
    all["processes"] = Json::array();
    for (const auto& row : *rows) all["processes"].push_back(host_status_json(row));
    print_out(all.dump(2) + "\n");
  } else {
    print_out(render_host_rows(*rows));
  }
  flush_output();
  return 0;
}

// What those that were given up have said last.
void print_last_lines(HostControl& control, const Clock& clock) {
  const auto rows = control.status(Deadline::after(clock, kStatusTime));
  if (!rows) return;
  for (const auto& row : *rows) {
    if (row.state != HostState::kFailed || row.last_lines.empty()) continue;
    print_error(fmt::format("the log of {} ends with:\n", row.name));
    for (const auto& line : row.last_lines) print_error(fmt::format("  {}\n", visible(line)));
  }
}

// What has come must not be met again: a second one means something else.
void take_signal(int signals) {
  signalfd_siginfo info{};
  (void)!::read(signals, &info, sizeof info);
}

// Until a signal comes, or what is told by `done`. True: a signal.
bool wait_for_signal(int signals, int done) {
  std::array<pollfd, 2> watched{{{signals, POLLIN, 0}, {done, POLLIN, 0}}};
  while (::poll(watched.data(), watched.size(), -1) < 0) continue;
  if (watched[0].revents == 0) return false;
  take_signal(signals);
  return true;
}

// A supervisor in this process, from its first process to its last.
class Owner {
 public:
  Owner(Tools& tools, const HostContext& context, const HostUpOptions& options)
      : tools_(tools), context_(context), options_(options) {}

  // From then on a signal is for it. kConflict: somebody has the place; then signals do what they did before.
  Status open(const HostPlace& place) {
    sigset_t before;
    ::pthread_sigmask(SIG_BLOCK, nullptr, &before);
    const sigset_t signals = hold_stop_signals();  // before it starts its threads
    auto supervisor = Supervisor::open(settings_for(place, context_, options_.watch), tools_.parts());
    if (!supervisor) {
      ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
      return fail(supervisor.error());
    }
    signals_ = ::signalfd(-1, &signals, SFD_CLOEXEC);
    supervisor_ = *std::move(supervisor);
    return {};
  }

  // Keeps them until it is told to end.
  Status run(std::vector<HostProcess> processes, bool json) {
    PANDORA_CHECK(supervisor_->apply(std::move(processes)));
    Status settled;
    std::thread waiter([&] {
      settled = supervisor_->settle(printed(), Deadline::after(tools_.clock, std::chrono::seconds(options_.timeout_s)));
      settled_ = true;
      if (settled) {
        (void)print_rows(*supervisor_, tools_.clock, json, options_.beside);
        print_error("All are ready. Ctrl-C ends them.\n");
        tell_systemd("READY=1");
      }
      if (!settled && settled.error().code != ErrorCode::kCancelled) {
        print_last_lines(*supervisor_, tools_.clock);
        stop();
      }
    });
    const bool told = wait_for_signal(signals_, supervisor_->ended_descriptor());
    if (told) stop();
    waiter.join();
    if (!settled && settled.error().code == ErrorCode::kCancelled && told)
      return fail(ErrorCode::kCancelled, "stopped before all were ready");
    return settled ? Status() : Status(fail(settled.error()));
  }

  // The same for one that others tell what to do; it ends when it has nothing to do for too long.
  Status serve() {
    std::array<pollfd, 2> watched{{{signals_, POLLIN, 0}, {supervisor_->ended_descriptor(), POLLIN, 0}}};
    const auto patience = std::chrono::duration_cast<std::chrono::milliseconds>(kIdleSupervisor).count();
    while (::poll(watched.data(), watched.size(), static_cast<int>(patience)) == 0)
      if (!supervisor_->has_processes()) return {};
    if (watched[0].revents == 0) return {};
    take_signal(signals_);
    stop();
    return {};
  }

 private:
  // In order; a second signal meanwhile takes their grace away.
  void stop() {
    const std::lock_guard once(stop_mutex_);
    std::atomic<bool> stopped = false;
    std::thread hurry([&] {
      pollfd watched{signals_, POLLIN, 0};
      while (!stopped)
        if (::poll(&watched, 1, kLookMs) > 0) {
          supervisor_->hurry();
          return;
        }
    });
    tell_systemd("STOPPING=1");
    if (settled_) print_error("Ending; once more ends them at once.\n");
    (void)supervisor_->stop(printed());
    stopped = true;
    hurry.join();
  }

  Tools& tools_;
  const HostContext& context_;
  const HostUpOptions& options_;
  int signals_ = -1;
  std::mutex stop_mutex_;
  std::atomic<bool> settled_ = false;
  std::unique_ptr<Supervisor> supervisor_;
};

Error stopped_waiting() {
  return {ErrorCode::kCancelled, "stopped waiting; what was begun goes on",
          "`pandora host status` shows it, `pandora host down` ends it"};
}

// The one that runs, or has just been started by another command.
Result<std::unique_ptr<RemoteHostControl>> reach(const HostPlace& place, const Clock& clock) {
  const Deadline deadline = Deadline::after(clock, kSupervisorStart);
  for (;;) {
    auto control = connect_host_supervisor(place, clock);
    if (control || control.error().code != ErrorCode::kNotFound) return control;
    if (interrupted()) return fail(stopped_waiting());
    if (deadline.expired())
      return fail(ErrorCode::kUnavailable, "the supervisor does not take calls",
                  fmt::format("its log is {}", place.log("supervisor")));
    (void)::poll(nullptr, 0, kLookMs);
  }
}

Status start_supervisor(Tools& tools, const HostContext& context, const HostUpOptions& options,
                        const HostPlace& place) {
  PANDORA_CHECK(tools.files->create_directories(place.directory + "/logs"));
  Command command;
  command.arguments = {this_program(), "host", "supervise", "--data",
                       place.directory.substr(0, place.directory.rfind('/'))};
  if (!context.config_file.empty() && tools.files->exists(context.config_file))
    command.arguments.insert(command.arguments.end(),
                             {"--config", std::filesystem::absolute(context.config_file).string()});
  command.directory = context.folder;  // when it reads its settings again they are of the same instance
  const auto flags = open_flags(context.config, context.flags);
  command.arguments.insert(command.arguments.end(), flags.begin(), flags.end());
  command.environment = secret_variables(context.config);
  if (options.watch) command.arguments.emplace_back("--watch");
  PANDORA_CHECK(tools.runner->start(command, place.log("supervisor")));
  return {};
}

// By a supervisor that goes on without us.
Status join(RemoteHostControl& control, Tools& tools, std::vector<HostProcess> processes, const HostUpOptions& options,
            bool json) {
  std::atomic<bool> settles = true;
  std::thread watcher([&] {  // Ctrl-C ends the wait; only whoever counts it is still there to end it
    while (settles && !interrupted()) (void)::poll(nullptr, 0, kLookMs);
    if (settles) control.abandon();
  });
  Status settled = control.apply(std::move(processes));
  if (settled)
    settled = control.settle(printed(), Deadline::after(tools.clock, std::chrono::seconds(options.timeout_s)));
  settles = false;
  watcher.join();
  if (!settled && interrupted()) return fail(stopped_waiting());
  if (!settled) {
    print_last_lines(control, tools.clock);
    return settled;
  }
  return print_rows(control, tools.clock, json, options.beside) == 0 ? Status()
                                                                     : fail(ErrorCode::kUnavailable, "no status");
}

// What cannot fit is not begun.
Status check_card(const Config& config, Tools& tools) {
  PANDORA_TRY(plan, plan_configured_models(config, {}, *tools.runner, *tools.files, tools.clock));
  for (const auto& row : plan.rows)
    if (!row.note.empty()) print_error(fmt::format("{} {}\n", bold("model-" + row.name, 20), row.note));
  if (plan.fits()) return {};
  return fail(ErrorCode::kConflict,
              fmt::format("the model servers do not fit the card: {}", fmt::join(plan.problems, "; ")),
              "`pandora models plan` has the figures; change memory_share, the context, or the models");
}

Status up(const HostContext& context, const HostUpOptions& options, bool json) {
  PANDORA_TRY(place, host_place(context.config));
  PANDORA_TRY(processes, plan_host_processes(context.config, {context.flags, context.config_file, options.watch}));
  Tools tools;
  PANDORA_CHECK(tools.open());
  PANDORA_CHECK(check_card(context.config, tools));
  if (const auto control = connect_host_supervisor(place, tools.clock)) {
    print_error("A supervisor is there already; it goes on.\n");
    return join(**control, tools, std::move(processes), options, json);
  }
  if (options.detach) {
    PANDORA_CHECK(start_supervisor(tools, context, options, place));
    PANDORA_TRY(control, reach(place, tools.clock));
    return join(*control, tools, std::move(processes), options, json);
  }
  Owner owner(tools, context, options);
  const Status opened = owner.open(place);
  if (opened) return owner.run(std::move(processes), json);
  if (opened.error().code != ErrorCode::kConflict) return opened;
  const auto control = reach(place, tools.clock);  // another command was quicker
  if (!control) return control.error().code == ErrorCode::kCancelled ? fail(control.error()) : opened;
  return join(**control, tools, std::move(processes), options, json);
}

std::string since(Timestamp at, Timestamp now) {
  const auto seconds = std::max<std::int64_t>(0, (now.micros - at.micros) / 1'000'000);
  if (seconds < 120) return fmt::format("{} s", seconds);
  if (seconds < 7200) return fmt::format("{} min", seconds / 60);
  return seconds < 172'800 ? fmt::format("{} h", seconds / 3600) : fmt::format("{} days", seconds / 86'400);
}

int show_status(const HostContext& context, bool json) {
  const auto place = host_place(context.config);
  if (!place) return report(place.error());
  const SystemClock clock;
  const auto rows = host_status(*place, clock, Deadline::after(clock, kStatusTime));
  if (!rows) return report(rows.error());
  if (json) {
    Json all = Json::array();
    for (const auto& row : *rows) all.push_back(host_status_json(row));
    print_out(Json{{"processes", all}}.dump(2) + "\n");
  } else {
    print_out(rows->empty() ? "no process runs\n" : render_host_rows(*rows));
  }
  return std::ranges::all_of(*rows, is_well, &HostStatus::state) ? 0 : error_info(ErrorCode::kUnavailable).exit_code;
}

int restart_one(const HostContext& context, const std::string& name) {
  const auto place = host_place(context.config);
  if (!place) return report(place.error());
  const SystemClock clock;
  const auto control = connect_host_supervisor(*place, clock);
  if (!control) return report(Error(control.error()).with_remedy("pandora host up --detach"));
  const Status done = (*control)->restart(name, printed(), Deadline::never());
  return done ? 0 : report(done.error());
}

int supervise(const HostContext& context, bool watch) {
  const auto place = host_place(context.config);
  if (!place) return report(place.error());
  Tools tools;
  if (const Status opened = tools.open(); !opened) return report(opened.error());
  const HostUpOptions options{.detach = true, .watch = watch};
  Owner owner(tools, context, options);
  Status served = owner.open(*place);
  if (served) served = owner.serve();
  return served ? 0 : report(served.error());
}

}  // namespace

HostSight look_at_host(const HostContext& context, const HostUpOptions& options, bool ends) {
  HostSight sight;
  const auto look = [&]() -> Status {
    PANDORA_TRY(place, host_place(context.config));
    Tools tools;
    PANDORA_CHECK(tools.open());
    PANDORA_TRY(now, host_status(place, tools.clock, Deadline::after(tools.clock, kStatusTime)));
    std::vector<HostProcess> wanted;
    if (!ends) {
      PANDORA_TRY(planned, plan_host_processes(context.config, {context.flags, context.config_file, options.watch}));
      wanted = std::move(planned);
    }
    sight.steps = plan_host_steps(wanted, now, left_host_processes(place, *tools.files));
    return ends ? Status() : check_card(context.config, tools);
  };
  // Nothing keeps anybody from ending them.
  if (const Status looked = look(); !looked && !ends) sight.obstacles.push_back(looked.error());
  return sight;
}

int host_up(const HostContext& context, const HostUpOptions& options, bool json) {
  const Status done = up(context, options, json);
  return done ? 0 : report(done.error());
}

int host_down(const Config& config, bool json) {
  const auto place = host_place(config);
  if (!place) return report(place.error());
  const SystemClock clock;
  const auto stopped = [&]() -> Status {
    if (auto control = connect_host_supervisor(*place, clock)) return (*control)->stop(printed());
    return stop_left_host_processes(*place, clock, printed());
  }();
  if (!stopped) return report(stopped.error());
  if (json) print_out("{\"stopped\":true}\n");
  return 0;
}

std::string render_host_rows(const std::vector<HostStatus>& rows) {
  const SystemClock clock;
  std::string text;
  for (const auto& row : rows) {
    text += fmt::format("{} {:10} {:>8}  {:>7}", bold(row.name, 20), to_string(row.state),
                        row.since.micros ? since(row.since, clock.now()) : "",
                        row.latency ? fmt::format("{:.1f} ms", static_cast<double>(row.latency->count()) / 1e3) : "");
    text += row.pid ? fmt::format("  {:>7.1f} MB  pid {}", static_cast<double>(row.memory_bytes) / 1e6, row.pid) : "";
    text += row.port ? fmt::format("  port {}", row.port) : "";
    text += row.restarts ? fmt::format("  {} restarts", row.restarts) : "";
    text += row.reason.empty() ? "\n" : fmt::format("  {}\n", visible(row.reason));
    if (is_well(row.state)) continue;
    for (const auto& line : row.last_lines) text += fmt::format("    {}\n", visible(line));
  }
  return text;
}

int write_host_log(const std::vector<std::string>& arguments) {
  LogLimits limits;
  const auto number = [&](std::size_t i, auto& into) {
    const std::string& text = arguments[i];
    return std::from_chars(text.data(), text.data() + text.size(), into).ec == std::errc();
  };
  if (arguments.size() != 4 || !number(2, limits.bytes) || !number(3, limits.files))
    return report({ErrorCode::kInvalidArgument, "this is for the supervisor alone", ""});
  // Whoever ends it would lose what the process says last.
  hold_stop_signals();
  const auto files = make_posix_file_system();
  const Status kept = keep_log(arguments[0], arguments[1], limits, *files);
  return kept ? 0 : report(kept.error());
}

int print_unit(const HostContext& context) {
  const auto processes = plan_host_processes(context.config, {context.flags, context.config_file, false});
  if (!processes) return report(processes.error());
  const auto place = host_place(context.config);
  if (!place) return report(place.error());
  ServiceUnitOptions options;
  // After a boot the stores may not be there yet: of an instance they are waited for, as `up` does.
  const bool of_instance = is_stack_folder(context.folder);
  const auto data = std::ranges::find(context.config.values(), "data.path", &EffectiveValue::key);
  options.command = {this_program()};
  if (of_instance)
    options.command.insert(options.command.end(),
                           {"up", "--dir", std::filesystem::weakly_canonical(context.folder).string()});
  else
    options.command.insert(options.command.end(), {"host", "up"});
  if (!data->is_of_instance())
    options.command.insert(options.command.end(), {"--data", place->directory.substr(0, place->directory.rfind('/'))});
  const HostProcess& gateway = processes->back();  // it has what all of this program's have
  for (std::size_t i = 0; i + 1 < gateway.arguments.size(); ++i)
    if (gateway.arguments[i] == "--config" || gateway.arguments[i] == "--set")
      options.command.insert(options.command.end(), {gateway.arguments[i], gateway.arguments[i + 1]});
  for (const auto& value : context.config.values())
    if ((value.source == SettingSource::kEnvironment || value.source == SettingSource::kFlag) && value.setting->secret)
      return report({ErrorCode::kInvalidArgument,
                     fmt::format("{} is a secret, and a unit can be read by everybody", value.key),
                     fmt::format("give it by {}_FILE, or in pandora.toml", value.setting->environment)});
  options.environment = gateway.environment;
  for (const auto& value : context.config.values())
    if (value.is_of_instance()) {  // read again at each start
      options.environment.erase(std::string(value.setting->environment));
      options.environment.erase(std::string(value.setting->environment) + "_FILE");
    }
  for (const char* name : {"DOCKER_HOST", "DOCKER_CONFIG"})
    if (const char* set = std::getenv(name); set && of_instance) options.environment[name] = set;
  constexpr Duration kMore = std::chrono::seconds(30), kContainers = std::chrono::minutes(30);
  options.start_time = options.stop_time = kMore;
  if (of_instance) options.start_time += kContainers;
  for (const auto& process : *processes) {
    options.start_time += process.ready_time;
    options.stop_time += process.stop_grace;
  }
  print_out(service_unit(options));
  return 0;
}

void add_host_commands(CLI::App& app, HostCommands& to) {
  CLI::App* host = app.add_subcommand("host", "the processes of this machine: model servers, Orchestrator, Gateway");
  host->require_subcommand(1);

  const auto options = std::make_shared<HostUpOptions>();
  CLI::App* up = host->add_subcommand("up", "start them in order, and keep them running; Ctrl-C ends them");
  up->add_flag("-d,--detach", options->detach, "they go on when this command ends");
  up->add_flag("--watch", options->watch, "drain and restart one when its program or the settings file changes");
  up->add_option("--timeout", options->timeout_s, "seconds until all are ready (1800)")->check(CLI::Range(1, 86'400));
  up->callback([&to, options] {
    to.run = [options](const HostContext& context, bool json) { return host_up(context, *options, json); };
  });

  host->add_subcommand("down", "stop them in reverse order, and what a killed supervisor has left")->callback([&to] {
    to.run = [](const HostContext& context, bool json) { return host_down(context.config, json); };
  });
  host->add_subcommand("status", "each process: its state, since when, latency, memory, and why it is not ready")
      ->callback([&to] { to.run = [](const HostContext& context, bool json) { return show_status(context, json); }; });

  const auto name = std::make_shared<std::string>();
  CLI::App* restart = host->add_subcommand("restart", "drain one and start it again; also one that was given up");
  restart->add_option("name", *name, "as `pandora host status` names it")->required();
  restart->callback(
      [&to, name] { to.run = [name](const HostContext& context, bool) { return restart_one(context, *name); }; });

  host->add_subcommand("unit", "print a systemd unit that runs `host up`: for ~/.config/systemd/user/pandora.service")
      ->callback([&to] { to.run = [](const HostContext& context, bool) { return print_unit(context); }; });

  const auto watch = std::make_shared<bool>(false);
  CLI::App* supervise_command = host->add_subcommand("supervise", "what `up --detach` leaves running")->group("");
  supervise_command->add_flag("--watch", *watch, "restart what has changed");
  supervise_command->callback(
      [&to, watch] { to.run = [watch](const HostContext& context, bool) { return supervise(context, *watch); }; });

  const auto arguments = std::make_shared<std::vector<std::string>>();
  CLI::App* write_log = host->add_subcommand("write-log", "what a supervisor has its logs written by")->group("");
  write_log->add_option("arguments", *arguments, "pipe, log, bytes, files")->expected(4);
  write_log->callback([&to, arguments] { to.write_log = *arguments; });
}

}  // namespace pandora
