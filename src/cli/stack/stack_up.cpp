#include "cli/stack/stack_up.h"

#include <algorithm>
#include <cstdlib>
#include <thread>

#include <fmt/format.h>
#include <unistd.h>

#include "cli/stack/stack_session.h"
#include "cli/storage/postgres_settings.h"
#include "cli/terminal/output.h"
#include "stack/apply.h"
#include "stack/wait.h"

namespace pandora {
namespace {

constexpr Duration kAskTime = std::chrono::seconds(10);
constexpr Duration kSizesTime = std::chrono::seconds(60);  // the Engine walks through all of them
constexpr std::uint64_t kFullDisk = 16u << 20;             // less than this is left

std::string seconds(Duration duration) {
  return fmt::format("{:.1f} s", std::chrono::duration<double>(duration).count());
}

Json to_json(const StackPlan& plan, const HostSight& host) {
  Json steps = Json::array(), processes = Json::array(), obstacles = Json::array();
  for (const auto& step : plan.steps)
    steps.push_back({{"step", to_string(step.kind)}, {"service", step.service}, {"cause", step.cause}});
  for (const auto& step : host.steps)
    processes.push_back({{"step", to_string(step.kind)}, {"process", step.process}, {"cause", step.cause}});
  for (const auto& obstacle : plan.obstacles)
    obstacles.push_back(
        {{"code", error_info(obstacle.code).name}, {"message", obstacle.message}, {"remedy", obstacle.remedy}});
  return {{"steps", steps}, {"process_steps", processes}, {"obstacles", obstacles}};
}

bool ends(Goal goal) { return goal == Goal::kDown || goal == Goal::kStop; }

// In the order of doing: who uses the stores ends before them, and begins after them.
std::string render(const StackPlan& plan, const HostSight& host, Goal goal) {
  std::string containers, processes;
  for (const auto& step : plan.steps)
    containers += fmt::format("{} {} {}\n", bold(to_string(step.kind), 9), bold(step.service, 18), step.cause);
  for (const auto& step : host.steps)
    processes += fmt::format("{} {} {}\n", bold(to_string(step.kind), 9), bold(step.process, 18), step.cause);
  const std::string text = ends(goal) ? processes + containers : containers + processes;
  return text.empty() ? "nothing to do\n" : text;
}

int report_obstacles(const std::vector<Error>& obstacles) {
  int code = 0;
  for (const auto& obstacle : obstacles) {
    const int own = report(obstacle);
    if (code == 0) code = own;
  }
  return code;
}

class StackCommand {
 public:
  StackCommand(const StackOptions& options, StackSession& session, DockerEngine& engine, StackSight sight,
               const HostSight& host)
      : options_(options),
        session_(session),
        engine_(engine),
        sight_(std::move(sight)),
        host_(host),
        plan_(plan_stack(options.goal, sight_, session.folder(), {options.services.begin(), options.services.end()})) {
    plan_.obstacles.insert(plan_.obstacles.end(), host.obstacles.begin(), host.obstacles.end());
  }

  // `shown`: of whoever does something after it, and shows its result with its own; null: it is the command's.
  int run(bool json, Json* shown) {
    if (options_.dry_run) return show_plan(json);
    if (!plan_.obstacles.empty()) return report_obstacles(plan_.obstacles);
    std::optional<GivenUp> given_up;
    std::vector<AwaitedService> ready;
    {
      ProgressObserver progress;
      progress.keep(
          fmt::format("{} with {}, Engine {}", session_.folder().name, sight_.compose.name(), sight_.engine.version));
      tell_plan(progress);
      given_up = apply(progress);
      if (!given_up && starts()) given_up = wait(progress, ready);
    }
    if (given_up) return fail_with(*given_up);
    if (!shown) {
      finish(ready, json);
      return 0;
    }
    print_error(said_of(ready));
    *shown = result(ready);
    return 0;
  }

 private:
  bool starts() const {
    return options_.goal == Goal::kUp || options_.goal == Goal::kRestart || options_.goal == Goal::kRecreate;
  }

  int show_plan(bool json) const {
    if (json) {
      print_out(plan_json().dump(2) + "\n");
    } else {
      print_out(render(plan_, host_, options_.goal));
    }
    return report_obstacles(plan_.obstacles);
  }

  void tell_plan(ProgressObserver& progress) const {
    for (const auto& step : plan_.steps)
      if (step.kind != StepKind::kKeep)
        progress.keep(fmt::format("  {:9} {:18} {}", to_string(step.kind), step.service, step.cause));
  }

