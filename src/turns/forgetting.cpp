#include "turns/forgetting.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/log.h"
#include "turns/documents.h"
#include "wire/turn_json.h"

namespace pandora {
namespace {

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  if (what.empty()) return;
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size()) text.replace(at, what.size(), with);
}

// Takes the forgotten words out of a later turn. true: something was taken.
bool redact(TurnRecord& record, const std::set<std::string>& forgotten_ids, const std::vector<std::string>& texts) {
  bool quoted = false;
  for (auto& item : record.context.gathered.items) {
    if (!forgotten_ids.contains(item.id) || item.text == kForgottenText) continue;
    item.text = kForgottenText;
    quoted = true;
  }
  const TurnRecord before = record;
  // A reply without a model is made of quotes: it goes as a whole. A model's reply loses what it repeats word for word.
  const auto clean = [&](std::string& text, std::string_view model) {
    if (quoted && model == kExtractiveModel) text = kForgottenText;
    else for (const auto& forgotten : texts) replace_all(text, forgotten, kForgottenText);
  };
  if (record.turn.reply) clean(record.turn.reply->text, record.turn.model);
  for (auto& reply : record.context.replies) clean(reply.text, reply.model);
  for (const auto& forgotten : texts) {
    replace_all(record.turn.summary, forgotten, kForgottenText);
    for (auto& block : record.context.tools) replace_all(block.result, forgotten, kForgottenText);
  }
  return quoted || !(before == record);
}

}  // namespace

Status Forgetting::write_tombstone(std::string_view what, const Uuid& uid, const Deadline& deadline) {
  const Json json = {{"format", "pandora tombstone"}, {"version", 1}, {"what", what}, {"uid", uid.to_string()}, {"forgotten_at", to_iso8601(clock_.now())}};
  return stores_.documents.put(tombstone_path(uid), json.dump(2) + "\n", Durability::kNow, deadline);
}

Status Forgetting::finish(const Deadline& deadline) {
  PANDORA_CHECK(saver_.checkpoint(deadline));
  return overwrite_deleted_(deadline);
}

Status Forgetting::redact_quotes(const RemovedTurn& removed, ForgetReport& report, const Deadline& deadline) {
  std::set<std::string> ids = {removed.turn.uid.to_string()};
  for (const Uuid& id : removed.memories) ids.insert(id.to_string());
  for (const Uuid& id : removed.research) ids.insert(id.to_string());
  constexpr std::size_t kMinQuote = 12;  // "yes" is no quotation
  std::vector<std::string> texts;
  for (const auto* text : {&removed.turn.message.text, removed.turn.reply ? &removed.turn.reply->text : nullptr})
    if (text && text->size() >= kMinQuote) texts.push_back(*text);

  const Principal who = Principal::of(removed.turn.user);
  TurnNumber after = removed.turn.number;  // only later turns can quote it
  for (;;) {
    PANDORA_TRY(page, stores_.turns.scan(after, kMaxPage, who, deadline));
    if (page.empty()) return {};
    for (const auto& turn : page) {
      after = turn.number;
      const std::string folder = turn.archived ? archived_turn_folder(turn.number) : turn_folder(turn.number);
      auto record = read_turn_folder(stores_.documents, folder, deadline);
      if (!record && record.error().code != ErrorCode::kNotFound) return fail(std::move(record).error());
      if (!record) record = record_from_row(turn);
      record->turn = turn;
      if (!redact(*record, ids, texts)) continue;
      PANDORA_CHECK(stores_.documents.put_folder(folder, turn_documents(*record), Durability::kNow, deadline));
      PANDORA_CHECK(stores_.turns.rewrite(record->turn, who, deadline));
      ++report.redacted;
    }
  }
}

Result<ForgetReport> Forgetting::forget_turn(TurnNumber number, const Principal& who, const Deadline& deadline) {
  PANDORA_TRY(turn, stores_.turns.find(number, who, deadline));
  PANDORA_CHECK(saver_.checkpoint(deadline));  // every document is in its place, and the journal is empty
  ForgetReport report{"turn", turn.uid, turn.number, clock_.now(), turn.content_sha256, 0, 0, 0, 0, 0, {}, {}};
  PANDORA_CHECK(write_tombstone("turn", turn.uid, deadline));
  PANDORA_TRY(removed, stores_.turns.remove(number, who, deadline));
  for (const auto* ids : {&removed.memories, &removed.research})
    for (const Uuid& id : *ids) PANDORA_CHECK(write_tombstone("memory", id, deadline));
  report.memories = removed.memories;
  report.research = removed.research;
  report.windows = static_cast<std::int64_t>(removed.neighbours.size());
  const auto derived = static_cast<std::int64_t>(removed.memories.size() + removed.research.size());
  report.rows = 1 + removed.observations + derived;
  report.points = 1 + derived;

  for (const auto& folder : {turn_folder(number), archived_turn_folder(number)}) {
    PANDORA_TRY(documents, stores_.documents.list(folder, deadline));
    report.files += static_cast<std::int64_t>(documents.size());
    PANDORA_CHECK(stores_.documents.remove(folder, deadline));
  }
  report.files += derived;
  PANDORA_CHECK(redact_quotes(removed, report, deadline));
  PANDORA_CHECK(finish(deadline));
  log_info("turn.forgotten", {{"turn", number.value}, {"rows", report.rows}, {"files", report.files}, {"redacted", report.redacted}});
  return report;
}

