#include <fmt/format.h>

#include "base/hash.h"
#include "base/text.h"
#include "domain/derive.h"
#include "service/exchange.h"
#include "turns/documents.h"
#include "wire/import_line.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxImportBatch = 1'000;
constexpr std::int64_t kMaxBehind = 2'000;  // turns that may wait for their rows before an import waits too

struct ImportOutcome {
  std::int64_t imported = 0, known = 0;
  std::int64_t others = 0;    // memories, research and sources of an export
  Json uids = Json::array();  // of each line's turn, in order; null for a line that is refused
  Json errors = Json::array();
};

// The same line of the same file is the same turn: an import that was interrupted is simply run again.
Uuid import_uid(const UserId& user, const ImportLine& line, std::int64_t number) {
  return point_id("import", fmt::format("{}:{}:{}:{}", user.str(), line.session.str(), number,
                                        content_sha256(user, line.message, line.reply)));
}

TurnRecord record_of(const ImportLine& line, const Uuid& uid, const UserId& user, Timestamp now) {
  TurnRecord record;
  Turn& turn = record.turn;
  turn.uid = uid;
  turn.user = user;
  turn.session = line.session;
  turn.created_at = line.at.value_or(now);
  turn.message = line.message;
  turn.reply = line.reply;
  turn.model = line.reply ? "imported" : "";
  record.context.turn_uid = uid;
  record.context.query = {line.message.text, line.message.text};
  record.context.reflection.reason = "imported";
  if (line.reply) record.context.replies.push_back({1, "imported", line.reply->text});
  return record;
}

void refuse(ImportOutcome& outcome, std::int64_t number, const Error& why) {
  outcome.errors.push_back({{"line", number}, {"error", why.to_line()}});
  outcome.uids.push_back(nullptr);
}

// Is it the line that is wrong, or is there something that the next line would meet as well?
bool concerns_the_line(ErrorCode code) {
  return code == ErrorCode::kInvalidArgument || code == ErrorCode::kDataCorrupt || code == ErrorCode::kIncompatible ||
         code == ErrorCode::kTooLarge;
}

Status import_exported(OperationCall& call, const Json& json, const std::string& text, std::int64_t number,
                       ImportOutcome& outcome) {
  const auto done = import_document(call, json, text);
  if (!done && !concerns_the_line(done.error().code)) return fail(done.error());
  if (!done) return refuse(outcome, number, done.error()), Status();
  outcome.uids.push_back(done->turn ? Json(done->turn->to_string()) : Json());
  if (done->what == Imported::kKnown)
    ++outcome.known;
  else if (done->turn)
    ++outcome.imported;
  else
    ++outcome.others;
  return {};
}

Status import_one(OperationCall& call, const std::string& text, std::int64_t number, ImportOutcome& outcome) {
  if (trim(text).empty()) return outcome.uids.push_back(nullptr), Status();
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_object() && json.contains("format")) return import_exported(call, json, text, number, outcome);
  const auto line = parse_import_line(text);
  if (!line) return refuse(outcome, number, line.error()), Status();
  const Uuid uid = import_uid(call.who.user, *line, number);
  outcome.uids.push_back(uid.to_string());
  PANDORA_TRY(rows, call.parts.stores.turns.find_all({&uid, 1}, call.who, call.deadline));
  if (!rows.empty()) {
    ++outcome.known;
    return {};
  }
  PANDORA_TRY(forgotten, call.parts.stores.documents.exists(tombstone_path(uid), call.deadline));
  if (forgotten) {
    ++outcome.known;
    return {};
  }
  TurnRecord record = record_of(*line, uid, call.who.user, call.parts.clock.now());
  derive_fields(record.turn, {}, call.parts.runtime.statistics(call.who, call.deadline));
  PANDORA_CHECK(call.parts.saver.save(record, call.deadline));
  ++outcome.imported;
  return {};
}

