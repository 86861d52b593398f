#include "cli/commands/commands.h"

#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace pandora {
namespace {

// A command under construction: options write into the arguments of the operation when it is parsed.
class Command {
 public:
  Command(CLI::App& parent, Invocation& invocation, const std::string& name, const std::string& help,
          const std::string& operation)
      : app_(parent.add_subcommand(name, help)), invocation_(invocation), operation_(operation) {}
  ~Command() {
    app_->callback([to = &invocation_, operation = std::move(operation_), on_parse = std::move(on_parse_)] {
      to->operation = operation;
      for (const auto& set : on_parse) set(*to);
    });
  }
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;
  Command& text(const std::string& option, const std::string& field, const std::string& help, bool required = false) {
    auto* added = app_->add_option_function<std::string>(
        option, [this_ = &invocation_, field](const std::string& value) { this_->arguments[field] = value; }, help);
    if (required) added->required();
    if (field == "session") on_parse_.push_back([](Invocation& to) { to.takes_session = true; });
    return *this;
  }
  Command& texts(const std::string& option, const std::string& field, const std::string& help) {
    app_->add_option_function<std::vector<std::string>>(
        option,
        [this_ = &invocation_, field](const std::vector<std::string>& values) { this_->arguments[field] = values; },
        help);
    return *this;
  }
  Command& number(const std::string& option, const std::string& field, const std::string& help, bool required = false) {
    auto* added = app_->add_option_function<std::int64_t>(
        option, [this_ = &invocation_, field](const std::int64_t& value) { this_->arguments[field] = value; }, help);
    if (required) added->required();
    return *this;
  }
  Command& flag(const std::string& option, const std::string& field, const std::string& help) {
    app_->add_flag_callback(option, [this_ = &invocation_, field] { this_->arguments[field] = true; }, help);
    return *this;
  }
  // The words that are left, joined: `memory add I like tea`.
  Command& words(const std::string& field, const std::string& help) {
    app_->add_option_function<std::vector<std::string>>(
            field,
            [this_ = &invocation_, field](const std::vector<std::string>& words) {
              this_->arguments[field] = fmt::format("{}", fmt::join(words, " "));
            },
            help)
        ->required();
    return *this;
  }
  Command& asks(const std::string& question) {
    app_->add_flag("-y,--yes", invocation_.yes, "do it without asking");
    on_parse_.push_back([question](Invocation& to) { to.question = question; });
    return *this;
  }
  Command& catches_up() {
    on_parse_.push_back([](Invocation& to) { to.catch_up = true; });
    return *this;
  }