Result<ForgetReport> Forgetting::forget_memory(const Uuid& id, const Principal& who, const Deadline& deadline) {
  PANDORA_TRY(memory, stores_.memories.find(id, who, deadline));
  PANDORA_CHECK(saver_.checkpoint(deadline));
  ForgetReport report{"memory", id, {}, clock_.now(), "", 1, 1, 1, 0, 0, {}, {}};
  PANDORA_CHECK(write_tombstone("memory", id, deadline));
  PANDORA_TRY(gone, stores_.memories.remove(id, who, deadline));
  RemovedTurn as_if;
  as_if.turn.user = gone.user;
  as_if.memories = {id};
  as_if.turn.message.text = gone.content;
  PANDORA_CHECK(redact_quotes(as_if, report, deadline));
  PANDORA_CHECK(finish(deadline));
  log_info("memory.forgotten", {{"memory", id.to_string()}, {"redacted", report.redacted}});
  return report;
}

Result<std::vector<ForgetFinding>> Forgetting::verify(const ForgetReport& report, const Deadline& deadline) {
  std::vector<ForgetFinding> left;
  const Principal system = Principal::system();
  const auto expect_gone = [&](bool there, const char* store, const std::string& detail) {
    if (there) left.push_back({store, detail});
  };
  const auto check_knowledge = [&](const Uuid& id, bool is_memory) -> Status {
    const bool row = is_memory ? stores_.memories.find(id, system, deadline).has_value() : stores_.research.find(id, system, deadline).has_value();
    expect_gone(row, "rows", id.to_string());
    const Uuid point = point_id(is_memory ? "memory" : "research", id.to_string());
    PANDORA_TRY(points, stores_.vectors.retrieve(std::string(is_memory ? kMemoriesCollection : kResearchCollection), {&point, 1}, system, deadline));
    expect_gone(!points.empty(), "points", id.to_string());
    PANDORA_TRY(file, stores_.documents.exists(is_memory ? memory_path(id) : research_path(id), deadline));
    expect_gone(file, "files", id.to_string());
    return {};
  };
  if (report.what == "turn") {
    PANDORA_TRY(rows, stores_.turns.find_all({&report.uid, 1}, system, deadline));
    expect_gone(!rows.empty(), "rows", fmt::format("turn {}", report.number.value));
    const Uuid point = turn_point_id(report.uid);
    PANDORA_TRY(points, stores_.vectors.retrieve(std::string(kTurnsCollection), {&point, 1}, system, deadline));
    expect_gone(!points.empty(), "points", fmt::format("turn {}", report.number.value));
    for (const auto& folder : {turn_folder(report.number), archived_turn_folder(report.number)}) {
      PANDORA_TRY(there, stores_.documents.exists(folder, deadline));
      expect_gone(there, "files", folder);
    }
  } else {
    PANDORA_CHECK(check_knowledge(report.uid, true));
  }
  for (const Uuid& id : report.memories) PANDORA_CHECK(check_knowledge(id, true));
  for (const Uuid& id : report.research) PANDORA_CHECK(check_knowledge(id, false));
  PANDORA_TRY(tombstone, stores_.documents.exists(tombstone_path(report.uid), deadline));
  expect_gone(!tombstone, "files", "the tombstone is missing: an old journal or backup could bring it back");

  // Word of it elsewhere: in the journal, or as a quote in the documents of other turns.
  const std::string uid = report.uid.to_string();
  PANDORA_TRY(segments, files_.list(journal_directory_));
  for (const auto& segment : segments) {
    PANDORA_TRY(bytes, files_.read_file(join_path(journal_directory_, segment.name), std::size_t{4} << 30));
    // A later turn may name the uid as the source of a quote that was redacted; its own record begins with it.
    expect_gone(bytes.find(fmt::format("\"uid\":\"{}\"", uid)) != std::string::npos, "journal", segment.name);
  }
  for (const char* area : {"turns", "archive"}) {
    PANDORA_TRY(folders, stores_.documents.list(area, deadline));
    for (const auto& folder : folders) {
      const std::string path = fmt::format("{}/{}", area, folder.name);
      const auto record = read_turn_folder(stores_.documents, path, deadline);
      if (!record) continue;  // `reconcile` speaks of damaged ones
      for (const auto& item : record->context.gathered.items)
        expect_gone(item.id == uid && item.text != kForgottenText, "documents", path + " quotes it");
    }
  }
  return left;
}

}  // namespace pandora