Result<Json> import_turns(OperationCall& call) {
  const std::vector<std::string> lines = call.in.texts("lines");
  const std::int64_t first = call.in.integer_or("first_line", 1);
  if (call.in.ok() && lines.size() > kMaxImportBatch)
    call.in.fault("lines", fmt::format("at most {} at once", kMaxImportBatch));
  PANDORA_CHECK(call.in.finish());
  ImportOutcome outcome;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    PANDORA_CHECK(call.cancelled());
    PANDORA_CHECK(import_one(call, lines[i], first + static_cast<std::int64_t>(i), outcome));
    if (call.parts.saver.status().pending > kMaxBehind) PANDORA_CHECK(call.parts.saver.drain(call.deadline));
  }
  return Json{{"imported", outcome.imported},
              {"known", outcome.known},
              {"others", outcome.others},
              {"uids", outcome.uids},
              {"errors", outcome.errors}};
}

Result<Json> stored(OperationCall& call) {
  const std::vector<std::string> lines = call.in.texts("lines");
  if (call.in.ok() && lines.size() > kMaxImportBatch)
    call.in.fault("lines", fmt::format("at most {} at once", kMaxImportBatch));
  PANDORA_CHECK(call.in.finish());
  Json all = Json::array();
  for (const auto& line : lines) {
    PANDORA_CHECK(call.cancelled());
    const Json document = Json::parse(line, nullptr, false);
    if (!document.is_object()) return fail(ErrorCode::kInvalidArgument, "import.stored.lines: a line is no object");
    PANDORA_TRY(there, stored_document(call, document, line));
    all.push_back({{"line", there.line}, {"forgotten", there.forgotten}});
  }
  return Json{{"stored", std::move(all)}};
}

// With `at_most_ms` what is not done in time is no error: it goes on, and the result says how much is left.
Result<Json> drain(OperationCall& call) {
  constexpr std::int64_t kMostMillis = 3'600'000;
  const bool bounded = call.in.any("at_most_ms") != nullptr;
  const std::int64_t millis = call.in.integer_or("at_most_ms", kMostMillis);
  if (call.in.ok() && (millis < 0 || millis > kMostMillis))
    call.in.fault("at_most_ms", fmt::format("must be between 0 and {}", kMostMillis));
  PANDORA_CHECK(call.in.finish());
  const Status drained =
      call.parts.saver.drain(call.deadline.at_most(call.parts.clock, std::chrono::milliseconds(millis)));
  if (!drained && !(bounded && drained.error().code == ErrorCode::kDeadlineExceeded)) return fail(drained.error());
  const SaverStatus left = call.parts.saver.status();
  return Json{{"drained", drained.has_value()},
              {"pending", left.pending},
              {"outbox", left.outbox},
              {"last_error", left.last_error}};
}

Result<Json> export_operation(OperationCall& call) {
  const std::string after = call.in.text_or("after", "");
  PANDORA_TRY(limit, read_limit(call.in, 500, kMaxPage));
  PANDORA_CHECK(call.in.finish());
  if (after.empty()) PANDORA_CHECK(call.parts.saver.drain(call.deadline));
  PANDORA_TRY(page, export_page(call, after, limit));
  return Json{{"lines", page.lines}, {"after", page.next}, {"end", page.end}};
}

}  // namespace

std::vector<Operation> transfer_operations() {
  return {
      {{"import.turns", "lines, first_line? = 1",
        "keeps lines of JSONL as turns, or what an export holds; known ones are skipped"},
       import_turns},
      {{"import.stored", "lines",
        "what stands here of the same things as lines of an export, each as an export gives it, or that it was "
        "forgotten"},
       stored},
      {{"export", "after?, limit? = 500",
        "a page of everything of a user as lines of JSONL; `after` is that of the page before"},
       export_operation},
      {{"drain", "at_most_ms? = 3600000", "waits until everything acknowledged is findable, and says what is not"},
       drain},
  };
}

}  // namespace pandora
