#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <thread>

#include <fmt/format.h>

#include "base/hash.h"
#include "base/log.h"
#include "ports/row_checks.h"
#include "turns/closed_segments.h"
#include "turns/documents.h"
#include "turns/journal.h"
#include "turns/live_turns.h"
#include "turns/outbox_worker.h"
#include "turns/replayed_turns.h"
#include "turns/row_commit.h"
#include "turns/session_waits.h"
#include "turns/set_aside.h"
#include "turns/turn_objects.h"
#include "turns/turn_saver.h"
#include "wire/turn_json.h"

namespace pandora {
namespace {

// Of one step of who works here: a store that hangs must not hold up the program's end for ever.
constexpr Duration kStepBudget = std::chrono::seconds(60);
constexpr Duration kDrainPoll = std::chrono::milliseconds(2);
// A database that is back is noticed within so long, however long it was away. It is cheap to ask one that is not.
constexpr Duration kMaxPause = std::chrono::seconds(1);
// Who waits for a session's row waits no longer once rows have failed for so long: it would be in vain.
constexpr Duration kHope = std::chrono::seconds(2);
constexpr Duration kStatusPatience = std::chrono::seconds(2);
constexpr Duration kPoll = std::chrono::milliseconds(200);  // for entries that become due, and for new ones of others

class JournalledTurnSaver final : public TurnSaver {
 public:
  JournalledTurnSaver(SaverOptions options, Stores stores, PointSpaces& spaces, const Clock& clock)
      : options_(std::move(options)),
        stores_(stores),
        spaces_(spaces),
        clock_(clock),
        objects_(stores, options_.is_alone),
        outbox_(stores, spaces, clock, [this](const Uuid& uid) { return record_of(uid); }),
        last_checkpoint_(clock.steady()) {}

  ~JournalledTurnSaver() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    changed_.notify_all();
    waits_.notify_all();
    for (std::thread* one : {&row_writer_, &follower_, &watcher_})
      if (one->joinable()) one->join();
  }

  Status open(FileSystem& files) {
    const auto replay = [this](std::string_view payload) { return replay_record(payload); };
    const auto damage = [this](const std::string& segment, const JournalDamage& range, std::string_view bytes) {
      return set_aside(
          stores_.documents, fmt::format("journal/{}-{}", segment.substr(segment.rfind('/') + 1), range.offset), bytes,
          fmt::format("{} bytes of {} at {}: {}", range.length, segment, range.offset, range.reason), step());
    };
    auto journal = Journal::open(files, options_.journal_directory, options_.segment_bytes, replay, damage);
    if (!journal) return fail(std::move(journal).error().with_context("journal"));
    journal_ = *std::move(journal);
    replayed_.assign(pending_.begin(), pending_.end());
    row_writer_ = std::thread([this] { write_rows(); });
    follower_ = std::thread([this] { follow_rows(); });
    watcher_ = std::thread([this] { watch(); });
    return {};
  }

  Status save(const TurnRecord& given, std::span<const Attachment> attachments, const Deadline& deadline) override {
    PANDORA_CHECK(deadline.check("saving the turn"));
    TurnRecord record = given;
    PANDORA_TRY(held, objects_.keep(attachments, record.turn, deadline));  // until the turn is acknowledged, or not
    // What no row may hold could never be written: it is refused now, not set aside once it is acknowledged.
    PANDORA_CHECK(check_record(record, Principal::of(record.turn.user)));
    const std::string payload = encode_record(record);
    // What a replay could not read would be lost after all: such a record is refused, not acknowledged.
    auto readable = decode_record(payload);
    if (!readable && readable.error().code == ErrorCode::kTooLarge) return fail(std::move(readable).error());
    if (!readable) return fail(ErrorCode::kInvalidArgument, "the turn cannot be kept: " + readable.error().message);
    std::shared_lock gate(rotation_);  // a checkpoint must not come between the journal and the queue
    PANDORA_CHECK(hold(payload.size()));
    const SteadyTime begun = clock_.steady();
    if (Status kept = journal_->append(payload); !kept) {
      const std::lock_guard lock(mutex_);
      live_.let_go(payload.size());
      return kept;
    }
    if (options_.on_sync) options_.on_sync(std::chrono::duration_cast<Duration>(clock_.steady() - begun));
    enqueue(std::make_shared<const TurnRecord>(*std::move(readable)), payload.size());
    gate.unlock();
    if (is_shared_) wait_row(record.turn.uid);
    return {};
  }

