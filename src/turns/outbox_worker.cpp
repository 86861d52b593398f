#include "turns/outbox_worker.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "base/log.h"
#include "turns/documents.h"
#include "turns/redaction.h"
#include "wire/turn_json.h"

namespace pandora {
namespace {

Duration retry_delay(int attempts) { return std::min(kMaxRetryDelay, kMinRetryDelay * (1 << std::min(attempts, 10))); }

Result<std::vector<Indexer::Item>> items_of(std::span<const OutboxEntry> entries) {
  std::vector<Indexer::Item> items;
  for (const auto& entry : entries) {
    PANDORA_TRY(id, Uuid::parse(entry.item.key));
    items.push_back({id, entry.version});
  }
  return items;
}

// Files have no versions. Another process may change a row, or remove it, and be done with its file while this one
// writes it: so the row is read again afterwards.
template <class Row>
Status write_until_equal(const std::function<Result<std::optional<Row>>()>& read,
                         const std::function<Status(const std::optional<Row>&)>& write) {
  PANDORA_TRY(row, read());
  for (int times = 0; times < kMaxRewrites; ++times) {
    PANDORA_CHECK(write(row));
    PANDORA_TRY(now, read());
    if (now == row) return {};
    row = std::move(now);
  }
  return fail(ErrorCode::kUnavailable, "it was changed again each time it was written");
}

// What the row says now stands in the context as well, where that repeats it.
void follow_row(TurnRecord& record, const Turn& row) {
  const Turn was = std::exchange(record.turn, row);
  ContextDocument& context = record.context;
  if (context.query.question == was.question) context.query.question = row.question;
  for (auto& plan : context.plans) std::ranges::replace(plan.goals, was.question, row.question);
  for (auto& reply : context.replies)
    if (was.reply && row.reply && reply.text == was.reply->text) reply.text = row.reply->text;
}

template <class Row>
Result<std::optional<Row>> if_there(Result<Row> row) {
  if (row) return std::optional<Row>(*std::move(row));
  if (row.error().code == ErrorCode::kNotFound) return std::optional<Row>();
  return fail(std::move(row).error());
}

}  // namespace

bool is_point(OutboxKind kind) {
  return kind == OutboxKind::kTurnPoint || kind == OutboxKind::kMemoryPoint || kind == OutboxKind::kResearchPoint;
}

Result<OutboxWorker::Outcome> OutboxWorker::run_once(std::string_view owner, Duration lease, const Deadline& deadline) {
  if (holds_more_) PANDORA_CHECK(stores_.outbox.release(owner, deadline));
  holds_more_ = false;
  PANDORA_TRY(claimed, stores_.outbox.claim(owner, lease, kMaxClaim, deadline));
  const Deadline begin = Deadline::after(clock_, lease / 2);
  Outcome outcome;
  outcome.claimed = claimed.size();
  auto acked_before = acked_unheard(deadline);
  const auto is_directory = [](const OutboxEntry& entry) { return entry.item.kind == OutboxKind::kTurnDirectory; };
  if (std::ranges::any_of(claimed, is_directory)) {
    auto last = forgotten_last(deadline);
    if (!last) outcome.last_error = std::move(last).error();
    last_forgetting_ = last ? *std::move(last) : clock_.now();  // when that is not known, each is looked into
  }
  std::map<OutboxKind, std::vector<OutboxEntry>> by_kind;
  for (auto& entry : claimed) by_kind[entry.item.kind].push_back(std::move(entry));

  Status told;  // what became of them
  for (const auto& [kind, entries] : by_kind) {
    const std::size_t together = is_point(kind) ? kPointsTogether : 1;
    for (std::size_t at = 0; at < entries.size() && told; at += together)
      told = work(kind, Entries(entries).subspan(at, std::min(together, entries.size() - at)), lease, begin, outcome);
  }
  if (std::ranges::any_of(outcome.done, is_directory)) {
    const auto last = forgotten_last(Deadline::after(clock_, kOutboxAnswer));
    // Whoever forgot meanwhile may have found no files to clean, and these may have been written from the journal
    // before it was known: they are written again. Who forgets from here on finds them.
    if (!last || *last != last_forgetting_) {
      std::erase_if(outcome.done, is_directory);
      holds_more_ = true;
    }
    if (!last) outcome.last_error = last.error();
  }
  // What was done is done, whatever the outbox said of the rest.
  if (!outcome.done.empty()) {
    const auto acked = stores_.outbox.ack_all(outcome.done, Deadline::after(clock_, kOutboxAnswer));
    if (!acked) {
      for (const auto& entry : outcome.done) unheard_.emplace(entry.item.kind, entry.item.key);
      outcome.done.clear();
      told = fail(acked.error());
    }
  }
  std::ranges::move(acked_before, std::back_inserter(outcome.done));
  if (!told) outcome.last_error = Error(told.error()).with_context("outbox");
  if (!told) holds_more_ = true;
  return outcome;
}

// What waits no more was acked, and only the answer was lost; what still waits is done again. What cannot be asked now
// is asked next time.
std::vector<OutboxEntry> OutboxWorker::acked_unheard(const Deadline& deadline) {
  std::vector<OutboxEntry> acked;
  while (!unheard_.empty()) {
    const OutboxItem item{unheard_.begin()->first, unheard_.begin()->second};
    const auto waits = stores_.outbox.is_waiting(item, deadline);
    if (!waits) break;
    if (!*waits) acked.push_back({.item = item});
    unheard_.erase(unheard_.begin());
  }
  return acked;
}

Result<std::optional<Timestamp>> OutboxWorker::forgotten_last(const Deadline& deadline) {
  if (!knows_tombstones_) PANDORA_CHECK(note_tombstones(stores_, clock_.now(), deadline));
  knows_tombstones_ = true;
  return last_forgetting(stores_.instance, deadline);
}

// An error is of the outbox: what became of them could not be said.
Status OutboxWorker::work(OutboxKind kind, Entries entries, Duration lease, const Deadline& begin, Outcome& outcome) {
  // Points go together; when that fails each is tried alone, so that one bad turn does not hold up the others. But an
  // encoder or a store that does not answer is not asked again for each.
  const auto try_them = [&](Entries some) { return carry_out(kind, some, Deadline::after(clock_, lease / 2)); };
  if (begin.expired()) return holds_more_ = true, Status();
  const Status together = try_them(entries);
  const bool each = !together && entries.size() > 1 && !error_info(together.error().code).retryable;
  for (const auto& entry : entries) {
    if (each && begin.expired()) return holds_more_ = true, Status();
    const Status status = each ? try_them({&entry, 1}) : together;
    if (status) {
      outcome.done.push_back(entry);
      continue;
    }
    outcome.last_error = Error(status.error()).with_context(fmt::format("{} {}", to_string(kind), entry.item.key));
    (is_point(kind) ? outcome.points_error : outcome.files_error) = status.error();
    log_info("outbox.retry", {{"kind", to_string(kind)},
                              {"id", entry.item.key},
                              {"attempt", entry.attempts},
                              {"error", status.error().to_line()}});
    PANDORA_CHECK(stores_.outbox.retry(entry.id, entry.version, retry_delay(entry.attempts), status.error().to_line(),
                                       Deadline::after(clock_, kOutboxAnswer)));
  }
  return {};
}

// Into the space that answers, and into the one that is being made beside it: what the latter misses would be lost when
// it answers, so then it never will.
Status OutboxWorker::write_points(OutboxKind kind, Entries entries, const Deadline& deadline) {
  PANDORA_TRY(items, items_of(entries));
  const auto write_into = [&](const PointSpace& space) {
    if (kind == OutboxKind::kTurnPoint) return indexer_.index_around(space, items, deadline);
    if (kind == OutboxKind::kMemoryPoint) return indexer_.index_memories(space, items, deadline);
    return indexer_.index_research(space, items, deadline);
  };
  auto writing = spaces_.write();
  const bool ready = ready_ == writing.current().suffix;
  // What the rows keep of it comes first: it does not wait for a server that is away.
  if (!ready && kind == OutboxKind::kTurnPoint)
    PANDORA_CHECK(indexer_.embed_around(writing.current(), items, deadline));
  if (!ready) PANDORA_CHECK(indexer_.ensure_collections(writing.current(), deadline));
  ready_ = writing.current().suffix;
  if (Status written = write_into(writing.current()); !written) {
    ready_.reset();  // a server's collections may be gone when it comes back
    return written;
  }
  if (const PointSpace* next = writing.next())
    if (Status written = write_into(*next); !written) writing.next_failed(std::move(written).error());
  return {};
}

Status OutboxWorker::carry_out(OutboxKind kind, Entries entries, const Deadline& deadline) {
  if (is_point(kind)) return write_points(kind, entries, deadline);
  for (const auto& entry : entries) {
    if (kind == OutboxKind::kSourceFile) {
      PANDORA_CHECK(write_source(entry.item.key, deadline));
      continue;
    }
    PANDORA_TRY(id, Uuid::parse(entry.item.key));
    if (kind == OutboxKind::kTurnDirectory) PANDORA_CHECK(write_turn_directory(id, deadline));
    if (kind == OutboxKind::kMemoryFile) PANDORA_CHECK(write_memory(id, deadline));
    if (kind == OutboxKind::kResearchFile) PANDORA_CHECK(write_research(id, deadline));
  }
  return {};
}

// Everything of a turn but what its row says: from the journal, else from the files, else from the row alone.
Result<TurnRecord> OutboxWorker::record_of(const Turn& turn, bool& journalled, const Deadline& deadline) {
  if (const auto record = find_record_(turn.uid)) {
    journalled = true;
    TurnRecord followed = *record;
    follow_row(followed, turn);
    if (may_quote_forgotten(turn, last_forgetting_)) PANDORA_CHECK(leave_out_forgotten(followed, deadline));
    return followed;
  }
  PANDORA_TRY(files, files_of(turn, deadline));
  TurnRecord record = files ? *std::move(files) : record_from_row(turn);
  record.turn = turn;
  return record;
}

Result<std::optional<TurnRecord>> OutboxWorker::files_of(const Turn& turn, const Deadline& deadline) {
  for (const auto& folder : {turn_folder(turn.number), archived_turn_folder(turn.number)}) {
    auto record = read_turn_folder(stores_.documents, folder, deadline);
    if (record) return *std::move(record);
    const ErrorCode code = record.error().code;
    if (code == ErrorCode::kNotFound) continue;
    if (code != ErrorCode::kDataCorrupt && code != ErrorCode::kIncompatible && code != ErrorCode::kTooLarge)
      return fail(std::move(record).error());
    PANDORA_CHECK(stores_.documents.quarantine(folder, record.error().to_line(), deadline).map([](auto&&) {}));
    log_warn("turns.quarantined", {{"folder", folder}, {"reason", record.error().to_line()}});
  }
  return std::nullopt;
}

// It has its row since before the claim: who forgot after that went through it, and what was forgotten before that has
// its tombstone. Files that are there already are cleaner than the journal: whoever forgot knew the words.
Status OutboxWorker::leave_out_forgotten(TurnRecord& record, const Deadline& deadline) {
  PANDORA_TRY(forgotten, forgotten_of({&record}, stores_.documents, deadline));
  if (forgotten.empty()) return {};
  const Turn row = record.turn;
  PANDORA_TRY(files, files_of(row, deadline));
  if (files) record = *std::move(files);
  record.turn = row;
  if (!redact_quotes_of(record, forgotten)) return {};
  log_info("turn.quotes_forgotten", {{"turn", row.number.value}});
  ForgottenRows rows;
  for (const auto& id : forgotten)
    if (const auto uid = Uuid::parse(id)) rows.uids.push_back(*uid);
  PANDORA_CHECK(stores_.receipts.forget(rows, Principal::system(), deadline).map([](auto) {}));
  if (record.turn == row) return {};
  PANDORA_CHECK(clean_question(stores_.receipts, record.turn, deadline).map([](auto) {}));
  Status written = stores_.turns.rewrite(record.turn, Principal::system(), deadline, &row);
  if (!written && written.error().code == ErrorCode::kConflict)
    return fail(ErrorCode::kUnavailable, "the turn was changed while it was cleaned");  // it is tried again
  return written;
}

// A folder of this number that holds another turn (rows were lost, and numbers given anew) is never written over.
Status OutboxWorker::set_stranger_aside(const std::string& folder, const Uuid& uid, const Deadline& deadline) {
  PANDORA_TRY(there, stores_.documents.exists(folder, deadline));
  if (!there) return {};
  const auto record = read_turn_folder(stores_.documents, folder, deadline);
  if (!record || record->turn.uid == uid) return {};
  const std::string reason = fmt::format("turn {} has its number", uid.to_string());
  log_warn("turns.quarantined", {{"folder", folder}, {"reason", reason}});
  return stores_.documents.quarantine(folder, reason, deadline).map([](auto&&) {});
}

Status OutboxWorker::write_turn_directory(const Uuid& uid, const Deadline& deadline) {
  const auto read = [&]() -> Result<std::optional<Turn>> {
    PANDORA_TRY(rows, stores_.turns.find_all({&uid, 1}, Principal::system(), deadline));
    return rows.empty() ? std::nullopt : std::optional(std::move(rows.front()));
  };
  TurnNumber written;
  return write_until_equal<Turn>(read, [&](const std::optional<Turn>& turn) -> Status {
    if (turn) written = turn->number;
    if (turn) return write_folder(*turn, deadline);
    if (written.value == 0) return {};  // forgotten: whoever removed the row removes the files
    PANDORA_CHECK(stores_.documents.remove(turn_folder(written), deadline));
    return stores_.documents.remove(archived_turn_folder(written), deadline);
  });
}

Status OutboxWorker::write_folder(const Turn& turn, const Deadline& deadline) {
  const Uuid& uid = turn.uid;
  for (const auto& folder : {turn_folder(turn.number), archived_turn_folder(turn.number)})
    PANDORA_CHECK(set_stranger_aside(folder, uid, deadline));
  bool journalled = false;
  PANDORA_TRY(record, record_of(turn, journalled, deadline));
  // A record in the journal survives without its files; a change of an older turn must be on disk before it is acked.
  const Durability durability = journalled && !turn.archived ? Durability::kDeferred : Durability::kNow;
  const std::string here = turn.archived ? archived_turn_folder(turn.number) : turn_folder(turn.number);
  const std::string other = turn.archived ? turn_folder(turn.number) : archived_turn_folder(turn.number);
  PANDORA_CHECK(stores_.documents.put_folder(here, turn_documents(record), durability, deadline));
  return stores_.documents.remove(other, deadline);
}

Status OutboxWorker::write_memory(const Uuid& id, const Deadline& deadline) {
  const auto read = [&] { return if_there(stores_.memories.find(id, Principal::system(), deadline)); };
  return write_until_equal<Memory>(read, [&](const std::optional<Memory>& memory) {
    if (!memory) return stores_.documents.remove(memory_path(id), deadline);
    return stores_.documents.put(memory_path(id), encode_memory(*memory), Durability::kNow, deadline);
  });
}

Status OutboxWorker::write_research(const Uuid& id, const Deadline& deadline) {
  const auto read = [&] { return if_there(stores_.research.find(id, Principal::system(), deadline)); };
  return write_until_equal<Research>(read, [&](const std::optional<Research>& research) {
    if (!research) return stores_.documents.remove(research_path(id), deadline);
    return stores_.documents.put(research_path(id), encode_research(*research), Durability::kNow, deadline);
  });
}

Status OutboxWorker::write_source(const std::string& domain, const Deadline& deadline) {
  const Timestamp now = clock_.now();
  const auto read = [&]() -> Result<std::optional<Source>> {
    PANDORA_TRY(source, stores_.sources.find(domain, now, deadline));
    return std::optional(std::move(source));
  };
  return write_until_equal<Source>(read, [&](const std::optional<Source>& source) {
    return stores_.documents.put(site_knowledge_path(domain), encode_source(*source), Durability::kNow, deadline);
  });
}

}  // namespace pandora
