#include "cli/program.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/hash.h"
#include "base/log.h"
#include "cli/chat.h"
#include "cli/commands.h"
#include "cli/completion.h"
#include "cli/doctor.h"
#include "cli/evaluate.h"
#include "cli/installation.h"
#include "cli/render.h"
#include "cli/terminal.h"

namespace pandora {
namespace {

constexpr std::size_t kImportBatch = 100;  // lines a call: progress, and Ctrl-C, come in between
constexpr const char* kFooter =
    "Examples:\n"
    "  pandora chat                                   talk; what you say is remembered\n"
    "  echo 'I live in Lisbon.' | pandora chat        say one thing over a pipe\n"
    "  pandora turns search where do I live           find it again\n"
    "  pandora doctor                                 what is wrong, and the remedy\n"
    "Exit codes: 0 good, 2 wrong use, 3 not there, 4 conflict, 5 not allowed, 6 too large, 8 not available, 9 too late,\n"
    "10 disk full, 11 data damaged, 12 other version, 130 cancelled (docs/errors.md).";

int report(const Error& error) {
  fmt::print(stderr, "pandora: {}\n", error.to_line());
  return error_info(error.code).exit_code;
}

struct GlobalOptions {
  std::map<std::string, std::string> settings;  // key → value, from flags
  std::string config_file;
  bool json = false;
};

Result<Config> load_config(const GlobalOptions& options) {
  ConfigInputs inputs;
  inputs.flags = options.settings;
  inputs.environment = [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value ? std::optional<std::string>(value) : std::nullopt;
  };
  inputs.file = options.config_file.empty() ? config_file_path() : options.config_file;
  inputs.file_required = !options.config_file.empty();
  return Config::load(inputs, *make_posix_file_system());
}

Status start_log(const Config& config) {
  PANDORA_TRY(level, parse_log_level(config.string("log.level")));
  const std::string& format = config.string("log.format");
  if (format != "text" && format != "json") return fail(ErrorCode::kInvalidArgument, fmt::format("log.format is \"{}\"", format), "use text or json");
  set_log(level, format == "json" ? LogFormat::kJson : LogFormat::kText);
  return {};
}

int show_config(const Config& config, bool json) {
  Json values = Json::object();
  for (const auto& value : config.values()) {
    const bool hidden = value.setting->secret && !value.value.empty();
    const std::string shown = hidden ? "***" : value.value;
    values[std::string(value.setting->key)] = {{"value", shown}, {"source", to_string(value.source)}, {"origin", value.origin}, {"environment", value.setting->environment}};
    if (!json)
      fmt::print("{:28} {:32} {}{}\n", bold(value.setting->key), shown.empty() ? "(none)" : shown, to_string(value.source),
                 value.origin.empty() || value.origin == to_string(value.source) ? "" : fmt::format(" ({})", value.origin));
  }
  if (json) fmt::print("{}\n", values.dump(2));
  return 0;
}

// What was just said in another process must be findable before it is looked for.
void catch_up(Service& service, const UserId& user) {
  NoObserver nobody;
  const SystemClock clock;
  const auto drained = service.call({"drain", user, "{}"}, nobody, Deadline::after(clock, std::chrono::seconds(5)));
  if (!drained) fmt::print(stderr, "pandora: the latest turns may be missing: {}\n", drained.error().message);
}

// An answer that says that something is not as it should be.
int answer_code(const std::string& operation, const Json& result) {
  const bool unclean = operation == "forget.verify" && !result.value("clean", true);
  const std::string replayed = operation == "recalls.replay" ? result.value("verdict", "") : "";
  if (unclean || replayed == "differs") return error_info(ErrorCode::kConflict).exit_code;
  return replayed == "other formula" ? error_info(ErrorCode::kIncompatible).exit_code : 0;
}

int invoke(const Config& config, const UserId& user, const Invocation& invocation, bool json) {
  if (!invocation.question.empty())
    if (const Status sure = confirm(invocation.question, invocation.yes); !sure) return report(sure.error());
  auto installation = Installation::open(config);
  if (!installation) return report(installation.error());
  Service& service = (*installation)->service();
  if (invocation.catch_up) catch_up(service, user);
  catch_interrupts();
  Result<std::string> answer = std::string();
  {
    ProgressObserver progress;
    answer = service.call({invocation.operation, user, dump_json(invocation.arguments)}, progress, Deadline::never());
  }
  if (!answer) return report(answer.error());
  const Json result = Json::parse(*answer, nullptr, false);
  fmt::print("{}", json ? result.dump(2) + "\n" : render_result(invocation.operation, result));
  return answer_code(invocation.operation, result);
}

int import_turns(const Config& config, const UserId& user, const std::string& path, bool json) {
  std::ifstream file;
  if (path != "-") file.open(path, std::ios::binary);
  std::istream& in = path == "-" ? std::cin : file;
  if (!in) return report({ErrorCode::kNotFound, "cannot read " + path, "name a file of JSON lines, or - for standard input"});
  auto installation = Installation::open(config);
  if (!installation) return report(installation.error());
  Service& service = (*installation)->service();
  catch_interrupts();
  ProgressObserver progress;
  std::int64_t imported = 0, known = 0, number = 0;
  Json errors = Json::array();
  std::vector<std::string> batch;
  const auto flush = [&]() -> Status {
    if (batch.empty()) return {};
    const Json arguments = {{"lines", batch}, {"first_line", number - static_cast<std::int64_t>(batch.size()) + 1}};
    PANDORA_TRY(answer, service.call({"import.turns", user, dump_json(arguments)}, progress, Deadline::never()));
    const Json result = Json::parse(answer, nullptr, false);
    imported += result.value("imported", 0);
    known += result.value("known", 0);
    for (const auto& error : result["errors"]) errors.push_back(error);
    progress.event(dump_json({{"progress", {{"what", "imported"}, {"done", number}, {"of", 0}}}}));
    batch.clear();
    return {};
  };
  std::string line;
  while (std::getline(in, line)) {
    ++number;
    batch.push_back(line);
    if (batch.size() == kImportBatch)
      if (const Status flushed = flush(); !flushed) return report(Error(flushed.error()).with_context(fmt::format("near line {}", number)).with_remedy("run it again: what is known is skipped"));
  }
  if (const Status flushed = flush(); !flushed) return report(Error(flushed.error()).with_remedy("run it again: what is known is skipped"));
  catch_up(service, user);
  if (json) fmt::print("{}\n", Json{{"imported", imported}, {"known", known}, {"errors", errors}}.dump(2));
  else fmt::print("{} turns imported, {} known already, {} lines refused\n", imported, known, errors.size());
  for (const auto& error : errors) fmt::print(stderr, "pandora: line {}: {}\n", error.value("line", 0), error.value("error", ""));
  return errors.empty() ? 0 : error_info(ErrorCode::kInvalidArgument).exit_code;
}

int export_turns(const Config& config, const UserId& user) {
  auto installation = Installation::open(config);
  if (!installation) return report(installation.error());
  catch_interrupts();
  ProgressObserver progress;
  std::int64_t after = 0;
  for (bool end = false; !end;) {
    const auto page = (*installation)->service().call({"export.turns", user, dump_json({{"after", after}})}, progress, Deadline::never());
    if (!page) return report(page.error());
    const Json result = Json::parse(*page, nullptr, false);
    for (const auto& line : result["lines"]) fmt::print("{}\n", line.get<std::string>());
    if (std::ferror(stdout) != 0 || interrupted()) return error_info(ErrorCode::kCancelled).exit_code;
    after = result.value("after", after);
    end = result.value("end", true);
  }
  return 0;
}

CompletionTable completion_table(const CLI::App& app) {
  CompletionTable table;
  const auto words_of = [](const CLI::App& one) {
    std::vector<std::string> words;
    for (const auto* child : one.get_subcommands([](const CLI::App*) { return true; })) words.push_back(child->get_name());
    for (const auto* option : one.get_options())
      for (const auto& name : option->get_lnames()) words.push_back("--" + name);
    return words;
  };
  table[""] = words_of(app);
  for (const auto* child : app.get_subcommands([](const CLI::App*) { return true; })) {
    table[child->get_name()] = words_of(*child);
    for (const auto* grandchild : child->get_subcommands([](const CLI::App*) { return true; }))
      table[child->get_name() + " " + grandchild->get_name()] = words_of(*grandchild);
  }
  return table;
}

void add_global_options(CLI::App& app, GlobalOptions& options) {
  const auto setting = [&](const char* flag, const char* key, const char* help) {
    app.add_option_function<std::string>(flag, [&options, key](const std::string& value) { options.settings[key] = value; }, help);
  };
  setting("--user", "user.name", "whose memory (PANDORA_USER; me)");
  setting("--session", "session.name", "which conversation (PANDORA_SESSION; default)");
  setting("--data", "data.path", "data directory (PANDORA_DATA)");
  setting("--log-level", "log.level", "debug, info, warn or error");
  setting("--log-format", "log.format", "text or json");
  app.add_option("--config", options.config_file, "settings file (PANDORA_CONFIG; ~/.config/pandora/pandora.toml)");
  app.add_option_function<std::vector<std::string>>(
      "--set", [&options](const std::vector<std::string>& pairs) {
        for (const auto& pair : pairs) {
          const auto equals = pair.find('=');
          if (equals == std::string::npos) throw CLI::ValidationError("--set", "write it as key=value");
          options.settings[pair.substr(0, equals)] = pair.substr(equals + 1);
        }
      }, "any setting, as key=value; may be repeated");
  app.add_flag("--json", options.json, "results as JSON");
}

}  // namespace

int run_program(int argc, char** argv) {
  CLI::App app("pandora: an assistant whose memory its owner can trust", "pandora");
  app.set_version_flag("--version", "pandora 0.1.0");
  app.require_subcommand(1);
  app.fallthrough();  // the options above stand before or after a command
  app.footer(kFooter);
  GlobalOptions options;
  Invocation invocation;
  add_global_options(app, options);

  CLI::App* chat = app.add_subcommand("chat", "talk; over a pipe one message a line, replies on stdout");
  add_commands(app, invocation);
  CLI::App* import = app.add_subcommand("import", "bring in what was said elsewhere")->require_subcommand(1)->add_subcommand("turns", "from a file of JSON lines; run again after an interruption");
  std::string import_file;
  import->add_option("file", import_file, "one JSON object a line: session, text (or message and reply), speaker?, role?, at?; - for standard input")->required();
  CLI::App* export_command = app.add_subcommand("export", "every turn as JSON lines on stdout");
  EvalOptions eval;
  add_eval_command(app, eval);
  CLI::App* doctor = app.add_subcommand("doctor", "what is wrong with this installation, and the remedy");
  CLI::App* config_command = app.add_subcommand("config", "every setting, its value, and where it came from");
  CLI::App* completion = app.add_subcommand("completion", "a completion script for your shell");
  std::string shell;
  completion->add_option("shell", shell, "bash, zsh or fish")->required();

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    app.exit(error, std::cerr, std::cerr);
    return error_info(ErrorCode::kInvalidArgument).exit_code;
  }