 private:
  CLI::App* app_;
  Invocation& invocation_;
  std::string operation_;
  std::vector<std::function<void(Invocation&)>> on_parse_;
};

constexpr const char* kForgetQuestion = "Remove it from every store and every file, for ever?";
constexpr const char* kOfSession = "of this session only (or --session)";

void add_turns(CLI::App& app, Invocation& to) {
  CLI::App* turns = app.add_subcommand("turns", "what was said")->require_subcommand(1);
  Command(*turns, to, "list", "turns, newest first", "turns.list")
      .text("--in", "session", kOfSession)
      .text("--topic", "topic", "with each of these words in its topic")
      .text("--keywords", "keywords", "with each of these words among its keywords")
      .number("--before", "before", "with smaller numbers only: the next page")
      .text("--since", "since", "not before this time")
      .text("--until", "until", "before this time")
      .number("-n,--limit", "limit", "at most this many (50)");
  Command(*turns, to, "show", "one turn, with everything that was gathered and done", "turns.show")
      .number("number", "number", "its number", true);
  Command(*turns, to, "object", "an image or a fetched page of a turn, as it is", "turns.object")
      .number("number", "number", "the turn's", true)
      .text("key", "key", "the object's; `turns show` names it", true);
  Command(*turns, to, "search", "turns that mean the same", "turns.search")
      .words("query", "what to look for")
      .text("--in", "session", kOfSession)
      .number("-n,--limit", "limit", "at most this many (10)")
      .catches_up();
  Command(*turns, to, "reject", "never recall this turn again", "turns.reject")
      .number("number", "number", "its number", true)
      .flag("--undo", "undo", "take it back");
  Command(*turns, to, "forget", "remove a turn everywhere, and report it", "turns.forget")
      .number("number", "number", "its number", true)
      .asks(kForgetQuestion);
  Command(*turns, to, "archive", "move the folders of old turns to archive/; they are still found", "turns.archive")
      .number("--older-than-days", "older_than_days", "instead of turns.archive_after_days")
      .flag("--dry-run", "dry_run", "only say which");
  Command(app, to, "sessions", "conversations, the latest first", "sessions.list");
}

void add_memory(CLI::App& app, Invocation& to) {
  CLI::App* memory = app.add_subcommand("memory", "what is remembered apart from the turns")->require_subcommand(1);
  Command(*memory, to, "add", "keep something", "memory.add")
      .words("content", "what to remember")
      .text("--kind", "kind", "preference, fact or note (note)")
      .text("--in", "session", "said in this session (or --session)")
      .text("--expires", "expires_at", "forgotten by recall from this time on");
  Command(*memory, to, "list", "memories, oldest first", "memory.list")
      .text("--kind", "kind", "of this kind only")
      .flag("--all", "all", "superseded and expired ones too")
      .text("--after", "after", "with greater ids only: the next page")
      .number("-n,--limit", "limit", "at most this many (200)");
  Command(*memory, to, "show", "one memory, and where it is from", "memory.show").text("id", "id", "its id", true);
  Command(*memory, to, "search", "memories that mean the same", "memory.search")
      .words("query", "what to look for")
      .text("--in", "session", kOfSession)
      .number("-n,--limit", "limit", "at most this many (10)")
      .catches_up();
  Command(*memory, to, "forget", "remove a memory everywhere, and report it", "memory.forget")
      .text("id", "id", "its id", true)
      .asks(kForgetQuestion);
}

void add_approvals(CLI::App& app, Invocation& to) {
  CLI::App* approvals =
      app.add_subcommand("approvals", "tool calls that wait for your yes or no")->require_subcommand(1);
  Command(*approvals, to, "list", "those that wait, the oldest first", "approvals.list");
  const auto answer = [&](const char* name, const char* help, const char* given, bool has_session) {
    CLI::App* command = approvals->add_subcommand(name, help);
    const auto id = std::make_shared<std::string>();
    const auto always = std::make_shared<bool>(false);
    command->add_option("id", *id, "of `pandora approvals list`")->required();
    if (has_session) command->add_flag("--always", *always, "and this tool from now on in this session");
    command->callback([&to, id, always, given] {
      to.operation = "approvals.answer";
      to.arguments = {{"id", *id}, {"answer", *always ? "session" : given}};
    });
  };
  answer("allow", "let it run once", "once", true);
  answer("deny", "do not let it run", "deny", false);
}

void add_recalls(CLI::App& app, Invocation& to) {
  CLI::App* recalls = app.add_subcommand("recalls", "what each recall was decided by")->require_subcommand(1);
  Command(*recalls, to, "list", "receipts of recalls, newest first", "recalls.list")
      .number("--turn", "turn", "of this turn only")
      .text("--before", "before", "with smaller ids only: the next page")
      .number("-n,--limit", "limit", "at most this many (50)");
  Command(*recalls, to, "show", "every candidate, its features, and why it was injected or not", "recalls.show")
      .text("id", "id", "of the receipt", true);
  Command(*recalls, to, "replay", "rank it again from the receipt, and ask the same today", "recalls.replay")
      .text("id", "id", "of the receipt", true)
      .catches_up();
}

void add_research(CLI::App& app, Invocation& to) {
  CLI::App* research = app.add_subcommand("research", "what was found out")->require_subcommand(1);
  CLI::App* add = research->add_subcommand("add", "keep findings; they merge with fresh ones of the same topic");
  struct Given {
    std::vector<std::string> claims, domains;
    std::string topic, type, kind;
    double confidence = 0.7;
  };
  const auto given = std::make_shared<Given>();
  add->add_option("topic", given->topic, "what it is about")->required();
  add->add_option("--claim", given->claims, "a finding; may be repeated")->required();
  add->add_option("--domain", given->domains, "a source of them, such as example.com; may be repeated");
  add->add_option(
      "--type", given->type,
      "availability, price, product_spec, vendor, strategy, site_pattern, preference, general_fact or other");
  add->add_option("--kind", given->kind, "transactional or informational (informational)");
  add->add_option("--confidence", given->confidence, "0 to 1 (0.7)");
  add->callback([&to, given] {
    to.operation = "research.add";
    Json findings = Json::array();
    for (const auto& claim : given->claims) {
      Json finding = {{"claim", claim}, {"confidence", given->confidence}, {"domains", given->domains}};
      if (!given->type.empty()) finding["type"] = given->type;
      findings.push_back(std::move(finding));
    }
    to.arguments = {{"topic", given->topic}, {"findings", findings}};
    if (!given->kind.empty()) to.arguments["kind"] = given->kind;
  });
  Command(*research, to, "list", "research that still holds", "research.list")
      .flag("--all", "all", "expired research too")
      .text("--after", "after", "with greater ids only: the next page")
      .number("-n,--limit", "limit", "at most this many (200)");
  Command(*research, to, "find", "fresh research of a topic; counts as a use", "research.find")
      .words("topic", "the topic");
}

void add_sources(CLI::App& app, Invocation& to) {
  CLI::App* sources = app.add_subcommand("sources", "how far a domain can be relied on")->require_subcommand(1);
  Command(*sources, to, "list", "every domain", "sources.list");
  Command(*sources, to, "show", "one domain", "sources.show").text("domain", "domain", "such as example.com", true);
  Command(*sources, to, "allow", "its score no longer weighs on what it says", "sources.allow")
      .text("domain", "domain", "such as example.com", true);
  Command(*sources, to, "block", "recall nothing that it says", "sources.block")
      .text("domain", "domain", "such as example.com", true);
  Command(*sources, to, "reset", "take an allow or block back", "sources.reset")
      .text("domain", "domain", "such as example.com", true);
}

void add_keys(CLI::App& app, Invocation& to) {
  CLI::App* keys = app.add_subcommand("keys", "who may use the API, and how much")->require_subcommand(1);
  Command(*keys, to, "create", "make a key; it is shown this once, and kept by nobody but you", "keys.create")
      .text("name", "name", "what you call it, such as the program it is for", true)
      .texts("--scope", "scopes", "chat, read, write, tools (these four), approve, metrics; or all; may be repeated")
      .number("--requests", "requests_a_minute", "requests a minute (no limit)")
      .number("--tokens", "tokens_a_minute", "tokens of language models a minute (no limit)")
      .text("--expires", "expires_at", "refused from this time on");
  Command(*keys, to, "list", "every key, of every user", "keys.list");
  Command(*keys, to, "revoke", "refuse a key from now on", "keys.revoke")
      .text("key", "key", "its name or id", true)
      .asks("Refuse every request with this key, for ever?");
  Command(*keys, to, "remove", "drop a revoked or expired key from the list", "keys.remove")
      .text("id", "id", "its id", true);
}

// A report, or the id of one: the tombstone of what was forgotten holds it as well. "-": standard input.
Status read_report(const std::string& given, Json& arguments) {
  if (const auto id = Uuid::parse(given)) {
    arguments = {{"id", id->to_string()}};
    return {};
  }
  std::ifstream file;
  if (given != "-") file.open(given, std::ios::binary);
  std::istream& in = given == "-" ? std::cin : file;
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  if (given != "-" && !file.is_open())
    return fail(ErrorCode::kNotFound, "cannot read " + given,
                "name the file that `forget --json` was written to, or the id that `forget` printed");
  const Json report = Json::parse(bytes, nullptr, false);
  if (!report.is_object())
    return fail(ErrorCode::kInvalidArgument, given + " holds no report",
                "name the file that `forget --json` was written to");
  arguments = {{"report", report}};
  return {};
}

}  // namespace

void add_commands(CLI::App& app, Invocation& to) {
  add_turns(app, to);
  add_memory(app, to);
  add_recalls(app, to);
  add_approvals(app, to);
  add_research(app, to);
  add_sources(app, to);
  add_keys(app, to);
  Command(app, to, "reconcile", "find every difference between files, rows and points; repair with --apply",
          "reconcile")
      .flag("--apply", "apply", "repair what is found");
  Command(app, to, "reindex",
          "make what search finds by again, after encoder.model has changed; nothing is lost meanwhile", "reindex");
  Command(app, to, "stats", "why turns failed, where the time goes, quality, reliability, calibration", "stats")
      .text("--since", "since", "from this time on");
  Command(app, to, "status", "how the stack is, in its folder; elsewhere what the owner of the data directory does",
          "status");
  CLI::App* verify = app.add_subcommand("verify-forgotten", "look again for what was forgotten");
  const auto given = std::make_shared<std::string>();
  verify->add_option("report", *given, "what `forget --json` printed, as a file; - for standard input; or the id")
      ->required();
  verify->callback([&to, given] {
    to.operation = "forget.verify";
    to.read_more = [given](Json& arguments) { return read_report(*given, arguments); };
  });
}

}  // namespace pandora
