#include "cli/commands/usage.h"

#include <algorithm>
#include <map>
#include <optional>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/text.h"

namespace pandora {
namespace {

constexpr const char* kRootFooter =
    "Examples:\n"
    "  pandora chat                                   talk; what you say is remembered\n"
    "  echo 'I live in Lisbon.' | pandora chat        say one thing over a pipe\n"
    "  pandora turns search where do I live           find it again\n"
    "  pandora doctor                                 what is wrong, and the remedy\n"
    "Times are written as 2026-01-05 or 2026-01-05T10:00:00Z. `pandora COMMAND --help` says more.\n"
    "Exit codes: 0 good, 1 a bug, 2 wrong use, 3 not there, 4 conflict, 5 not allowed, 6 too large, 7 too busy, 8 not "
    "available,\n"
    "9 too late, 10 disk full, 11 data damaged, 12 other version, 13 not known who you are, 130 cancelled "
    "(docs/errors.md).";

constexpr const char* kGlobalOptions =
    "Options of every command:\n"
    "  --user NAME      whose memory (PANDORA_USER; me)\n"
    "  --data DIR       data directory (PANDORA_DATA; ~/.local/share/pandora)\n"
    "  --json           the result as JSON\n"
    "  --config, --set, --log-level, --log-format: see `pandora --help`, which also lists the exit codes";

// Examples by command; "" for one that needs none.
const std::map<std::string, std::string>& examples() {
  static const std::map<std::string, std::string> kExamples = {
      {"chat",
       "In a terminal: a conversation with line editing; Ctrl-D or /quit ends it. Over a pipe: one message a line, "
       "replies on standard\n"
       "output, everything else on standard error.\n"
       "  --session NAME   which conversation (PANDORA_SESSION; default). What was said in others is found as well.\n"
       "Examples:\n"
       "  pandora chat --session trip --user ana\n"
       "  echo 'Where do I live?' | pandora chat --json | jq -r .reply"},
      {"vectors import",
       "Takes points page by page, with their payloads, indexes and aliases, and compares the counts at the end. Ended "
       "in "
       "the middle it\n"
       "goes on where it was; run again it changes nothing.\n"
       "Examples:\n"
       "  pandora vectors import --from http://qdrant:6333 --api-key-file ~/qdrant.key\n"
       "  pandora vectors import --file points.jsonl"},
      {"vectors export",
       "Examples:\n  pandora vectors export > points.jsonl\n  pandora vectors export --collection notes | gzip > "
       "notes.jsonl.gz"},
      {"turns list",
       "Examples:\n  pandora turns list --in trip -n 20\n  pandora turns list --topic \"key door\"\n  pandora turns "
       "list --since 2026-01-05 --json"},
      {"turns show", "Example:\n  pandora turns show 12"},
      {"turns object",
       "Example:\n  pandora turns object 12 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 > "
       "picture.png"},
      {"turns search", "Example:\n  pandora turns search where do I live"},
      {"turns reject", "Example:\n  pandora turns reject 12        --undo takes it back"},
      {"turns forget",
       "Asks first, and shows what goes. It is gone from rows, points, files and journal, and from what other turns "
       "quote of it.\n"
       "Examples:\n  pandora turns forget 12\n  pandora turns forget 12 --yes --json > report.json && pandora "
       "verify-forgotten report.json"},
      {"turns archive", "Example:\n  pandora turns archive --dry-run"},
      {"memory add",
       "Examples:\n  pandora memory add I prefer window seats --kind preference\n  pandora memory add The shop is "
       "closed --expires 2026-02-01"},
      {"memory list", "Example:\n  pandora memory list --kind fact"},
      {"memory search", "Example:\n  pandora memory search where do I like to sit"},
      {"memory forget",
       "The id is that of `pandora memory list`. The turn in which it was said stays; `pandora turns forget` removes "
       "that."},
      {"approvals allow",
       "The id is that of `pandora approvals list`. Nobody's answer is a no, after tools.approval_ms.\n"
       "Example:\n  pandora approvals allow 0190b3a2-…        --always: and this tool from now on in this session"},
      {"gateway",
       "OpenAI's API, as `pandora serve`, but tools run in the process of `pandora orchestrator`, at tools.url. While "
       "that does\n"
       "not answer, the model is told so, and turns go on without it.\n"
       "Example:\n  pandora orchestrator &\n  pandora gateway"},
      {"orchestrator",
       "GET /tools lists the tools, POST /tools/NAME calls one with its arguments as JSON. What is remembered it "
       "reaches through\n"
       "the process that owns the data directory (`pandora gateway`), which also knows what waits for your yes or no.\n"
       "Callers show the secret that is in orchestrator.key of the data directory.\n"
       "Example:\n  pandora orchestrator &\n  pandora gateway"},
      {"research add",
       "Example:\n  pandora research add 'espresso machines' --claim 'The Alpha costs 300 euros' --type price --domain "
       "shop.example"},
      {"research find", "Example:\n  pandora research find espresso machines"},
      {"sources block", "Example:\n  pandora sources block shop.example        `reset` takes it back"},
      {"keys create",
       "The key is for the memory of --user. Once there is a key, the API answers nobody without one, also on this "
       "machine; commands need none.\n"
       "Scopes: chat (completions, models, embeddings), read and write (what is remembered), tools; and, only when "
       "named, approve (answers\n"
       "tool calls that wait) and metrics (/metrics).\n"
       "Examples:\n  pandora keys create laptop\n  pandora --user ana keys create phone --requests 60 --tokens 20000 "
       "--expires 2027-01-01\n  pandora keys create prometheus --scope metrics"},
      {"keys revoke", "It works at once, also for `pandora serve` that runs.\nExample:\n  pandora keys revoke laptop"},
      {"keys remove",
       "The id is that of `pandora keys list`. When the last key is gone, the API is open on this machine again.\n"
       "Example:\n  pandora keys remove 0190b3a2-…"},
      {"reconcile",
       "Without --apply it only says what it would do. Truth is in this order: journal, files, rows, points; each "
       "lower one is made again\n"
       "from those above. A damaged database is set aside in quarantine and made again.\n"
       "Examples:\n  pandora reconcile\n  pandora reconcile --apply"},
      {"reindex",
       "Until it is done the old encoder answers, and what is said meanwhile is found by both. Interrupted, nothing "
       "has "
       "changed; run it again,\nand no turn is encoded twice.\n"
       "Examples:\n  pandora reindex\n  pandora reindex --set encoder.model=all-MiniLM-L6-v2"},
      {"verify-forgotten",
       "Examples:\n  pandora verify-forgotten report.json\n  pandora verify-forgotten 0190b3a2-…    the id that "
       "`forget` printed"},
      {"import turns",
       "A line: {\"session\": \"trip\", \"text\": \"We land at nine.\", \"speaker\"?: \"Ana\", \"role\"?: \"user\", "
       "\"at\"?: \"2026-01-05T10:00:00Z\"}\n"
       "or {\"session\": …, \"message\": …, \"reply\": …}, or a line of `pandora export`. Lines that cannot be read "
       "are named, the others kept;\n"
       "what is known is skipped, so that an interrupted import is simply run again.\n"
       "Examples:\n  pandora import turns old.jsonl\n  ssh there pandora export | pandora import turns -"},
      {"export",
       "Turns, memories, research and sources. `pandora import turns` takes them in again, in another data directory "
       "too.\n"
       "Example:\n  pandora export > backup.jsonl"},
      {"stats", "Example:\n  pandora stats --since 2026-01-01"},
      {"doctor",
       "In the folder of an instance (`pandora init`) also Docker, Compose, ports, secrets, disk, containers, volumes "
       "and "
       "passwords; a line\nthat begins with $ is the remedy as it can be typed there. Ends with the exit code of the "
       "first "
       "failure; warnings do not count."},
      {"reset",
       "The containers go, and the next start makes empty volumes. The present ones are kept for fourteen days at "
       "least; "
       "`pandora volumes\nlist` names them, and `pandora volumes restore` has one back. Asks for the name of the "
       "instance.\n"
       "Examples:\n  pandora reset --no-backup\n  pandora reset --no-backup --yes pandora        in a script"},
      {"volumes browse",
       "By a container of an image that is here already, without a network, the volume mounted read-only.\n"
       "Example:\n  pandora volumes browse pandora_postgres_data base"},
      {"volumes restore",
       "The containers must be gone (`pandora down`).\nExample:\n  pandora volumes restore pandora_postgres_data"},
      {"volumes remove",
       "Only one that was set aside. Before its fourteen days are over also --no-backup is needed.\n"
       "Example:\n  pandora volumes remove pandora_postgres_data --no-backup"},
      {"secrets rotate",
       "The stores must run. Killed in between, it leaves a password that works; run it again, and it goes on from "
       "there.\n"
       "Examples:\n  pandora secrets rotate\n  pandora secrets rotate postgres"},
      {"init",
       "Writes compose.yaml, its overlays, .env and what monitoring needs, so that `docker compose up -d` works there "
       "as "
       "typed.\nPasswords are made once and kept in a folder that only you can enter; --json lists what was done.\n"
       "--adopt takes over the volumes of another Compose project, after looking into them; nothing is copied, and how "
       "to "
       "undo it is said.\n"
       "Examples:\n  pandora init --dir ~/pandora\n  pandora init --dir /srv/pandora --name work --production\n  "
       "pandora "
       "init --adopt pandaaiv2"},
      {"up",
       "In the folder of an instance (`pandora init`): its containers and, when they are ready, the processes of this "
       "machine\n(`pandora host --help`), until Ctrl-C; with --detach they go on.\n"
       "Examples:\n  pandora up --detach\n  pandora up --profile cache\n  pandora up --containers"},
      {"host up",
       "The model servers of [model_servers.NAME], then the Orchestrator, then the Gateway: each when what it needs is "
       "ready. One that\n"
       "crashes is started again after a pause that doubles, and given up when that does not help. A supervisor that "
       "runs already is\n"
       "joined: it starts what is new and restarts what has changed. Logs, pid files and its socket are in host/ of "
       "the "
       "data directory.\n"
       "Examples:\n  pandora host up                 Ctrl-C ends them in order; twice, at once\n  pandora host up "
       "--detach && pandora host status"},
      {"host unit",
       "Examples:\n  pandora host unit > ~/.config/systemd/user/pandora.service\n  systemctl --user enable --now "
       "pandora && loginctl enable-linger"},
      {"models plan",
       "The weights and the KV cache come from the models' files where these are on this machine. Ends with 4 when "
       "they do not fit;\n`pandora up` then starts nothing.\n"
       "Examples:\n  pandora models plan\n  pandora models plan --card 24"},
      {"models example", "Example:\n  pandora models example vllm >> ~/.config/pandora/pandora.toml"},
      {"lint",
       "Without files: those that Compose would take here, and .env. Ends with 4 when an error is among the findings, "
       "with 0 "
       "when there\nare warnings alone; docs/lint.md has every rule.\n"
       "Examples:\n  pandora lint\n  pandora lint compose.yaml compose.prod.yaml scripts/backup.sh\n  pandora lint "
       "--json | jq "
       "'.findings[].rule'"},
      {"completion",
       "Examples:\n  source <(pandora completion bash)        for this shell; put it into ~/.bashrc to keep it\n"
       "  pandora completion fish > ~/.config/fish/completions/pandora.fish"},
      {"config",
       "A flag beats an environment variable, which beats NAME_FILE, which beats pandora.toml, which beats the "
       "default.\n"
       "Example:\n  pandora config --set recall.limit=5"},
  };
  return kExamples;
}

void add_help_below(CLI::App& app, const std::string& path) {
  for (CLI::App* child : app.get_subcommands([](CLI::App*) { return true; })) {
    const std::string name = path.empty() ? child->get_name() : path + " " + child->get_name();
    const auto found = examples().find(name);
    child->footer((found == examples().end() ? "" : found->second + "\n") + kGlobalOptions);
    add_help_below(*child, name);
  }
}

std::vector<std::string> commands_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const auto* child : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(child->get_name());
  return names;
}

// How far the words name commands, and the first word that names none.
struct Walk {
  const CLI::App* app;
  std::string path = "pandora";
  std::optional<std::string> stranger;
};
Walk walk(const CLI::App& root, int argc, const char* const* argv) {
  Walk at{&root};
  for (int i = 1; i < argc && !at.stranger; ++i) {
    const std::string word = argv[i];
    if (word.starts_with('-')) {
      const auto* option = root.get_option_no_throw(word);
      if (option && option->get_items_expected_max() > 0) ++i;  // its value
      continue;
    }
    const auto names = commands_of(*at.app);
    if (names.empty()) return at;
    if (std::ranges::find(names, word) == names.end())
      at.stranger = word;
    else
      at.app = at.app->get_subcommand(word), at.path += " " + word;
  }
  return at;
}

}  // namespace

