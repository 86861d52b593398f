#include "cli/terminal/render.h"

#include <functional>
#include <map>

#include <fmt/format.h>

#include "base/base64.h"
#include "base/text.h"
#include "cli/terminal/output.h"
#include "cli/terminal/render_receipt.h"
#include "cli/terminal/terminal.h"

namespace pandora {
namespace {

constexpr std::size_t kPreview = 100;

std::string text_of(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_string() ? visible(found->get<std::string>()) : std::string();
}
std::string preview(const std::string& text) { return ellipsize(collapse_space(text), kPreview); }
std::string minute_of(const std::string& time) {
  return time.size() >= 16 ? time.substr(0, 10) + " " + time.substr(11, 5) : time;
}

std::string none_or(std::string text, std::string_view none) { return text.empty() ? std::string(none) + "\n" : text; }

std::string turn_line(const Json& turn) {
  const Json message = turn.value("message", Json::object());
  std::string marks;
  if (turn.value("rejected", false)) marks += " (rejected)";
  if (turn.value("archived", false)) marks += " (archived)";
  const std::string name = text_of(message, "name");
  return fmt::format("{}  {}  {}  {}{}{}\n", bold(fmt::format("{:>5}", turn.value("number", std::int64_t{0}))),
                     minute_of(text_of(turn, "created_at")), text_of(turn, "session"), name.empty() ? "" : name + ": ",
                     preview(text_of(message, "text")), marks);
}

std::string turns(const Json& result) {
  std::string out;
  for (const auto& turn : result["turns"]) out += turn_line(turn);
  return none_or(std::move(out), "no turns");
}

std::string turn(const Json& result) {
  const std::string problem = text_of(result, "problem");
  std::string out =
      result.contains("context") && result["context"].is_string()
          ? visible(result["context"].get<std::string>())
          : turn_line(result["turn"]) + (problem.empty() ? "" : fmt::format("(its document: {})\n", problem));
  for (const auto& object : result["turn"].value("objects", Json::array()))
    out += fmt::format("{} {}  {} bytes  {}  {}\n", text_of(object, "origin"), text_of(object, "media_type"),
                       object.value("size", std::int64_t{0}), text_of(object, "key"), text_of(object, "url"));
  return out;
}
// As it is: for a file.
std::string object(const Json& result) { return base64_decode(result.value("base64", "")).value_or(std::string()); }
std::string turn_preview(const Json& result) { return turn_line(result["turn"]); }

std::string items(const Json& result) {
  std::string out;
  for (const auto& item : result["items"])
    out += fmt::format("{}  {}  {}  {}\n", bold(text_of(item, "source")), minute_of(text_of(item, "at")),
                       text_of(item, "session"), preview(text_of(item, "text")));
  if (text_of(result, "mode") != "hybrid")
    for (const auto& missing : result["missing"]) out += fmt::format("(incomplete: {})\n", missing.get<std::string>());
  return none_or(std::move(out), "nothing found");
}

std::string sessions(const Json& result) {
  std::string out;
  for (const auto& session : result["sessions"])
    out += fmt::format("{}  {} turns, last {}  {}\n", bold(text_of(session, "session")), session.value("turns", 0),
                       minute_of(text_of(session, "last_at")), text_of(session, "last_topic"));
  return none_or(std::move(out), "no sessions");
}

std::string memory_line(const Json& memory) {
  const bool old = memory.contains("superseded_by") && memory["superseded_by"].is_string();
  return fmt::format("{}  {:10}  {}  {}{}\n", text_of(memory, "id"), text_of(memory, "kind"),
                     text_of(memory, "created_at").substr(0, 10), preview(text_of(memory, "content")),
                     old ? " (superseded)" : "");
}
std::string memories(const Json& result) {
  std::string out;
  for (const auto& memory : result["memories"]) out += memory_line(memory);
  return none_or(std::move(out), "no memories");
}
std::string one_memory(const Json& result) {
  const auto turn = result.value("said_in", std::int64_t{0});
  return memory_line(result["memory"]) + (turn > 0 ? fmt::format("  said in turn {}\n", turn) : "");
}
std::string memory(const Json& result) {
  std::string out = "kept: " + memory_line(result["memory"]);
  for (const auto& id : result["superseded"]) out += fmt::format("supersedes {}\n", id.get<std::string>());
  return out;
}

std::string research_text(const Json& research) {
  std::string out =
      fmt::format("{}  {}  quality {:.2f}, confidence {:.2f}, {} until {}\n", bold(text_of(research, "primary_topic")),
                  text_of(research, "id"), research.value("quality", 0.0),
                  research.value("confidence_now", research.value("confidence", 0.0)), text_of(research, "scope"),
                  minute_of(text_of(research, "expires_at")));
  for (const auto& finding : research["findings"])
    out += fmt::format("  - {} ({:.2f})\n", text_of(finding, "claim"), finding.value("confidence", 0.0));
  for (const auto& conflict : research["conflicts"])
    out += fmt::format("  - conflict: {}\n", conflict.get<std::string>());
  return out;
}
std::string research(const Json& result) {
  std::string out;
  if (result["research"].is_object()) return research_text(result["research"]);
  for (const auto& one : result["research"]) out += research_text(one);
  return none_or(std::move(out), "no research that still holds");
}

std::string source_line(const Json& source) {
  const std::string manual = text_of(source, "override");
  return fmt::format("{}  score {:.2f}  {} good, {} failed{}\n", bold(text_of(source, "domain")),
                     source.value("score", 0.5), source.value("successes", 0), source.value("failures", 0),
                     manual == "none" ? "" : fmt::format("  ({})", manual));
}
std::string sources(const Json& result) {
  std::string out;
  for (const auto& source : result["sources"]) out += source_line(source);
  return none_or(std::move(out), "no sources");
}
std::string source(const Json& result) {
  std::string out = source_line(result["source"]);
  for (const auto& worked : result["source"]["worked"]) out += fmt::format("  worked: {}\n", worked.get<std::string>());
  for (const auto& failed : result["source"]["failed"]) out += fmt::format("  failed: {}\n", failed.get<std::string>());
  return out;
}

std::string rate_of(const Json& key) {
  std::string text;
  const auto add = [&](const char* field, std::string_view what) {
    if (const auto rate = key.value(field, std::int64_t{0}); rate > 0)
      text += fmt::format("{}{} {} a minute", text.empty() ? "" : ", ", rate, what);
  };
  add("requests_a_minute", "requests");
  add("tokens_a_minute", "tokens");
  return text.empty() ? "no limits" : text;
}
std::string scopes_of(const Json& key) {
  std::string text;
  for (const auto& scope : key["scopes"]) text += (text.empty() ? "" : ", ") + scope.get<std::string>();
  return text;
}
std::string key_line(const Json& key) {
  const std::string used = minute_of(text_of(key, "last_used_at")), ends = minute_of(text_of(key, "expires_at")),
                    state = text_of(key, "state");
  return fmt::format("{}  {}  {}…  {}  of {}  {}  {}  created {}, {}{}\n", bold(text_of(key, "name")),
                     text_of(key, "id"), text_of(key, "hint"), state == "active" ? state : bold(state),
                     text_of(key, "user"), scopes_of(key), rate_of(key), minute_of(text_of(key, "created_at")),
                     used.empty() ? "never used" : "last used " + used, ends.empty() ? "" : ", expires " + ends);
}
std::string new_key(const Json& result) {
  const Json& key = result["key"];
  const std::string ends = minute_of(text_of(key, "expires_at"));
  return fmt::format(
      "{}\nThis is the key \"{}\" for the memory of {}: {}; {}{}. It is shown this once; a client sends it as its API "
      "key.\n{}",
      text_of(result, "secret"), text_of(key, "name"), text_of(key, "user"), scopes_of(key), rate_of(key),
      ends.empty() ? "" : ", until " + ends,
      result.value("is_first", false) ? "From now on the API answers nobody without a key, also on this machine.\n"
                                      : "");
}
std::string keys(const Json& result) {
  std::string out;
  for (const auto& key : result["keys"]) out += key_line(key);
  return none_or(std::move(out), "no keys: the API is open to every program on this machine, and to none beyond");
}
std::string revoked_key(const Json& result) {
  return "revoked: " + key_line(result["key"]) +
         (result.value("any_usable", true) ? ""
                                           : "No key can be used any more, and the API answers nobody; `pandora keys "
                                             "remove` drops it from the list.\n");
}
std::string removed_key(const Json& result) {
  return fmt::format("removed: {} {}\n{}", text_of(result, "name"), text_of(result, "removed"),
                     result.value("none_left", false) ? "No key is left: the API is open on this machine.\n" : "");
}

std::string forgotten(const Json& result) {
  const auto number = result.value("number", std::int64_t{0}), said_in = result.value("said_in", std::int64_t{0});
  std::string out = fmt::format(
      "forgotten: {} {}\n  {} rows, {} files, {} points removed; {} quotes in other turns redacted; {} neighbours' "
      "windows made again;"
      " {} receipts of recalls cleaned; {} images and pages removed\n"
      "  look again at any time: pandora verify-forgotten {}\n",
      text_of(result, "forgotten"), number > 0 ? std::to_string(number) : text_of(result, "uid"),
      result.value("rows", 0), result.value("files", 0), result.value("points", 0), result.value("redacted", 0),
      result.value("windows", 0), result.value("receipts", 0), result.value("objects", Json::array()).size(),
      text_of(result, "uid"));
  if (const auto left = result.value("objects_left", std::int64_t{0}); left > 0)
    out += fmt::format(
        "  {} images and pages are left: other gateways may have turns that name them. Once those have ended,\n"
        "  pandora reconcile --apply removes what no turn names\n",
        left);
  if (said_in > 0)
    out += fmt::format("  it was said in turn {}, which still says it: pandora turns forget {}\n", said_in, said_in);
  return out;
}
std::string verified(const Json& result) {
  if (result.value("clean", false)) return "nothing of it is left\n";
  std::string out;
  for (const auto& finding : result["left"])
    out += fmt::format("left in {}: {}\n", text_of(finding, "store"), text_of(finding, "detail"));
  return out;
}

std::string archived(const Json& result) {
  return fmt::format("{} turns {}\n", result["archived"].size(),
                     result.value("dry_run", false) ? "would be archived" : "archived");
}

// At most kShown of a kind: a rebuilt database differs in every turn.
std::string differences(const Json& all) {
  constexpr int kShown = 10;
  std::map<std::string, int> counts;
  std::string out;
  for (const auto& difference : all) {
    const std::string kind = text_of(difference, "kind");
    if (++counts[kind] <= kShown)
      out += fmt::format("{}: {} ({})\n", bold(kind), text_of(difference, "what"), text_of(difference, "repair"));
  }
  for (const auto& [kind, count] : counts)
    if (count > kShown) out += fmt::format("{}: and {} more; --json lists all\n", bold(kind), count - kShown);
  return out;
}

std::string reconciled(const Json& result) {
  const bool applied = result.value("applied", false);
  const auto count = static_cast<std::int64_t>(result["differences"].size()) + result.value("more", std::int64_t{0});
  return fmt::format("{}{} turns, {} memories, {} research, {} sources, {} points looked at: {} differences{}\n",
                     differences(result["differences"]), result.value("turns", 0), result.value("memories", 0),
                     result.value("research", 0), result.value("sources", 0), result.value("points", 0), count,
                     count == 0 ? ""
                     : applied  ? ", repaired"
                                : "; `pandora reconcile --apply` repairs them");
}

std::string reindexed(const Json& result) {
  const std::string made_by = text_of(result, "to");
  if (!result.value("moved", false)) return fmt::format("everything is made by {} already\n", made_by);
  return fmt::format("{} turns, {} memories and {} research are now found by {}\n", result.value("turns", 0),
                     result.value("memories", 0), result.value("research", 0), made_by);
}
std::string approvals(const Json& result) {
  std::string out;
  for (const auto& pending : result["approvals"])
    out += fmt::format("{}  {}  until {}  {}\n", text_of(pending, "id"), bold(text_of(pending, "tool")),
                       minute_of(text_of(pending, "until")), preview(text_of(pending, "arguments")));
  return none_or(std::move(out), "nothing waits for a yes or no");
}
std::string approval(const Json& result) {
  const std::string answer = text_of(result, "answer");
  return answer == "deny"      ? "denied\n"
         : answer == "session" ? "allowed, from now on in this session\n"
                               : "allowed once\n";
}

std::string status(const Json& result) {
  const std::string rows_away = text_of(result, "rows_error");
  std::string out = rows_away.empty()
                        ? fmt::format("{} turns; {} turns and {} files and points wait\n", result.value("turns", 0),
                                      result.value("pending", 0), result.value("outbox", 0))
                        : fmt::format("{} turns wait: {}\n", result.value("pending", 0), rows_away);
  for (const auto& journal : result.value("journals", Json::array()))
    if (!journal.value("mine", false))
      out += journal.value("silent", false)
                 ? fmt::format(
                       "gateway {}:{} died {} s ago; {} turns or more wait in its journal, and {} directories: start "
                       "one there\n",
                       text_of(journal, "host"), text_of(journal, "directory"), journal.value("silent_seconds", 0),
                       journal.value("pending", 0), journal.value("directories", 0))
                 : fmt::format("gateway {}:{} lives, {} turns wait in its journal\n", text_of(journal, "host"),
                               text_of(journal, "directory"), journal.value("pending", 0));
  if (const std::string error = text_of(result, "last_error"); !error.empty())
    out += fmt::format("what was met last: {}\n", error);
  if (const std::string away = text_of(result, "points_error"); !away.empty())
    out += fmt::format("points cannot be written or looked at: {}\n", away);
  if (const std::string away = text_of(result, "objects_error"); !away.empty())
    out += fmt::format("images cannot be kept or shown: {}\n", away);
  if (const std::string away = text_of(result, "documents_error"); !away.empty())
    out += fmt::format("directories of turns wait in the journal: {}\n", away);
  if (const std::string away = text_of(result, "cache_error"); !away.empty())
    out += fmt::format(
        "limits are counted by this process alone, turns and approvals of other gateways are not known: {}\n", away);
  for (const auto& collection : result["collections"])
    out += fmt::format(
        "  {:10} {:>8} points{}\n", text_of(collection, "name"), collection.value("points", 0),
        collection.value("unsearched", 0) > 0
            ? fmt::format(", {} not searched yet: the index is being built", collection.value("unsearched", 0))
            : std::string());
  const Json& encoder = result["encoder"];
  return out + fmt::format("encoder {}, {} dimensions, revision {}\n", text_of(encoder, "model"),
                           encoder.value("dimension", 0), text_of(encoder, "revision"));
}

std::string groups(const Json& json) {
  std::string out;
  for (const auto& [name, group] : json.items()) {
    const auto in = group.value("tokens_in", std::int64_t{0}), back = group.value("tokens_out", std::int64_t{0});
    out += fmt::format("  {:24} {:>7} times, {:>5} failed, p50 {:.1f} ms, p95 {:.1f} ms, {:.1f} s in all{}\n", name,
                       group.value("count", 0), group.value("failures", 0), group.value("p50_micros", 0) / 1e3,
                       group.value("p95_micros", 0) / 1e3,
                       static_cast<double>(group.value("total_micros", std::int64_t{0})) / 1e6,
                       in + back > 0 ? fmt::format(", {} tokens in, {} out", in, back) : "");
  }
  return none_or(std::move(out), "  none");
}

std::string failure_place(const Json& failure) {
  const auto number = failure.value("turn", std::int64_t{0});
  return number > 0 ? fmt::format("turn {}, {}", number, text_of(failure, "where")) : text_of(failure, "where");
}

std::string stats(const Json& result) {
  std::string out = bold("Why did turns fail?") + "\n", part;
  for (const auto& failure : result["failures"])
    part += fmt::format("  {}  {}: {}\n", minute_of(text_of(failure, "at")), failure_place(failure),
                        text_of(failure, "why"));
  out += none_or(part, "  none did");
  out += bold("Where is the time?") + "\n" + groups(result["turns"]) + groups(result["phases"]) + bold("Models") +
         "\n" + groups(result["models"]);
  out += bold("Is quality improving?") + "\n";
  part.clear();
  for (const auto& day : result["quality"])
    part += fmt::format("  {}  {:.2f} over {} turns\n", text_of(day, "day"), day.value("quality", 0.0),
                        day.value("turns", 0));
  out += none_or(part, "  no turns") + bold("Which tools and sources are unreliable?") + "\n" + groups(result["tools"]);
  for (const auto& source : result["sources"])
    out += fmt::format("  {:24} score {:.2f}, {} failed\n", text_of(source, "domain"), source.value("score", 0.5),
                       source.value("failures", 0));
  const Json calibration = result.value("calibration", Json::object());
  out += fmt::format("{}\n  expected calibration error {:.3f} over {} judged turns (good below 0.10)\n",
                     bold("Is confidence calibrated?"), calibration.value("error", 0.0), calibration.value("pairs", 0));
  return out;
}

}  // namespace

std::string render_result(std::string_view operation, const Json& result) {
  using Renderer = std::string (*)(const Json&);
  static const std::map<std::string_view, Renderer> kRenderers = {
      {"approvals.list", approvals},
      {"approvals.answer", approval},
      {"turns.list", turns},
      {"turns.show", turn},
      {"turns.object", object},
      {"turns.preview", turn_preview},
      {"status", status},
      {"memory.show", one_memory},
      {"turns.search", items},
      {"turns.reject", turn},
      {"turns.forget", forgotten},
      {"turns.archive", archived},
      {"sessions.list", sessions},
      {"memory.add", memory},
      {"memory.list", memories},
      {"memory.search", items},
      {"memory.forget", forgotten},
      {"research.add", research},
      {"research.list", research},
      {"research.find", research},
      {"sources.list", sources},
      {"sources.show", source},
      {"sources.allow", source},
      {"sources.block", source},
      {"sources.reset", source},
      {"reconcile", reconciled},
      {"stats", stats},
      {"reindex", reindexed},
      {"forget.verify", verified},
      {"recalls.list", render_recalls},
      {"recalls.show", render_recall},
      {"recalls.replay", render_replay},
      {"keys.create", new_key},
      {"keys.list", keys},
      {"keys.revoke", revoked_key},
      {"keys.remove", removed_key},
  };
  const auto found = kRenderers.find(operation);
  return found == kRenderers.end() ? result.dump(2) + "\n" : found->second(result);
}

}  // namespace pandora