  void set_shared(bool shared) override { is_shared_ = shared; }

  Result<TurnNumber> wait_findable(const Uuid& turn_uid, const Deadline& deadline) override {
    std::unique_lock lock(mutex_);
    const bool done = wait(lock, deadline, [&] {
      const LiveTurn* live = live_.find(turn_uid);
      return !live || live->findable();
    });
    if (!done)
      return fail(ErrorCode::kDeadlineExceeded,
                  fmt::format("turn {} is acknowledged, but not yet findable", turn_uid.to_string()));
    if (const LiveTurn* live = live_.find(turn_uid)) return live->number;
    lock.unlock();
    PANDORA_TRY(rows, stores_.turns.find_all({&turn_uid, 1}, Principal::system(), deadline));
    if (rows.empty()) return fail(ErrorCode::kNotFound, fmt::format("there is no turn {}", turn_uid.to_string()));
    return rows.front().number;
  }

  Status wait_session(const SessionId& session, const Deadline& deadline) override {
    std::unique_lock lock(mutex_);
    (void)wait(lock, deadline, [&] { return live_.is_quiet(session) || waits_in_vain(session); });
    return live_.is_quiet(session) ? Status() : Status(not_findable(session));
  }

  bool after_session(const SessionId& session, const Deadline& deadline, std::function<void(Status)> call) override {
    const std::lock_guard lock(mutex_);
    if (live_.is_quiet(session)) return true;
    waiting_.add(session, deadline, std::move(call));
    waits_.notify_one();
    return false;
  }

  Status wait_rows(const Deadline& deadline) override {
    std::unique_lock lock(mutex_);
    if (wait(lock, deadline, [&] { return pending_.empty(); })) return {};
    return fail(ErrorCode::kDeadlineExceeded, fmt::format("{} turns wait for their rows", pending_.size()),
                trouble() ? trouble()->to_line() : "");
  }

  Status drain(const Deadline& deadline) override {
    Patience patience = begin_waiting();
    for (;;) {
      bool all_in_rows = false;
      {
        std::unique_lock lock(mutex_);
        const std::uint64_t mine = ++asked_;
        wake_.notify_all();
        if (!wait(lock, deadline, [&] { return (pending_.empty() && looked_ >= mine) || stuck(patience); })) break;
        all_in_rows = pending_.empty();
      }
      PANDORA_TRY(left, stores_.outbox.size(deadline));
      std::unique_lock lock(mutex_);
      // A turn that waited when the outbox was counted, and has its row since, has brought entries of its own.
      if (left == 0 && all_in_rows && pending_.empty()) return {};
      if (deadline.expired()) break;
      if (stuck(patience))
        return fail(
            last_error_.code,
            fmt::format("{} turns and {} files and points wait: {}", pending_.size(), left, last_error_.message),
            last_error_.remedy);
      // What is left is due later: looked at again after a while, not in a tight circle.
      changed_.wait_for(lock, std::min<Duration>(deadline.remaining(), kDrainPoll));
    }
    const SaverStatus now = status();
    return fail(ErrorCode::kDeadlineExceeded,
                fmt::format("{} turns and {} files and points still wait", now.pending, now.outbox), now.last_error);
  }

  Status checkpoint(const Deadline& deadline) override {
    std::optional<std::uint64_t> closed;  // none: the journal holds nothing
    {
      const std::unique_lock gate(rotation_);  // which every save passes: nothing is waited for within
      if (!journal_->empty()) {
        PANDORA_TRY(last, journal_->rotate());
        closed = last;
      }
    }
    PANDORA_CHECK(drain(deadline));
    return closed ? drop(0, *closed, deadline) : Status();
  }

  Result<RemovedObjects> remove_unnamed_objects(const std::vector<std::string>& keys,
                                                const Deadline& deadline) override {
    return objects_.remove_unnamed(keys, [this](const Deadline& until) { return drain(until); }, deadline);
  }