  std::optional<GivenUp> apply(ProgressObserver& progress) {
    const ApplyTools tools{.compose = sight_.compose,
                           .compose_files = sight_.compose_files,
                           .log = join_path(session_.folder().state_directory(), "compose.log"),
                           .files = session_.files(),
                           .runner = session_.runner(),
                           .clock = session_.clock()};
    const ApplyHooks hooks{.doing = [&](const std::string& line) { progress.show(line); },
                           .waiting = [&](const std::string& line) { progress.show(line); },
                           .cancelled = interrupted};
    const auto applied = apply_plan(plan_, options_.goal, options_.services.empty(), tools, hooks);
    if (applied) return std::nullopt;
    return GivenUp{applied.error().error, "", "", applied.error().said};
  }

  std::optional<GivenUp> wait(ProgressObserver& progress, std::vector<AwaitedService>& ready) {
    const auto containers = engine_.containers(Deadline::after(session_.clock(), kAskTime));
    if (!containers) return GivenUp{containers.error(), "", "", {}};
    std::vector<Awaited> awaited;
    for (const auto& step : plan_.steps) {
      if (step.kind == StepKind::kPull) continue;
      const auto found = std::ranges::find_if(*containers, [&](const Container& container) {
        return container.project == session_.folder().name && container.service == step.service;
      });
      if (found == containers->end())
        return GivenUp{{ErrorCode::kUnavailable, fmt::format("{} has no container after all", step.service),
                        "run the command again"},
                       step.service,
                       "",
                       {}};
      const Duration patience = options_.timeout_seconds ? std::chrono::seconds(*options_.timeout_seconds)
                                                         : sight_.find(step.service)->patience;
      awaited.push_back({step.service, found->id, patience, session_.probe_of(step.service)});
    }
    const WaitHooks hooks{
        .ready =
            [&](const AwaitedService& service) {
              progress.keep(fmt::format("  {:9} {:18} {}", "ready", service.service, seconds(service.ready_after)));
            },
        .waiting = [&](const std::string& line) { progress.show(line); },
        .cancelled = interrupted,
        .pause = [](Duration pause) { std::this_thread::sleep_for(pause); },
        .data_bytes = data_of(progress)};
    auto waited = wait_until_ready(awaited, engine_, session_.clock(), hooks);
    if (!waited) return waited.error();
    ready = *std::move(waited);
    return std::nullopt;
  }

  // Whoever says how long it may take means that.
  std::function<std::uint64_t(const std::string&)> data_of(ProgressObserver& progress) {
    if (options_.timeout_seconds) return {};
    return [this, &progress](const std::string& service) {
      progress.show(fmt::format("looking how much data {} has", service));
      const auto sizes = engine_.volume_sizes(Deadline::after(session_.clock(), kSizesTime));
      std::uint64_t sum = 0;
      for (const auto& volume : sight_.find(service)->volumes)
        if (sizes && sizes->contains(volume)) sum += sizes->at(volume);
      return sum;
    };
  }

  // What is known, in the order in which one wants to read it; then the error itself, last.
  int fail_with(const GivenUp& given_up) {
    Error error = given_up.error;
    if (!given_up.answer.empty())
      print_error(fmt::format("{} last said: {}\n", given_up.service, visible(given_up.answer)));
    if (!given_up.lines.empty())
      print_error(given_up.service.empty() ? fmt::format("{} said:\n", sight_.compose.name())
                                           : fmt::format("the log of {} ends with:\n", given_up.service));
    for (const auto& line : given_up.lines) print_error(fmt::format("  {}\n", visible(line)));
    tell_what_is_left();
    if (error.code != ErrorCode::kCancelled && disk_is_full())
      error = {ErrorCode::kStorageFull, fmt::format("the disk of Docker is full: {}", error.message),
               "make room there, then run the command again"};
    return report(error);
  }

  void tell_what_is_left() {
    const auto containers = engine_.containers(Deadline::after(session_.clock(), kAskTime));
    if (!containers) return print_error("what runs now cannot be said: the Docker Engine does not answer\n");
    std::string left;
    for (const auto& container : *containers)
      if (container.project == session_.folder().name)
        left += fmt::format("{}{} {}", left.empty() ? "" : ", ", container.service, container.state);
    print_error(fmt::format("left as it is: {}\n", left.empty() ? "no container" : left));
  }

  bool disk_is_full() {
    const auto where = engine_.data_directory(Deadline::after(session_.clock(), kAskTime));
    const auto free = where ? session_.files().free_bytes(*where) : Result<std::uint64_t>(kFullDisk);
    return free && *free < kFullDisk;
  }

  std::string said_of(const std::vector<AwaitedService>& ready) const {
    return fmt::format("{} is ready: {} {}\n", session_.folder().name, ready.size(),
                       ready.size() == 1 ? "service" : "services");
  }

  Json plan_json() const {
    Json shown = to_json(plan_, host_);
    shown["compose"] = sight_.compose.name();
    shown["engine"] = sight_.engine.version;
    return shown;
  }

