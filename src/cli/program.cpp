#include "cli/program.h"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <new>
#include <sstream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"
#include "cli/catch_up.h"
#include "cli/commands/chat.h"
#include "cli/commands/commands.h"
#include "cli/commands/completion.h"
#include "cli/commands/db_command.h"
#include "cli/commands/doctor.h"
#include "cli/commands/evaluate.h"
#include "cli/commands/mcp_command.h"
#include "cli/commands/move_command.h"
#include "cli/commands/serve.h"
#include "cli/commands/sqlite_command.h"
#include "cli/commands/transfer.h"
#include "cli/commands/usage.h"
#include "cli/commands/vectors_command.h"
#include "cli/installation.h"
#include "cli/stack/host_commands.h"
#include "cli/stack/instance_settings.h"
#include "cli/stack/models_command.h"
#include "cli/stack/stack_commands.h"
#include "cli/storage/check_servers.h"
#include "cli/terminal/output.h"
#include "cli/terminal/render.h"
#include "cli/terminal/terminal.h"

namespace pandora {
namespace {

struct GlobalOptions {
  std::map<std::string, std::string> settings;  // key → value, from flags
  std::string config_file;
  bool json = false;
};

// A settings file that is named must be there; the usual one need not.
std::optional<std::string> named_config_file(const GlobalOptions& options) {
  if (!options.config_file.empty()) return options.config_file;
  const char* named = std::getenv("PANDORA_CONFIG");
  return named && *named ? std::optional<std::string>(named) : std::nullopt;
}

// `folder`: of an instance, when one is there.
Result<Config> load_config(const GlobalOptions& options, const std::string& folder) {
  const auto files = make_posix_file_system();
  ConfigInputs inputs;
  inputs.flags = options.settings;
  inputs.environment = [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value ? std::optional<std::string>(value) : std::nullopt;
  };
  const auto named_data = options.settings.find("data.path");
  inputs.instance = instance_variables(
      *files, folder,
      named_data != options.settings.end() ? std::optional(named_data->second) : inputs.environment("PANDORA_DATA"));
  const auto named = named_config_file(options);
  inputs.file = named.value_or(config_file_path());
  inputs.file_required = named.has_value();
  return Config::load(inputs, *files);
}

Status start_log(const Config& config) {
  PANDORA_TRY(level, parse_log_level(config.string("log.level")));
  const std::string& format = config.string("log.format");
  if (format != "text" && format != "json")
    return fail(ErrorCode::kInvalidArgument, fmt::format("log.format is \"{}\"", format), "use text or json");
  set_log(level, format == "json" ? LogFormat::kJson : LogFormat::kText);
  return {};
}

int show_config(const Config& config, bool json) {
  Json values = Json::object();
  for (const auto& value : config.values()) {
    const bool hidden = value.setting->secret && !value.value.empty();
    const std::string shown = hidden ? "***" : mask_secrets(value.value);
    values[value.key] = {{"value", shown},
                         {"source", to_string(value.source)},
                         {"origin", value.origin},
                         {"environment", value.setting->environment}};
    if (!json)
      print_out(fmt::format(
          "{} {:32} {}{}\n", bold(value.key, 28), shown.empty() ? "(none)" : shown, to_string(value.source),
          value.origin.empty() || value.origin == to_string(value.source) ? "" : fmt::format(" ({})", value.origin)));
  }
  if (json) print_out(values.dump(2) + "\n");
  return 0;
}

// What is about to be destroyed, as a question; an error when it does not exist.
Result<std::string> question_about(Service& service, const UserId& user, const Invocation& invocation) {
  NoObserver nobody;
  const bool is_turn = invocation.operation == "turns.forget";
  PANDORA_TRY(answer, service.call({is_turn ? "turns.show" : "memory.show", user, dump_json(invocation.arguments)},
                                   nobody, Deadline::never()));
  return fmt::format("{}{}",
                     render_result(is_turn ? "turns.preview" : "memory.show", Json::parse(answer, nullptr, false)),
                     invocation.question);
}

// An answer that says that something is not as it should be.
int answer_code(const std::string& operation, const Json& result) {
  const bool unclean = operation == "forget.verify" && !result.value("clean", true);
  const std::string replayed = operation == "recalls.replay" ? result.value("verdict", "") : "";
  if (unclean || replayed == "differs") return error_info(ErrorCode::kConflict).exit_code;
  return replayed == "other formula" ? error_info(ErrorCode::kIncompatible).exit_code : 0;
}

int invoke(const Config& config, const UserId& user, Invocation invocation, bool json) {
  if (invocation.read_more)
    if (const Status more = invocation.read_more(invocation.arguments); !more) return report(more.error());
  const bool asks = !invocation.question.empty() && !invocation.yes;
  if (asks && !is_terminal(STDIN_FILENO)) return report(confirm("", false).error());
  // The owner may have been started with other settings.
  if (invocation.operation == "reindex") invocation.arguments["encoder"] = config.string("encoder.model");
  const bool repairs = invocation.operation == "reconcile" && invocation.arguments.value("apply", false);
  auto installation =
      Installation::open(config, {.damage = repairs ? Damage::kSetAside : Damage::kReport, .vectors_file = ""});
  if (!installation) return report(installation.error());
  Service& service = (*installation)->service();
  if (asks) {
    const auto question = question_about(service, user, invocation);
    if (!question) return report(question.error());
    if (const Status sure = confirm(*question, false); !sure) return report(sure.error());
  }
  catch_interrupts();
  Result<std::string> answer = std::string();
  {
    ProgressObserver progress;
    if (invocation.catch_up) catch_up(service, user, progress);
    answer = service.call({invocation.operation, user, dump_json(invocation.arguments)}, progress, Deadline::never());
  }
  if (!answer && repairs && answer.error().code == ErrorCode::kDataCorrupt && !(*installation)->is_owner())
    return report(
        Error(answer.error())
            .with_remedy(
                "end the other process that has the data directory open, then run this again: it sets the file aside"));
  if (!answer) return report(answer.error());
  const Json result = Json::parse(*answer, nullptr, false);
  print_out(json ? result.dump(2) + "\n" : render_result(invocation.operation, result));
  return answer_code(invocation.operation, result);
}

void complete_options(const CLI::App& app, CompletionTable& table, std::vector<std::string>& options) {
  for (const auto* option : app.get_options())
    for (const auto& name : option->get_lnames()) {
      options.push_back("--" + name);
      if (option->get_items_expected_max() > 0) table.with_value.push_back("--" + name);
    }
}

void complete_commands(const CLI::App& app, const std::string& path, CompletionTable& table) {
  CompletionTable::Entry& entry = table.commands[path];
  if (!path.empty()) complete_options(app, table, entry.options);
  for (const auto* child : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (child->get_group().empty()) continue;  // for this program alone
    entry.words.push_back(child->get_name());
    complete_commands(*child, path.empty() ? child->get_name() : path + " " + child->get_name(), table);
  }
}

CompletionTable completion_table(const CLI::App& app) {
  CompletionTable table;
  complete_options(app, table, table.global_options);
  complete_commands(app, "", table);
  std::ranges::sort(table.with_value);
  table.with_value.erase(std::ranges::unique(table.with_value).begin(), table.with_value.end());
  table.commands["completion"].words = {"bash", "zsh", "fish"};
  table.values = {{"--kind", {"preference", "fact", "note", "transactional", "informational"}},
                  {"--type",
                   {"availability", "price", "product_spec", "vendor", "strategy", "site_pattern", "preference",
                    "general_fact", "other"}},
                  {"--log-level", {"debug", "info", "warn", "error"}},
                  {"--log-format", {"text", "json"}}};
  return table;
}

void add_global_options(CLI::App& app, GlobalOptions& options) {
  const auto setting = [&](const char* flag, const char* key, const char* help) {
    app.add_option_function<std::string>(
           flag, [&options, key](const std::string& value) { options.settings[key] = value; }, help)
        ->type_name("");
  };
  setting("--user", "user.name", "whose memory (PANDORA_USER; me)");
  setting("--session", "session.name", "which conversation (PANDORA_SESSION; default)");
  setting("--data", "data.path", "data directory (PANDORA_DATA)");
  setting("--log-level", "log.level", "debug, info, warn or error");
  setting("--log-format", "log.format", "text or json");
  app.add_option("--config", options.config_file, "settings file (PANDORA_CONFIG; ~/.config/pandora/pandora.toml)");
  app.add_option_function<std::vector<std::string>>(
      "--set",
      [&options](const std::vector<std::string>& pairs) {
        for (const auto& pair : pairs) {
          const auto equals = pair.find('=');
          if (equals == std::string::npos) throw CLI::ValidationError("--set", "write it as key=value");
          options.settings[pair.substr(0, equals)] = pair.substr(equals + 1);
        }
      },
      "any setting, as key=value; may be repeated");
  app.add_flag("--json", options.json, "results as JSON");
}

// A flag that says nothing to this command would otherwise be taken for one that does.
Status place_session(const GlobalOptions& options, Invocation& invocation) {
  const auto given = options.settings.find("session.name");
  if (given == options.settings.end()) return {};
  if (!invocation.takes_session)
    return fail(ErrorCode::kInvalidArgument, "this command is not about one session", "leave --session out");
  if (!invocation.arguments.contains("session")) invocation.arguments["session"] = given->second;
  return {};
}

int with_installation(const Config& config, const std::function<int(Installation&)>& work) {
  auto installation = Installation::open(config);
  return installation ? work(**installation) : report(installation.error());
}

int run(int argc, char** argv) {
  CLI::App app("pandora: an assistant whose memory its owner can trust", "pandora");
  app.set_version_flag("--version", fmt::format("pandora {}", kProgramVersion));
  app.require_subcommand(1);
  app.fallthrough();  // the options above stand before or after a command
  GlobalOptions options;
  Invocation invocation;
  add_global_options(app, options);

  CLI::App* chat = app.add_subcommand("chat", "talk; over a pipe one message a line, replies on stdout");
  bool chat_serves = false;
  chat->add_flag("--serve", chat_serves,
                 "in a terminal: listen for OpenAI's clients meanwhile, as `pandora serve` does");
  CLI::App* serve_command = app.add_subcommand("serve", "OpenAI's API on 127.0.0.1:9000, with memory; Ctrl-C ends");
  CLI::App* mcp_command =
      app.add_subcommand("mcp", "the Model Context Protocol on standard input and output, for a client that starts it");
  VectorsCommand vectors_command;
  add_vectors_command(app, options.settings, vectors_command);
  CLI::App* gateway_command = app.add_subcommand("gateway", "the API alone; tools run in `pandora orchestrator`");
  CLI::App* orchestrator_command =
      app.add_subcommand("orchestrator", "the tools alone, over HTTP on 127.0.0.1:8090; Ctrl-C ends");
  add_commands(app, invocation);
  CLI::App* imports = app.add_subcommand("import", "bring in what was said elsewhere")->require_subcommand(1);
  CLI::App* import =
      imports->add_subcommand("turns", "from a file of JSON lines, or an export; run again after an interruption");
  SqliteCommand sqlite;
  add_sqlite_command(*imports, sqlite);
  std::string import_file;
  import->add_option("file", import_file, "JSON lines; - for standard input")->required();
  CLI::App* export_command = app.add_subcommand("export", "everything of a user as JSON lines on stdout");
  MoveCommand move_command;
  add_move_command(app, move_command);
  StackInvocation stack;
  add_stack_commands(app, stack);
  HostCommands host;
  add_host_commands(app, host);
  ModelsCommands models;
  add_models_commands(app, models);
  DbCommand db;
  add_db_commands(app, db);
  EvalOptions eval;
  add_eval_command(app, eval);
  CLI::App* doctor = app.add_subcommand("doctor", "what is wrong with this installation, and the remedy");
  CLI::App* config_command = app.add_subcommand("config", "every setting, its value, and where it came from");
  bool looks = false;
  config_command->add_flag("--check", looks, "connect to each server that is set, and say what is found");
  CLI::App* completion = app.add_subcommand("completion", "a completion script for your shell");
  std::string shell;
  completion->add_option("shell", shell, "bash, zsh or fish")->required();
  add_help(app);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) return report(explain(app, error, argc, argv));
    std::ostringstream text;  // --help, --version
    app.exit(error, text, text);
    print_out(text.str());
    return 0;
  }