  SaverStatus status() override {
    SaverStatus status;
    status.outbox = stores_.outbox.size(Deadline::after(clock_, kStatusPatience)).value_or(-1);
    const std::lock_guard lock(mutex_);
    status.pending = static_cast<std::int64_t>(pending_.size());
    if (trouble()) status.last_error = trouble()->to_line();
    if (rows_trouble_) status.rows_error = rows_trouble_->to_line();
    if (rows_trouble_ || status.outbox == 0) return status;  // it may be that of the rows, or another did it
    if (points_trouble_) status.points_error = points_trouble_->to_line();
    if (files_trouble_) status.files_error = files_trouble_->to_line();
    return status;
  }

  std::int64_t pending() override {
    const std::lock_guard lock(mutex_);
    return static_cast<std::int64_t>(pending_.size());
  }

 private:
  // Real time passes in a wait; the deadline's clock decides.
  template <class Condition>
  bool wait(std::unique_lock<std::mutex>& lock, const Deadline& deadline, Condition condition) {
    while (!condition()) {
      if (deadline.expired()) return false;
      changed_.wait_for(lock, std::min<Duration>(deadline.remaining(), kPoll));
    }
    return true;
  }

  void wait_row(const Uuid& uid) {
    std::unique_lock lock(mutex_);
    (void)wait(lock, Deadline::after(clock_, options_.seen_by_others), [&] {
      const LiveTurn* live = live_.find(uid);
      return !live || live->number.value > 0 || rows_fail_since_ || stopping_;
    });
  }

  // A turn of it waits for its row, and rows have failed for a while.
  bool waits_in_vain(const SessionId& session) const {  // under mutex_
    return rows_fail_since_ && clock_.steady() - *rows_fail_since_ >= kHope && live_.lacks_row(session);
  }
  tl::unexpected<Error> not_findable(const SessionId& session) const {  // under mutex_
    return fail(ErrorCode::kDeadlineExceeded, fmt::format("the last turn of session {} is not yet findable{}",
                                                          session.str(), trouble() ? ": " + trouble()->message : ""));
  }
  // What is tried just now and fails; null: nothing.
  const Error* trouble() const {  // under mutex_
    return rows_trouble_ ? &*rows_trouble_ : outbox_trouble_ ? &*outbox_trouble_ : nullptr;
  }

  Deadline step() const { return Deadline::after(clock_, kStepBudget); }

  TurnRecordPtr record_of(const Uuid& uid) {
    const std::lock_guard lock(mutex_);
    const LiveTurn* live = live_.find(uid);
    return live ? live->record : nullptr;
  }

  // Room for one more, however many come at once.
  Status hold(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    if (pending_.size() >= options_.max_pending)
      return fail(ErrorCode::kResourceExhausted, fmt::format("{} turns wait for the database", pending_.size()),
                  "see `pandora doctor`; nothing acknowledged is lost");
    return live_.hold(bytes, options_.max_held_bytes);
  }

  void enqueue(TurnRecordPtr record, std::size_t held) {
    const std::lock_guard lock(mutex_);
    live_.add(record, held);
    pending_.push_back(std::move(record));
    wake_.notify_all();
  }

  Status replay_record(std::string_view payload) {
    auto record = decode_record(payload);
    if (!record && record.error().code == ErrorCode::kIncompatible) return fail(std::move(record).error());
    if (!record)
      return set_aside(stores_.documents, "journal/record-" + sha256_hex(payload).substr(0, 16), payload,
                       record.error().to_line(), step());
    PANDORA_TRY(forgotten, stores_.documents.exists(tombstone_path(record->turn.uid), step()));
    if (forgotten) return {};
    live_.hold_anyway(payload.size());  // also past what may be held: it is acknowledged
    enqueue(std::make_shared<const TurnRecord>(*std::move(record)), payload.size());
    return {};
  }

