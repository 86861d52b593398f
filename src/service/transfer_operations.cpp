#include <fmt/format.h>

#include "base/hash.h"
#include "domain/derive.h"
#include "service/operation.h"
#include "turns/documents.h"
#include "turns/term_statistics.h"
#include "wire/import_line.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxImportBatch = 1'000;
constexpr std::int64_t kMaxBehind = 2'000;  // turns that may wait for their rows before an import waits too

struct ImportOutcome {
  std::int64_t imported = 0, known = 0;
  Json uids = Json::array();  // of each line's turn, in order; null for a line that is refused
  Json errors = Json::array();
};

// The same line of the same file is the same turn: an import that was interrupted is simply run again.
Uuid import_uid(const UserId& user, const ImportLine& line, std::int64_t number) {
  return point_id("import", fmt::format("{}:{}:{}:{}", user.str(), line.session.str(), number, content_sha256(user, line.message, line.reply)));
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

Status import_one(OperationCall& call, const std::string& text, std::int64_t number, ImportOutcome& outcome) {
  const auto line = parse_import_line(text);
  if (!line) {
    outcome.errors.push_back({{"line", number}, {"error", line.error().to_line()}});
    outcome.uids.push_back(nullptr);
    return {};
  }
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
  derive_fields(record.turn, {}, term_statistics(call.parts.stores.turns, call.who, call.deadline));
  PANDORA_CHECK(call.parts.saver.save(record, call.deadline));
  ++outcome.imported;
  return {};
}

Result<Json> import_turns(OperationCall& call) {
  const std::vector<std::string> lines = call.in.texts("lines");
  const std::int64_t first = call.in.integer_or("first_line", 1);
  if (call.in.ok() && lines.size() > kMaxImportBatch) call.in.fault("lines", fmt::format("at most {} at once", kMaxImportBatch));
  PANDORA_CHECK(call.in.finish());
  ImportOutcome outcome;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    PANDORA_CHECK(call.cancelled());
    PANDORA_CHECK(import_one(call, lines[i], first + static_cast<std::int64_t>(i), outcome));
    if (call.parts.saver.status().pending > kMaxBehind) PANDORA_CHECK(call.parts.saver.drain(call.deadline));
  }
  return Json{{"imported", outcome.imported}, {"known", outcome.known}, {"uids", outcome.uids}, {"errors", outcome.errors}};
}

Result<Json> drain(OperationCall& call) {
  PANDORA_CHECK(call.in.finish());
  PANDORA_CHECK(call.parts.saver.drain(call.deadline));
  return Json::object();
}

// A page of everything that is this user's, one JSON object a line; a hash over all lines tells two exports apart.
Result<Json> export_page(OperationCall& call) {
  const std::int64_t after = call.in.integer_or("after", 0);
  PANDORA_TRY(limit, read_limit(call.in, 500, kMaxPage));
  PANDORA_CHECK(call.in.finish());
  if (after == 0) PANDORA_CHECK(call.parts.saver.drain(call.deadline));
  PANDORA_TRY(turns, call.parts.stores.turns.scan({after}, limit, call.who, call.deadline));
  Json lines = Json::array();
  for (const auto& turn : turns) {
    const std::string folder = turn.archived ? archived_turn_folder(turn.number) : turn_folder(turn.number);
    auto record = read_turn_folder(call.parts.stores.documents, folder, call.deadline);
    if (!record && record.error().code != ErrorCode::kNotFound && record.error().code != ErrorCode::kDataCorrupt) return fail(std::move(record).error());
    const TurnRecord known = record ? *std::move(record) : record_from_row(turn);
    lines.push_back(dump_json({{"kind", "turn"}, {"turn", to_json(turn)}, {"context", render(known.context)}}));
  }
  return Json{{"lines", lines}, {"after", turns.empty() ? after : turns.back().number.value}, {"end", turns.size() < limit}};
}

}  // namespace

std::vector<Operation> transfer_operations() {
  return {
      {{"import.turns", "lines, first_line? = 1", "keeps lines of JSONL as turns; known ones are skipped"}, import_turns},
      {{"export.turns", "after? = 0, limit? = 500", "a page of turns as lines of JSONL"}, export_page},
      {{"drain", "", "waits until everything acknowledged is findable"}, drain},
  };
}

}  // namespace pandora
