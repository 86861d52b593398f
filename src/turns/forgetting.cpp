#include "turns/forgetting.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/log.h"
#include "turns/documents.h"
#include "turns/outbox_worker.h"
#include "turns/turn_objects.h"
#include "wire/json_reader.h"

namespace pandora {
namespace {

constexpr const char* kTombstoneFormat = "pandora tombstone";
constexpr std::int64_t kTombstoneVersion = 1;

Json ids_json(const std::vector<Uuid>& ids) {
  Json array = Json::array();
  for (const Uuid& id : ids) array.push_back(id.to_string());
  return array;
}

}  // namespace

Status Forgetting::write_tombstone(const ForgetReport& report, const Deadline& deadline) {
  const Json json = {{"format", kTombstoneFormat},
                     {"version", kTombstoneVersion},
                     {"what", report.what},
                     {"uid", report.uid.to_string()},
                     {"number", report.number.value},
                     {"memories", ids_json(report.memories)},
                     {"research", ids_json(report.research)},
                     {"forgotten_at", to_iso8601(report.at)}};
  return stores_.documents.put(tombstone_path(report.uid), json.dump(2) + "\n", Durability::kNow, deadline);
}

Result<ForgetReport> Forgetting::report_of(const Uuid& id, const Deadline& deadline) {
  const auto bytes = stores_.documents.read(tombstone_path(id), deadline);
  if (!bytes && bytes.error().code == ErrorCode::kNotFound)
    return fail(ErrorCode::kNotFound, fmt::format("nothing with the id {} was forgotten here", id.to_string()));
  if (!bytes) return fail(bytes.error());
  PANDORA_TRY(json, parse_json(*bytes, bytes->size(), tombstone_path(id)));
  JsonReader in(json, tombstone_path(id));
  if (in.text("format") != kTombstoneFormat) in.fault("format", "is not that of a tombstone");
  const std::int64_t version = in.integer("version");
  if (in.ok() && version > kTombstoneVersion)
    return fail(ErrorCode::kIncompatible,
                fmt::format("{} has version {}, this program reads {}", tombstone_path(id), version, kTombstoneVersion),
                "use a newer pandora");
  ForgetReport report;
  report.what = in.text("what");
  report.uid = in.value("uid", Uuid::parse);
  report.number = {in.integer_or("number", 0)};
  report.at = in.value("forgotten_at", parse_iso8601);
  const auto read_ids = [&](const char* name, std::vector<Uuid>& ids) {
    if (!in.any(name)) return;
    for (const auto& text : in.texts(name))
      if (const auto one = Uuid::parse(text))
        ids.push_back(*one);
      else
        in.fault(name, one.error().message);
  };
  read_ids("memories", report.memories);
  read_ids("research", report.research);
  PANDORA_CHECK(in.finish());
  return report;
}

Status Forgetting::finish(const Deadline& deadline) {
  PANDORA_CHECK(saver_.checkpoint(deadline));
  return overwrite_deleted_(deadline);
}

// None: its files are still to come, from the journal of another gateway. That one takes the quotes out of them
// (turns/redaction.h), and knows more of the turn than its row.
Result<std::optional<TurnRecord>> Forgetting::record_of(const Turn& turn, const std::string& folder,
                                                        const Deadline& deadline) {
  auto record = read_turn_folder(stores_.documents, folder, deadline);
  if (!record && record.error().code == ErrorCode::kNotFound) {
    PANDORA_TRY(waits, stores_.outbox.is_waiting({OutboxKind::kTurnDirectory, turn.uid.to_string()}, deadline));
    if (waits) return std::nullopt;
    record = read_turn_folder(stores_.documents, folder, deadline);  // it may have come just now
  }
  if (record) return *std::move(record);
  const ErrorCode code = record.error().code;
  if (code == ErrorCode::kDataCorrupt || code == ErrorCode::kTooLarge)  // must not keep anybody from forgetting
    PANDORA_CHECK(stores_.documents.quarantine(folder, record.error().to_line(), deadline).map([](auto&&) {}));
  else if (code != ErrorCode::kNotFound)
    return fail(std::move(record).error());
  return record_from_row(turn);
}

Result<TurnNumber> Forgetting::redact_quotes(const Forgotten& forgotten, TurnNumber after, ForgetReport& report,
                                             const Deadline& deadline) {
  for (;;) {
    PANDORA_TRY(page, stores_.turns.scan(after, kMaxPage, forgotten.readers, deadline));
    if (page.empty()) return after;
    for (Turn& turn : page) {
      after = turn.number;
      PANDORA_CHECK(redact_quotes_of(std::move(turn), forgotten, report, deadline));
    }
  }
}

// What somebody else changes meanwhile (rejects it, archives it) stays changed: then it is read again.
Status Forgetting::redact_quotes_of(Turn turn, const Forgotten& forgotten, ForgetReport& report,
                                    const Deadline& deadline) {
  bool is_clean = false;  // of the receipts of what it asked
  for (int times = 0; times < kMaxRewrites; ++times) {
    std::string folder = turn_folder(turn.number), other = archived_turn_folder(turn.number);
    if (turn.archived) std::swap(folder, other);
    PANDORA_TRY(there, stores_.documents.exists(folder, deadline));
    PANDORA_TRY(elsewhere, stores_.documents.exists(other, deadline));
    if (!there && elsewhere) folder = other;  // it has been archived, or brought back, and is not moved yet
    PANDORA_TRY(found, record_of(turn, folder, deadline));
    TurnRecord record = found ? *std::move(found) : record_from_row(turn);
    record.turn = turn;
    if (!redact(record, forgotten)) return {};
    if (!is_clean && record.turn.question != turn.question) {
      PANDORA_TRY(cleaned, clean_question(stores_.receipts, record.turn, deadline));
      report.receipts += cleaned;
      is_clean = true;
    }
    if (found) PANDORA_CHECK(stores_.documents.put_folder(folder, turn_documents(record), Durability::kNow, deadline));
    const Status written = stores_.turns.rewrite(record.turn, Principal::of(turn.user), deadline, &turn);
    if (written) ++report.redacted;
    if (written || written.error().code != ErrorCode::kConflict) return written;
    PANDORA_TRY(rows, stores_.turns.find_all({&turn.uid, 1}, Principal::system(), deadline));
    if (rows.empty()) return {};  // forgotten itself
    turn = std::move(rows.front());
  }
  return fail(ErrorCode::kUnavailable, fmt::format("turn {} is changed all the time by others", turn.number.value),
              "run it again");
}

Status Forgetting::clean_receipts(const Forgotten& forgotten, ForgetReport& report, const Deadline& deadline) {
  // The same words may be another user's own; an id is nobody else's, but what it names may have been global.
  PANDORA_TRY(of_words, stores_.receipts.forget({{}, forgotten.texts}, forgotten.readers, deadline));
  ForgottenRows rows;
  for (const auto& id : forgotten.ids) {
    PANDORA_TRY(uid, Uuid::parse(id));
    rows.uids.push_back(uid);
  }
  PANDORA_TRY(of_rows, stores_.receipts.forget(rows, Principal::system(), deadline));
  report.receipts += of_words + of_rows;
  return {};
}

// What came from the turn, found before its row goes, so that an interrupted forgetting leaves a tombstone for each.
Status Forgetting::find_derived(const Turn& turn, ForgetReport& report, const Deadline& deadline) {
  const Principal who = Principal::of(turn.user);
  MemoryQuery memories;
  memories.include_superseded = true;
  for (;;) {
    PANDORA_TRY(page, stores_.memories.list(memories, who, deadline));
    if (page.empty()) break;
    memories.after = page.back().id;
    for (const auto& memory : page)
      if (memory.source_turn == turn.uid) report.memories.push_back(memory.id);
  }
  ResearchQuery research;
  for (;;) {
    PANDORA_TRY(page, stores_.research.list(research, who, deadline));
    if (page.empty()) return {};
    research.after = page.back().id;
    for (const auto& one : page)
      if (one.source_turn == turn.uid) report.research.push_back(one.id);
  }
}

Result<ForgetReport> Forgetting::forget_turn(TurnNumber number, const Principal& who, const Deadline& deadline) {
  PANDORA_TRY(turn, stores_.turns.find(number, who, deadline));
  PANDORA_CHECK(saver_.checkpoint(deadline));  // every document is in its place, and the journal is empty
  ForgetReport report{"turn", turn.uid, turn.number, clock_.now(), turn.content_sha256, 0, 0, 0, 0, 0, {}, {}, {}};
  PANDORA_CHECK(find_derived(turn, report, deadline));
  PANDORA_CHECK(write_tombstone(report, deadline));
  Forgotten forgotten{Principal::of(turn.user), {turn.uid.to_string()}, {}, turn.session, {}};
  forgotten.terms =
      terms_of({turn.message.text, turn.question, turn.topic, turn.reply ? std::string_view(turn.reply->text) : ""});
  for (const Uuid& id : report.memories) {
    PANDORA_CHECK(write_tombstone({"memory", id, {}, report.at, "", 0, 0, 0, 0, 0, {}, {}, {}}, deadline));
    forgotten.ids.insert(id.to_string());
  }
  for (const Uuid& id : report.research) {
    PANDORA_CHECK(write_tombstone({"research", id, {}, report.at, "", 0, 0, 0, 0, 0, {}, {}, {}}, deadline));
    forgotten.ids.insert(id.to_string());
  }
  PANDORA_CHECK(note_forgetting(stores_.instance, clock_.now(), deadline));
  for (const auto* text : {&turn.message.text, turn.reply ? &turn.reply->text : nullptr})
    if (text && text->size() >= kMinQuote) forgotten.texts.push_back(*text);

  // The row goes after the quotes: until then it tells an interrupted forgetting what to look for. Only later turns
  // quote.
  PANDORA_TRY(last, redact_quotes(forgotten, turn.number, report, deadline));
  PANDORA_CHECK(clean_receipts(forgotten, report, deadline));
  PANDORA_TRY(removed, stores_.turns.remove(number, who, deadline));
  PANDORA_CHECK(note_forgetting(stores_.instance, clock_.now(), deadline));
  PANDORA_CHECK(stores_.research.written_elsewhere(report.research, {}, deadline));
  PANDORA_CHECK(
      saver_.drain(deadline));  // nobody writes the folder any more, and what was saved meanwhile has its files
  PANDORA_CHECK(redact_quotes(forgotten, last, report, deadline).map([](auto) {}));
  PANDORA_CHECK(clean_receipts(forgotten, report, deadline));
  for (const auto& folder : {turn_folder(number), archived_turn_folder(number)}) {
    PANDORA_TRY(documents, stores_.documents.list(folder, deadline));
    report.files += static_cast<std::int64_t>(documents.size());
    PANDORA_CHECK(stores_.documents.remove(folder, deadline));
  }
  std::vector<std::string> keys;
  for (const auto& object : turn.objects) keys.push_back(object.key);
  PANDORA_TRY(gone, saver_.remove_unnamed_objects(keys, deadline));
  report.objects = std::move(gone.keys);
  if (gone.are_left) report.objects_left = static_cast<std::int64_t>(keys.size());
  PANDORA_CHECK(finish(deadline));

  const auto derived = static_cast<std::int64_t>(report.memories.size() + report.research.size());
  report.windows = static_cast<std::int64_t>(removed.neighbours.size());
  report.rows = 1 + removed.observations + derived;
  report.points = 1 + derived;
  report.files += derived;
  log_info("turn.forgotten",
           {{"turn", number.value}, {"rows", report.rows}, {"files", report.files}, {"redacted", report.redacted}});
  return report;
}

Result<ForgetReport> Forgetting::forget_memory(const Uuid& id, const Principal& who, const Deadline& deadline) {
  PANDORA_TRY(memory, stores_.memories.find(id, who, deadline));
  if (!who.may_see(memory.user))
    return fail(ErrorCode::kPermissionDenied, fmt::format("memory {} belongs to another user", id.to_string()));
  PANDORA_CHECK(saver_.checkpoint(deadline));
  ForgetReport report{"memory", id, {}, clock_.now(), "", 1, 1, 1, 0, 0, {}, {}, {}};
  if (memory.source_turn) {
    PANDORA_TRY(turns, stores_.turns.find_all({&*memory.source_turn, 1}, who, deadline));
    if (!turns.empty()) report.said_in = turns.front().number;
  }
  PANDORA_CHECK(write_tombstone(report, deadline));
  PANDORA_CHECK(note_forgetting(stores_.instance, clock_.now(), deadline));
  // The words stay where the user said them: that turn can be forgotten too. A global memory may be quoted to
  // everybody.
  Forgotten forgotten{
      memory.scope == Scope::kGlobal ? Principal::system() : Principal::of(memory.user), {id.to_string()}, {}, {}, {}};
  if (memory.content.size() >= kMinQuote) forgotten.texts.push_back(memory.content);
  PANDORA_TRY(last, redact_quotes(forgotten, TurnNumber{}, report, deadline));
  PANDORA_CHECK(clean_receipts(forgotten, report, deadline));
  PANDORA_CHECK(stores_.memories.remove(id, who, deadline).map([](auto&&) {}));
  PANDORA_CHECK(note_forgetting(stores_.instance, clock_.now(), deadline));
  PANDORA_CHECK(saver_.drain(deadline));
  PANDORA_CHECK(redact_quotes(forgotten, last, report, deadline).map([](auto) {}));
  PANDORA_CHECK(clean_receipts(forgotten, report, deadline));
  PANDORA_CHECK(finish(deadline));
  log_info("memory.forgotten", {{"memory", id.to_string()}, {"redacted", report.redacted}});
  return report;
}

// Files that were set aside are never changed; that one holds the turn must be said. A database holds the uid as bytes.
Status Forgetting::search_quarantine(const std::string& folder, const Uuid& uid, int depth,
                                     std::vector<ForgetFinding>& left, const Deadline& deadline) {
  PANDORA_TRY(entries, stores_.documents.list(folder, deadline));
  for (const auto& entry : entries) {
    const std::string path = fmt::format("{}/{}", folder, entry.name);
    if (entry.is_directory) {
      if (depth > 0) PANDORA_CHECK(search_quarantine(path, uid, depth - 1, left, deadline));
      continue;
    }
    const auto bytes = stores_.documents.read(path, deadline);
    if (!bytes && bytes.error().code != ErrorCode::kTooLarge) return fail(bytes.error());
    const std::string_view binary(reinterpret_cast<const char*>(uid.bytes.data()), uid.bytes.size());
    if (!bytes)
      left.push_back({"quarantine", path + " is too large to look into: remove it by hand if it is no longer needed"});
    else if (bytes->find(uid.to_string()) != std::string::npos || bytes->find(binary) != std::string::npos)
      left.push_back({"quarantine", path + ": remove it by hand if it is no longer needed"});
  }
  return {};
}

Result<std::vector<ForgetFinding>> Forgetting::verify(const ForgetReport& report, const Deadline& deadline) {
  std::vector<ForgetFinding> left;
  const Principal system = Principal::system();
  const auto expect_gone = [&](bool there, const char* store, const std::string& detail) {
    if (there) left.push_back({store, detail});
  };
  // In whatever collection: also one that is being made, or that another encoder left.
  PANDORA_TRY(collections, stores_.vectors.collections(deadline));
  const auto check_point = [&](const Uuid& point, const std::string& detail) -> Status {
    for (const auto& collection : collections) {
      const auto points = stores_.vectors.retrieve(collection.name, {&point, 1}, system, deadline);
      if (!points && points.error().code == ErrorCode::kNotFound) continue;  // dropped meanwhile
      if (!points) return fail(points.error());
      expect_gone(!points->empty(), "points", detail);
    }
    return {};
  };
  const auto check_knowledge = [&](const Uuid& id, bool is_memory) -> Status {
    const bool row = is_memory ? stores_.memories.find(id, system, deadline).has_value()
                               : stores_.research.find(id, system, deadline).has_value();
    expect_gone(row, "rows", id.to_string());
    PANDORA_CHECK(check_point(point_id(is_memory ? "memory" : "research", id.to_string()), id.to_string()));
    PANDORA_TRY(file, stores_.documents.exists(is_memory ? memory_path(id) : research_path(id), deadline));
    expect_gone(file, "files", id.to_string());
    return {};
  };
  if (report.what == "turn") {
    PANDORA_TRY(rows, stores_.turns.find_all({&report.uid, 1}, system, deadline));
    expect_gone(!rows.empty(), "rows", fmt::format("turn {}", report.number.value));
    PANDORA_CHECK(check_point(turn_point_id(report.uid), fmt::format("turn {}", report.number.value)));
    for (const auto& folder : {turn_folder(report.number), archived_turn_folder(report.number)}) {
      PANDORA_TRY(there, stores_.documents.exists(folder, deadline));
      expect_gone(there, "files", folder);
    }
  } else {
    PANDORA_CHECK(check_knowledge(report.uid, true));
  }
  std::vector<Uuid> uids = {report.uid};
  uids.insert(uids.end(), report.memories.begin(), report.memories.end());
  uids.insert(uids.end(), report.research.begin(), report.research.end());
  PANDORA_TRY(receipts, stores_.receipts.naming(uids, system, deadline));
  for (const Uuid& id : receipts) expect_gone(true, "receipts", fmt::format("of recall {}", id.to_string()));
  for (const Uuid& id : report.memories) PANDORA_CHECK(check_knowledge(id, true));
  for (const Uuid& id : report.research) PANDORA_CHECK(check_knowledge(id, false));
  PANDORA_TRY(tombstone, stores_.documents.exists(tombstone_path(report.uid), deadline));
  expect_gone(!tombstone, "files", "the tombstone is missing: an old journal or backup could bring it back");

  // An object may have come back meanwhile, with a turn of its own.
  std::set<std::string> there;
  for (const auto& key : report.objects) {
    const auto object = stores_.objects.info(key, deadline);
    if (!object && object.error().code != ErrorCode::kNotFound && object.error().code != ErrorCode::kDataCorrupt)
      return fail(object.error());
    if (object || object.error().code == ErrorCode::kDataCorrupt) there.insert(key);
  }
  if (!there.empty()) {
    PANDORA_TRY(named, named_objects(stores_, there, deadline));
    for (const auto& key : there) expect_gone(!named.contains(key), "objects", key);
  }

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
      for (const auto& memory : record->memories) expect_gone(memory.id == report.uid, "documents", path + " holds it");
      expect_gone(!report.content_sha256.empty() && record->turn.content_sha256 == report.content_sha256, "documents",
                  path + " has the same content");
    }
  }
  constexpr int kDepth = 3;  // quarantine/<day>-<name>/turn_000012/webpage_cache/
  PANDORA_CHECK(search_quarantine("quarantine", report.uid, kDepth, left, deadline));
  return left;
}

}  // namespace pandora