  // Once before the first row: rows may be out of reach when the program starts. Turns that were replayed and have
  // their row need no more than their files; the others get their row.
  Status prepare() {
    if (options_.before_rows) PANDORA_CHECK(options_.before_rows(step()));
    // What a dead process of this name had taken is free again, not only when its leases run out.
    PANDORA_CHECK(stores_.outbox.release(options_.owner, step()));
    PANDORA_TRY(found, compare_replayed(replayed_, stores_, Deadline::never()));
    std::vector<OutboxItem> files;
    for (const auto& [uid, number] : found.without_files)
      files.push_back({OutboxKind::kTurnDirectory, uid.to_string()});
    PANDORA_CHECK(stores_.outbox.enqueue(files, step()));
    const std::lock_guard lock(mutex_);
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(replayed_.size()));
    pending_.insert(pending_.begin(), found.without_row.begin(), found.without_row.end());
    for (const auto& record : found.without_row) live_.replace_record(record);
    for (const Uuid& uid : found.whole) live_.forget(uid);
    // The outbox knows whether the point is there; it is as durable as the row.
    for (const auto& [uid, number] : found.without_files) live_.has_row_and_point(uid, number);
    replayed_.clear();
    is_prepared_ = true;
    rows_trouble_.reset();
    rows_fail_since_.reset();
    wake_.notify_all();
    changed_.notify_all();
    return {};
  }

  // Of a drain: nothing has moved for a while, and what was tried meanwhile failed.
  struct Patience {
    SteadyTime since;
    std::uint64_t moves, failures;
  };
  Patience begin_waiting() {
    const std::lock_guard lock(mutex_);
    return {clock_.steady(), moves_, failures_};
  }
  bool stuck(Patience& patience) const {
    if (patience.moves != moves_) patience = {clock_.steady(), moves_, failures_};
    return patience.failures != failures_ && clock_.steady() - patience.since >= options_.stuck_after;
  }

  // ── rows ──

  // In the order in which turns were acknowledged, whatever becomes of their files and points meanwhile.
  void write_rows() {
    Duration backoff = kMinRetryDelay;
    for (;;) {
      TurnRecordPtr next;
      std::uint64_t asked = 0;
      bool prepared = false;
      {
        std::unique_lock lock(mutex_);
        prepared = is_prepared_;
        if (prepared) wake_.wait(lock, [&] { return stopping_ || !pending_.empty(); });
        if (stopping_) return;
        if (prepared) next = pending_.front();
        asked = asked_;
      }
      Status prepares;
      if (!next) prepares = prepare();
      if (!prepares) note_rows_error(prepares.error());
      if (next ? commit(next) : prepares.has_value()) {
        backoff = kMinRetryDelay;
        continue;
      }
      sleep(backoff, asked);
      backoff = std::min(backoff * 2, kMaxPause);
    }
  }

  // ── what follows them ──

