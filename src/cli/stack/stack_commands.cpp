#include "cli/stack/stack_commands.h"

#include <memory>

#include <CLI/CLI.hpp>

#include "cli/stack/init.h"
#include "cli/stack/lint.h"
#include "cli/stack/secrets_command.h"
#include "cli/stack/stack_up.h"
#include "cli/stack/volumes_command.h"

namespace pandora {
namespace {

void add_init(CLI::App& app, StackInvocation& to) {
  CLI::App* init = app.add_subcommand("init", "write the Compose files and the secrets of an instance");
  const auto options = std::make_shared<InitOptions>();
  init->add_option("--name", options->name, "of the instance: its containers and volumes carry it (pandora)");
  init->add_option("--dir", options->directory, "where the files go (the present directory)");
  init->add_option("--secrets", options->secrets,
                   "where the passwords go, outside of that (~/.config/pandora/secrets/NAME)");
  auto* production = init->add_flag("--production", options->production, "limits, read-only roots, no capabilities");
  init->add_flag("--development", options->development, "without those; the default")->excludes(production);
  init->add_option("--adopt", options->adopt, "take over the volumes of this Compose project; nothing is copied");
  init->add_flag("-y,--yes", options->yes, "replace files without asking");
  init->callback([&to, options] {
    to.run = [options](const HostContext& context, bool json) {
      const auto data = context.flags.find("data.path");
      if (data != context.flags.end()) options->data = data->second;
      return init_instance(*options, json);
    };
  });
}

void add_lint(CLI::App& app, StackInvocation& to) {
  CLI::App* lint = app.add_subcommand("lint", "what is wrong with a stack's files although their schema is right");
  const auto options = std::make_shared<LintOptions>();
  lint->add_option("files", options->files,
                   "Compose files in the order of merging, .env, shell, SQL; or a folder (the present one)");
  lint->add_flag("--without-compose", options->without_compose, "merge here, although there may be a Compose");
  lint->callback(
      [&to, options] { to.run = [options](const HostContext&, bool json) { return lint_files(*options, json); }; });
}

std::shared_ptr<StackOptions> add_goal(CLI::App& app, StackInvocation& to, Goal goal, const char* name,
                                       const char* help, bool must_name = false) {
  CLI::App* command = app.add_subcommand(name, help);
  const auto options = std::make_shared<StackOptions>();
  options->goal = goal;
  options->command = name;
  auto* services = command->add_option("services", options->services, "these alone");
  if (must_name) services->required();
  command->add_option("--dir", options->directory, "the instance's folder (the present directory)");
  command->add_flag("--dry-run", options->dry_run, "print what would be done, each step with its cause");
  if (goal == Goal::kUp || goal == Goal::kRestart || goal == Goal::kRecreate)
    command->add_option("--timeout", options->timeout_seconds, "seconds for each service (what its check allows)")
        ->check(CLI::Range(1, 24 * 3600));
  if (goal == Goal::kUp || goal == Goal::kDown || goal == Goal::kStop)
    command->add_flag("--containers", options->containers_only, "leave the processes of this machine alone");
  if (goal == Goal::kUp) {
    command->add_flag("-d,--detach", options->host.detach,
                      "the processes of this machine go on when this command ends");
    command->add_flag("--watch", options->host.watch,
                      "restart one of them when its program or the settings file changes");
  }
  if (goal == Goal::kUp)
    command->add_option("--profile", options->profiles, "also these services: cache, objects, monitoring");
  command->callback([&to, options] {
    to.folder = options->directory;
    to.run = [options](const HostContext& context, bool json) { return run_stack(*options, context, json); };
  });
  return options;
}

void add_down(CLI::App& app, StackInvocation& to) {
  const auto options =
      add_goal(app, to, Goal::kDown, "down", "stop all of it, in reverse, and remove the containers; volumes stay");
  CLI::App* down = app.get_subcommand("down");
  const auto reset = std::make_shared<ResetOptions>();
  const auto volumes = std::make_shared<bool>(false);
  auto* flag = down->add_flag("--volumes", *volumes, "set its volumes aside as well, as `pandora reset` does");
  down->add_option("-y,--yes", reset->consent.name, "the name of the instance, in place of being asked for it")
      ->needs(flag);
  down->add_flag("--no-backup", reset->consent.no_backup, "there is no verified backup, and none is wanted")
      ->needs(flag);
  flag->excludes(down->get_option("services"))
      ->excludes(down->get_option("--dry-run"))
      ->excludes(down->get_option("--containers"));
  down->callback([&to, options, reset, volumes] {
    to.folder = reset->directory = options->directory;
    to.run = [=](const HostContext& context, bool json) {
      return *volumes ? reset_instance(*reset, "down", context, json) : run_stack(*options, context, json);
    };
  });
}

void add_logs(CLI::App& app, StackInvocation& to) {
  CLI::App* logs = app.add_subcommand("logs", "what the containers of the stack have written");
  const auto options = std::make_shared<LogOptions>();
  logs->add_option("services", options->services, "these alone");
  logs->add_option("--dir", options->directory, "the instance's folder (the present directory)");
  logs->add_flag("-f,--follow", options->follow, "and what they write from now on");
  logs->add_option("--tail", options->tail, "so many lines of each")->check(CLI::Range(0, 1'000'000));
  logs->callback([&to, options] { to.run = [options](const HostContext&, bool) { return show_logs(*options); }; });
}

void add_status(CLI::App& app, StackInvocation& to) {
  CLI::App* status = app.get_subcommand("status");
  status->add_option("--dir", to.status.directory, "of the stack: the instance's folder (the present directory)");
  status->add_flag("--watch", to.status.watch, "of the stack: again every two seconds, until Ctrl-C");
  status->add_flag("--sizes", to.status.sizes, "of the stack: wait for the sizes of all volumes");
}

}  // namespace

void add_stack_commands(CLI::App& app, StackInvocation& to) {
  add_init(app, to);
  add_goal(app, to, Goal::kUp, "up",
           "start the stack, in order, until it is ready: containers, then the processes of this machine");
  add_down(app, to);
  add_goal(app, to, Goal::kStop, "stop", "stop all of it, in reverse");
  add_goal(app, to, Goal::kRestart, "restart", "restart its containers, and wait until they are ready");
  add_goal(app, to, Goal::kRecreate, "recreate", "make containers of services anew, and wait until they are ready",
           true);
  add_logs(app, to);
  add_status(app, to);
  add_lint(app, to);
  add_secrets_commands(app, to);
  add_volumes_commands(app, to);
}

}  // namespace pandora