  if (host.write_log) return write_host_log(*host.write_log);  // also while the settings are wrong
  const std::string folder = stack.folder.value_or(stack.status.directory);
  auto config = load_config(options, folder);
  if (!config) return report(config.error());
  if (const Status started = start_log(*config); !started) return report(started.error());
  const HostContext context{*config, options.settings, named_config_file(options).value_or(config_file_path()),
                            [&] { return load_config(options, folder); }, folder};
  if (stack.run) return stack.run(context, options.json);
  if (models.run) return models.run(*config, options.json);
  if (host.run) return host.run(context, options.json);
  // Whoever names a data directory means that.
  const bool names_data = options.settings.contains("data.path");
  if (invocation.operation == "status" && !names_data && is_stack_folder(stack.status.directory))
    return show_stack_status(stack.status, *config, options.json);
  if (serve_command->parsed()) return serve(*config, ToolPlace::kHere, options.json);
  if (gateway_command->parsed()) return serve(*config, ToolPlace::kOrchestrator, options.json);
  if (orchestrator_command->parsed()) return orchestrate(*config, options.json);
  if (vectors_command.parsed->parsed()) return run_vectors(*config, vectors_command, options.json);
  if (db.run) return db.run(*config, options.json);
  if (config_command->parsed())
    return looks ? check_servers(*config, options.json) : show_config(*config, options.json);
  if (completion->parsed()) {
    const auto script = completion_script(shell, completion_table(app));
    if (!script) return report(script.error());
    print_out(*script);
    return 0;
  }
  const auto user = UserId::parse(config->string("user.name"));
  if (!user) return report(user.error());
  const auto session = SessionId::parse(config->string("session.name"));
  if (!session) return report(session.error());