  void follow_rows() {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stopping_ || is_prepared_; });
    }
    for (;;) {
      std::uint64_t asked = 0;
      bool rows_fail = false;
      {
        const std::lock_guard lock(mutex_);
        if (stopping_) return;
        asked = asked_;
        rows_fail = rows_fail_since_.has_value();
      }
      // Where rows cannot be written nothing can be claimed: who writes them says so, and when that is over.
      const bool worked = !rows_fail && run_outbox();
      checkpoint_when_due();
      if (worked) continue;
      if (!rows_fail) look_for_points();
      {
        const std::lock_guard lock(mutex_);
        looked_ = asked;
      }
      sleep(kPoll, asked);
    }
  }

  // Or until somebody asks for more than this.
  void sleep(Duration time, std::uint64_t asked) {
    std::unique_lock lock(mutex_);
    changed_.notify_all();
    wake_.wait_for(lock, time, [&] { return stopping_ || asked_ != asked; });
  }

  // true: the head of the queue is dealt with.
  bool commit(const TurnRecordPtr& record) {
    if (std::exchange(tried_, record->turn.uid) == record->turn.uid && is_forgotten(record->turn.uid)) {
      dealt_with(*record, {});
      return true;
    }
    const auto number = commit_row(stores_.turns, *record, step());
    if (!number && !is_hopeless(stores_.turns, record->turn, number.error().code, step())) {
      note_rows_error(number.error());
      return false;
    }
    if (!number) {
      // It can never be written as it is; it must neither block the others nor be lost.
      const Status aside = set_aside(stores_.documents, "turn-" + record->turn.uid.to_string() + ".json",
                                     encode_record(*record), number.error().to_line(), step());
      if (!aside) return note(rows_trouble_, aside.error()), false;
    }
    if (number) tell_of_research(stores_.research, *record, step());
    dealt_with(*record, number ? *number : TurnNumber());
    return true;
  }
  // An attempt that failed may have made the row for all that, which somebody has seen and forgotten since. Where that
  // cannot be asked, rows do not wait for it.
  bool is_forgotten(const Uuid& uid) const {
    return stores_.documents.exists(tombstone_path(uid), Deadline::after(clock_, kStatusPatience)).value_or(false);
  }
  // No number: it gets no row.
  void dealt_with(const TurnRecord& record, TurnNumber number) {
    const std::lock_guard lock(mutex_);
    pending_.pop_front();
    if (number.value > 0) {
      live_.has_row(record.turn.uid, number);
    } else {
      live_.forget(record.turn.uid);
      closed_.arrived(record.turn.uid);
    }
    ++moves_;
    rows_fail_since_.reset();
    rows_trouble_.reset();
    ++asked_;
    wake_.notify_all();
    changed_.notify_all();
  }

  // true: there was something to do.
  bool run_outbox() {
    // A claim whose answer was lost may have been one: its lease would hold everybody up, this process too.
    if (is_claim_unknown_ && !stores_.outbox.release(options_.owner, step())) return false;
    auto outcome = outbox_.run_once(options_.owner, options_.lease, step());
    const bool is_back = std::exchange(is_claim_unknown_, !outcome) && outcome;
    if (!outcome) {
      note(outbox_trouble_, outcome.error());
      return false;
    }
    const std::lock_guard lock(mutex_);
    if (is_back) outbox_trouble_.reset();
    for (const auto& entry : outcome->done) mark(entry.item);
    if (outcome->points_error) points_trouble_ = outcome->points_error;
    if (outcome->files_error) files_trouble_ = outcome->files_error;
    if (!outcome->done.empty()) ++moves_;
    if (outcome->last_error)
      failed(outbox_trouble_, *outcome->last_error, outbox_trouble_.has_value());  // others may fail in other ways
    else if (!outcome->done.empty())
      outbox_trouble_.reset();
    changed_.notify_all();
    return !outcome->done.empty();
  }

  // Of turns that wait for theirs: another process may have taken the entry up, and says nothing.
  void look_for_points() {
    std::vector<Uuid> without;
    {
      const std::lock_guard lock(mutex_);
      without = live_.without_point(kMaxClaim);
    }
    const auto found =
        turns_with_points(without, *spaces_.current(), stores_, Deadline::after(clock_, kStatusPatience));
    const std::lock_guard lock(mutex_);
    for (const auto& uid : found) live_.arrived(uid, OutboxKind::kTurnPoint);
    if (!found.empty()) changed_.notify_all();
  }

  void mark(const OutboxItem& item) {  // under mutex_
    (is_point(item.kind) ? points_trouble_ : files_trouble_).reset();
    if (item.kind != OutboxKind::kTurnDirectory && item.kind != OutboxKind::kTurnPoint) return;
    const auto uid = Uuid::parse(item.key);
    if (!uid) return;
    if (item.kind == OutboxKind::kTurnDirectory) closed_.arrived(*uid);
    live_.arrived(*uid, item.kind);
  }

  void note(std::optional<Error>& trouble, const Error& error) {
    const std::lock_guard lock(mutex_);
    failed(trouble, error, trouble && trouble->message == error.message);
  }
  void note_rows_error(const Error& error) {
    note(rows_trouble_, error);
    const std::lock_guard lock(mutex_);
    if (!rows_fail_since_) rows_fail_since_ = clock_.steady();
  }
  // Said once, not at every attempt.
  void failed(std::optional<Error>& trouble, const Error& error, bool known) {  // under mutex_
    if (!known) log_warn("saver.waits", {{"error", error.to_line()}});
    ++failures_;
    trouble = last_error_ = error;
  }

  // From time to time the journal goes on in a new segment; once every turn of the old ones has its row and its files,
  // they are dropped. Also while more keeps coming: what a start must replay is what was under way, not all of a long
  // import. A turn that waits for long holds up its own segments alone: full ones are closed meanwhile.
  void checkpoint_when_due() {
    const bool is_time = closed_.empty() && clock_.steady() - last_checkpoint_ >= options_.checkpoint_interval;
    if ((is_time || journal_->wants_checkpoint()) && !journal_->empty()) close_segments();
    std::vector<ClosedSegments::Range> done;
    {
      const std::lock_guard lock(mutex_);
      done = closed_.take_done();
    }
    for (const auto& [first, last] : done)
      if (const Status dropped = drop(first, last, step()); !dropped) note(outbox_trouble_, dropped.error());
  }

  void close_segments() {
    last_checkpoint_ = clock_.steady();
    const std::unique_lock gate(rotation_);
    const auto last = journal_->rotate();
    if (!last) return note(outbox_trouble_, last.error());
    const std::lock_guard lock(mutex_);
    closed_.close(*last, live_.without_directory());  // points may wait: they come from rows
  }

  Status drop(std::uint64_t first, std::uint64_t last, const Deadline& deadline) {
    const std::lock_guard alone(dropping_);
    PANDORA_CHECK(stores_.documents.sync(deadline));
    return journal_->drop(first, last);
  }

  // Who waits for a session is told by a thread of its own: the others may be in a step that hangs.
  void watch() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      if (waiting_.empty()) {
        waits_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
        continue;
      }
      const bool rows_fail = rows_fail_since_ && clock_.steady() - *rows_fail_since_ >= kHope;
      const auto why = [&](const SessionId& session) { return Status(not_findable(session)); };
      Duration patience = kPoll;
      auto told = waiting_.take_told(live_.behind(), rows_fail, why, patience);
      if (told.empty()) {
        changed_.wait_for(lock, patience);
        continue;
      }
      lock.unlock();
      for (auto& [call, how] : told) call(std::move(how));
      told.clear();
      lock.lock();
    }
  }

  const SaverOptions options_;
  Stores stores_;
  const PointSpaces& spaces_;
  const Clock& clock_;
  TurnObjects objects_;
  OutboxWorker outbox_;
  std::unique_ptr<Journal> journal_;
  std::shared_mutex rotation_;
  std::mutex dropping_;  // the follower and a checkpoint may both have segments to drop

  std::mutex mutex_;
  // The two that work; whoever waits for them; the watcher, when somebody does.
  std::condition_variable wake_, changed_, waits_;
  std::deque<TurnRecordPtr> pending_;
  std::vector<TurnRecordPtr> replayed_;  // the head of pending_, until it is prepared
  bool is_prepared_ = false;
  bool is_claim_unknown_ = false;  // of the follower
  Uuid tried_;                     // by whoever writes rows, last
  LiveTurns live_;
  Error last_error_;
  // Until the next success of its kind.
  std::optional<Error> rows_trouble_, outbox_trouble_, points_trouble_, files_trouble_;
  std::optional<SteadyTime> rows_fail_since_;
  std::uint64_t moves_ = 0, failures_ = 0;  // so far
  // How often the follower was to look: after a row, and for whoever drains; and what of it the last look that found
  // nothing to do came after.
  std::uint64_t asked_ = 0, looked_ = 0;
  std::atomic<bool> is_shared_ = false;
  bool stopping_ = false;
  ClosedSegments closed_;  // made and taken by the follower alone; under mutex_
  SessionWaits waiting_;   // bounded by whoever starts turns
  SteadyTime last_checkpoint_;
  std::thread row_writer_, follower_, watcher_;
};

}  // namespace

Result<std::unique_ptr<TurnSaver>> TurnSaver::open(const SaverOptions& options, Stores stores, PointSpaces& spaces,
                                                   FileSystem& files, const Clock& clock) {
  auto saver = std::make_unique<JournalledTurnSaver>(options, stores, spaces, clock);
  PANDORA_CHECK(saver->open(files));
  return saver;
}

}  // namespace pandora
