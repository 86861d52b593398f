#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/base64.h"
#include "base/log.h"
#include "base/text.h"
#include "domain/analyzer.h"
#include "service/one_at_a_time.h"
#include "service/search_items.h"
#include "turns/archiver.h"
#include "turns/documents.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxTerms = 32;  // of a topic or of keywords that are looked for

TurnNumber read_number(JsonReader& in) {
  const TurnNumber number{in.integer("number")};
  if (in.ok() && number.value < 1) in.fault("number", "must be 1 or more");
  return number;
}

// What was just acknowledged is there for the next command too. When the database is behind, `status` says so.
void await_rows(OperationCall& call) {
  constexpr Duration kPatience = std::chrono::seconds(2);
  const Status there = call.parts.saver.wait_rows(call.deadline.at_most(call.parts.clock, kPatience));
  if (!there) log_warn("turns.behind", {{"why", there.error().to_line()}});
}

// The terms of what somebody looks for, each once.
std::vector<std::string> read_terms(JsonReader& in, const char* name) {
  if (!in.any(name)) return {};
  std::set<std::string> terms;
  for (auto& term : analyze(in.text(name))) terms.insert(std::move(term.text));
  if (in.ok() && terms.empty()) in.fault(name, "there is no word in it to look for");
  if (in.ok() && terms.size() > kMaxTerms) in.fault(name, fmt::format("more than {} words", kMaxTerms));
  return {terms.begin(), terms.end()};
}

Result<Json> list(OperationCall& call) {
  TurnQuery query;
  query.session = call.in.optional_value("session", SessionId::parse);
  if (call.in.any("before")) query.before = TurnNumber{call.in.integer("before")};
  query.since = call.in.optional_value("since", parse_iso8601);
  query.until = call.in.optional_value("until", parse_iso8601);
  query.topic_terms = read_terms(call.in, "topic");
  query.keywords = read_terms(call.in, "keywords");
  PANDORA_TRY(limit, read_limit(call.in, 50, kMaxPage));
  query.limit = limit;
  PANDORA_CHECK(call.in.finish());
  await_rows(call);
  PANDORA_TRY(turns, call.parts.stores.turns.list(query, call.who, call.deadline));
  return Json{{"turns", json_list(turns)}};
}

Result<Json> show(OperationCall& call) {
  const TurnNumber number = read_number(call.in);
  PANDORA_CHECK(call.in.finish());
  await_rows(call);
  PANDORA_TRY(turn, call.parts.stores.turns.find(number, call.who, call.deadline));
  const std::string folder = turn.archived ? archived_turn_folder(number) : turn_folder(number);
  // The files follow the row: a turn that was just saved may not have its own yet.
  const auto context = call.parts.stores.documents.read(folder + "/context.md", call.deadline);
  const bool missing = !context && context.error().code == ErrorCode::kNotFound;
  PANDORA_TRY(receipts, call.parts.stores.receipts.list({.turn = turn.uid, .limit = 1}, call.who, call.deadline));
  return Json{{"turn", to_json(turn)},
              {"folder", folder},
              {"context", context ? Json(*context) : Json()},
              {"problem", context   ? ""
                          : missing ? "not written yet"
                                    : context.error().to_line()},
              {"receipt", receipts.empty() ? Json() : Json(receipts.front().id.to_string())}};
}

// Only what a turn of the user's own names: the same bytes may be another's.
Result<Json> object(OperationCall& call) {
  const TurnNumber number = read_number(call.in);
  const std::string key = call.in.text("key");
  PANDORA_CHECK(call.in.finish());
  await_rows(call);
  PANDORA_TRY(turn, call.parts.stores.turns.find(number, call.who, call.deadline));
  const auto named = std::ranges::find(turn.objects, key, &TurnObject::key);
  if (named == turn.objects.end())
    return fail(ErrorCode::kNotFound, fmt::format("turn {} has no such object", number.value),
                "`pandora turns show` names those it has");
  PANDORA_TRY(bytes, call.parts.stores.objects.get(key, call.deadline));
  return Json{{"object", to_json(*named)}, {"base64", base64_encode(bytes)}};
}

Result<Json> search(OperationCall& call) {
  PANDORA_TRY(search, read_search(call, {GatheredKind::kTurn, GatheredKind::kPreviousTurn}));
  return search_items(call, search);
}

Result<Json> sessions(OperationCall& call) {
  PANDORA_CHECK(call.in.finish());
  await_rows(call);
  PANDORA_TRY(found, call.parts.stores.turns.sessions(call.who, call.deadline));
  Json array = Json::array();
  for (const auto& session : found)
    array.push_back({{"session", session.session.str()},
                     {"turns", session.turns},
                     {"first_at", to_iso8601(session.first_at)},
                     {"last_at", to_iso8601(session.last_at)},
                     {"last_topic", session.last_topic}});
  return Json{{"sessions", array}};
}

Result<Json> reject(OperationCall& call) {
  const TurnNumber number = read_number(call.in);
  const bool undo = call.in.boolean_or("undo", false);
  PANDORA_CHECK(call.in.finish());
  PANDORA_TRY(turn, call.parts.stores.turns.change(
                        number, {.rejected = !undo, .quality = undo ? kUnknownQuality : kRejectedQuality}, call.who,
                        call.deadline));
  return Json{{"turn", to_json(turn)}};
}

Result<Json> forget(OperationCall& call) {
  const TurnNumber number = read_number(call.in);
  PANDORA_CHECK(call.in.finish());
  Forgetting forgetting = make_forgetting(call.parts);
  PANDORA_TRY(report, forgetting.forget_turn(number, call.who, call.deadline));
  return to_json(report);
}

Result<Json> archive(OperationCall& call) {
  const std::int64_t days = call.in.integer_or("older_than_days", call.parts.archive_after_days);
  const bool dry_run = call.in.boolean_or("dry_run", false);
  if (call.in.ok() && (days < 0 || days > 36'500)) call.in.fault("older_than_days", "must be between 0 and 36500");
  PANDORA_CHECK(call.in.finish());
  PANDORA_TRY(alone, OneAtATime::begin(dry_run ? nullptr : call.parts.cache, call.parts.clock, "archive"));
  PANDORA_TRY(report, archive_turns(call.parts.stores.turns, call.parts.clock.now(), std::chrono::hours(24 * days),
                                    dry_run ? Apply::kDryRun : Apply::kApply, call.who, call.deadline));
  if (!dry_run) PANDORA_CHECK(call.parts.saver.drain(call.deadline));
  Json numbers = Json::array();
  for (const auto& number : report.turns) numbers.push_back(number.value);
  return Json{{"archived", numbers}, {"dry_run", dry_run}};
}

}  // namespace

std::vector<Operation> turn_operations() {
  return {
      {{"turns.list", "session?, topic?, keywords?, before?, since?, until?, limit? = 50", "turns, newest first"},
       list},
      {{"turns.show", "number", "one turn with its context document"}, show},
      {{"turns.object", "number, key", "an image or a fetched page of a turn"}, object},
      {{"turns.search", "query, session?, limit? = 10", "turns that mean the same"}, search},
      {{"turns.reject", "number, undo? = false", "a rejected turn is never recalled"}, reject},
      {{"turns.forget", "number", "removes a turn everywhere and reports it"}, forget},
      {{"turns.archive", "older_than_days?, dry_run? = false", "moves old turns' folders to archive/"}, archive},
      {{"sessions.list", "", "conversations, the latest first"}, sessions},
  };
}

}  // namespace pandora
