#include "cli/stack_commands.h"

#include <memory>

#include <CLI/CLI.hpp>

#include "cli/init.h"
#include "cli/lint.h"

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
  init->add_flag("-y,--yes", options->yes, "replace files without asking");
  init->callback([&to, options] { to.run = [options](bool json) { return init_instance(*options, json); }; });
}

void add_lint(CLI::App& app, StackInvocation& to) {
  CLI::App* lint = app.add_subcommand("lint", "what is wrong with a stack's files although their schema is right");
  const auto options = std::make_shared<LintOptions>();
  lint->add_option("files", options->files,
                   "Compose files in the order of merging, .env, shell, SQL; or a folder (the present one)");
  lint->add_flag("--without-compose", options->without_compose, "merge here, although there may be a Compose");
  lint->callback([&to, options] { to.run = [options](bool json) { return lint_files(*options, json); }; });
}

}  // namespace

void add_stack_commands(CLI::App& app, StackInvocation& to) {
  add_init(app, to);
  add_lint(app, to);
}

}  // namespace pandora