  Json result(const std::vector<AwaitedService>& ready) const {
    Json shown = plan_json();
    shown["ready"] = Json::array();
    for (const auto& service : ready)
      shown["ready"].push_back(
          {{"service", service.service}, {"seconds", std::chrono::duration<double>(service.ready_after).count()}});
    return shown;
  }

  void finish(const std::vector<AwaitedService>& ready, bool json) const {
    if (json) return print_out(result(ready).dump(2) + "\n");
    if (starts()) return print_out(said_of(ready));
    const auto count =
        std::ranges::count_if(plan_.steps, [](const Step& step) { return step.kind != StepKind::kKeep; });
    print_out(fmt::format("{}: {} {}\n", session_.folder().name, count,
                          options_.goal == Goal::kStop ? "stopped" : "removed; the volumes stay"));
  }

  const StackOptions& options_;
  StackSession& session_;
  DockerEngine& engine_;
  const StackSight sight_;
  const HostSight& host_;
  StackPlan plan_;
};

// Nothing of it is left when it returns: no lock that would keep others from `down`, and no thread that would be given
// the signals that end the processes of this machine.
int run_containers(const StackOptions& options, const HostSight& host, bool json, Json* shown) {
  catch_interrupts();
  const auto session = StackSession::open(options.directory, options.profiles);
  if (!session) return report(session.error());
  if (!options.dry_run)
    if (const Status held = (*session)->hold(options.command); !held) return report(held.error());
  const auto engine = (*session)->engine();
  if (!engine) return report(engine.error());
  auto sight = (*session)->look();
  if (!sight) return report(sight.error());
  return StackCommand(options, **session, **engine, *std::move(sight), host).run(json, shown);
}

// The schema of an instance's own PostgreSQL is made with it. One that is there is its owner's to migrate.
Status make_schema(const Config& config) {
  const auto rows = std::ranges::find(config.values(), "rows.store", &EffectiveValue::key);
  PANDORA_TRY(served, rows_are_served(config));
  if (!served || !rows->is_of_instance() || !config.string("postgres.url").empty()) return {};
  const SystemClock clock;
  PANDORA_TRY(made, make_first_schema(config, clock, [](const std::string& holder) {
                print_error(fmt::format("waiting for another migration: {}\n", holder));
              }));
  if (made > 0) print_error(fmt::format("postgres has its schema now: {} versions\n", made));
  return {};
}

}  // namespace

int run_stack(const StackOptions& options, const HostContext& context, bool json) {
  const bool both =
      !options.containers_only && options.services.empty() && (options.goal == Goal::kUp || ends(options.goal));
  const HostSight host = both ? look_at_host(context, options.host, ends(options.goal)) : HostSight();
  if (options.dry_run) return run_containers(options, host, json, nullptr);
  // Whoever uses the stores ends before them, and begins after them.
  if (both && ends(options.goal))
    if (const int code = host_down(context.config, false); code != 0) return code;
  if (!both || options.goal != Goal::kUp) return run_containers(options, host, json, nullptr);
  HostUpOptions after = options.host;
  if (const int code = run_containers(options, host, json, &after.beside); code != 0) return code;
  if (const Status made = make_schema(context.config); !made) return report(made.error());
  return host_up(context, after, json);
}

int show_logs(const LogOptions& options) {
  constexpr Duration kFindTime = std::chrono::seconds(60);
  const auto session = StackSession::open(options.directory, {"*"});
  if (!session) return report(session.error());
  const auto compose = find_compose((*session)->runner(), Deadline::after((*session)->clock(), kFindTime));
  if (!compose) return report(compose.error());
  std::vector<std::string> words{"logs"};
  if (!is_terminal(STDOUT_FILENO)) words.push_back("--no-color");
  if (options.follow) words.push_back("--follow");
  if (options.tail) words.push_back(fmt::format("--tail={}", *options.tail));
  words.insert(words.end(), options.services.begin(), options.services.end());
  ComposeFiles files = (*session)->folder().compose_files();
  files.profiles.clear();
  for (const auto& service : stack_services())
    if (!service.profile.empty()) files.profiles.insert(std::string(service.profile));
  Command command = compose_command(*compose, files, words);
  std::vector<char*> arguments;
  for (auto& argument : command.arguments) arguments.push_back(argument.data());
  arguments.push_back(nullptr);
  for (const auto& [name, value] : command.environment) ::setenv(name.c_str(), value.c_str(), 1);
  flush_output();
  if (::chdir(command.directory.c_str()) == 0) ::execvp(arguments[0], arguments.data());
  return report({ErrorCode::kUnavailable, fmt::format("{} could not be run", compose->name()), ""});
}

}  // namespace pandora