  if (eval.parsed()) {
    const auto config_in = [&](const std::string& data) {
      GlobalOptions elsewhere = options;
      if (!data.empty()) {
        elsewhere.settings["data.path"] = data;
        if (!eval.served_rows) elsewhere.settings["rows.store"] = "embedded";  // never among the owner's rows
        // Where points are served, its collections are apart from those of the owner, as its directory is.
        elsewhere.settings["qdrant.prefix"] = "eval_" + sha256_hex(data).substr(0, 8) + "_";
      }
      return load_config(elsewhere, folder);
    };
    return evaluate(eval, config_in, *user, options.json);
  }
  if (doctor->parsed()) {
    const auto results = examine(*config, *user);
    print_out(options.json ? to_json(results).dump(2) + "\n" : render_checks(results));
    return exit_code_of(results);
  }
  if (import->parsed())
    return with_installation(*config, [&](Installation& installation) {
      return import_turns(installation.service(), *user, import_file, options.json);
    });
  if (sqlite.parsed->parsed())
    return with_installation(*config, [&](Installation& installation) {
      return import_sqlite_files(*config, installation.service(), *user, sqlite, options.json);
    });
  if (move_command.parsed->parsed())
    return with_installation(
        *config, [&](Installation& installation) { return move(installation, *user, move_command, options.json); });
  if (export_command->parsed())
    return with_installation(*config,
                             [&](Installation& installation) { return export_all(installation.service(), *user); });
  if (mcp_command->parsed())
    return with_installation(
        *config, [&](Installation& installation) { return serve_mcp(*config, installation.service(), *user); });
  if (chat->parsed())
    return with_installation(*config, [&](Installation& installation) {
      {
        ProgressObserver progress;
        catch_up(installation.service(), *user, progress);
      }
      const auto converse = [&] {
        return run_chat(installation.service(), {*user, *session, config->integer("limits.message_bytes"),
                                                 options.json ? ChatFormat::kJson : ChatFormat::kText});
      };
      return chat_serves && is_terminal(STDIN_FILENO) ? serve_beside(*config, installation, converse) : converse();
    });
  if (const Status placed = place_session(options, invocation); !placed) return report(placed.error());
  return invoke(*config, *user, invocation, options.json);
}

}  // namespace

int run_program(int argc, char** argv) {
  prepare_process();
  int code = 0;
  try {
    code = run(argc, argv);
  } catch (const std::bad_alloc&) {
    return report({ErrorCode::kResourceExhausted, "there is not enough memory",
                   "end other programs, or do it in smaller pieces"});
  } catch (const std::exception& error) {
    return report({ErrorCode::kInternal, fmt::format("a bug: {}", error.what()),
                   "please report it; nothing acknowledged is lost"});
  }
  const Status written = finish_output();
  if (written) return code;
  // Nobody reads any more: there is nobody to tell, but the exit code does.
  const int lost = written.error().code == ErrorCode::kCancelled ? error_info(ErrorCode::kCancelled).exit_code
                                                                 : report(written.error());
  return code == 0 ? lost : code;
}

}  // namespace pandora