void add_help(CLI::App& app) {
  app.footer(kRootFooter);
  add_help_below(app, "");
}

Error explain(const CLI::App& app, const CLI::ParseError& error, int argc, const char* const* argv) {
  const Walk at = walk(app, argc, argv);
  const auto names = commands_of(*at.app);
  if (at.stranger) {
    constexpr std::size_t kClose = 2;
    const auto distance = [&](const std::string& name) { return edit_distance(*at.stranger, name); };
    const auto nearest = std::ranges::min_element(names, {}, distance);
    return {ErrorCode::kInvalidArgument,
            fmt::format("`{}` has no command \"{}\"", at.path, one_line(ellipsize(*at.stranger, 64))),
            distance(*nearest) <= kClose ? fmt::format("did you mean `{} {}`?", at.path, *nearest)
                                         : fmt::format("it has {}", fmt::join(names, ", "))};
  }
  if (!names.empty() && dynamic_cast<const CLI::RequiredError*>(&error))
    return {ErrorCode::kInvalidArgument, fmt::format("`{}` needs a command: {}", at.path, fmt::join(names, ", ")),
            fmt::format("`{} --help` says more", at.path)};
  const std::string what = error.what();
  return {ErrorCode::kInvalidArgument, what.substr(0, what.find('\n')), fmt::format("`{} --help` says how", at.path)};
}

}  // namespace pandora