  auto config = load_config(options);
  if (!config) return report(config.error());
  if (const Status started = start_log(*config); !started) return report(started.error());
  if (eval.locomo->parsed()) {
    const auto config_in = [&](const std::string& data) {
      GlobalOptions elsewhere = options;
      elsewhere.settings["data.path"] = data;
      return load_config(elsewhere);
    };
    return evaluate(eval, config_in, options.json);
  }
  if (config_command->parsed()) return show_config(*config, options.json);
  if (completion->parsed()) {
    const auto script = completion_script(shell, completion_table(app));
    if (!script) return report(script.error());
    fmt::print("{}", *script);
    return 0;
  }
  const auto user = UserId::parse(config->string("user.name"));
  if (!user) return report(user.error());
  const auto session = SessionId::parse(config->string("session.name"));
  if (!session) return report(session.error());

  if (doctor->parsed()) {
    const auto results = examine(*config, *user);
    fmt::print("{}", options.json ? to_json(results).dump(2) + "\n" : render_checks(results));
    return exit_code_of(results);
  }
  if (import->parsed()) return import_turns(*config, *user, import_file, options.json);
  if (export_command->parsed()) return export_turns(*config, *user);
  if (chat->parsed()) {
    auto installation = Installation::open(*config);
    if (!installation) return report(installation.error());
    return run_chat((*installation)->service(), {*user, *session, config->integer("limits.message_bytes"), options.json ? ChatFormat::kJson : ChatFormat::kText});
  }
  return invoke(*config, *user, invocation, options.json);
}

}  // namespace pandora
