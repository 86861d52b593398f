// Work that takes longer than a lease. The clock stands still until somebody works.
#include "turns/outbox_worker.h"

#include <functional>
#include <map>

#include <gtest/gtest.h>

#include "base/hash.h"
#include "base/random.h"
#include "counted_stores.h"
#include "domain/derive.h"
#include "store_memory/memory_document_store.h"
#include "store_memory/memory_object_store.h"
#include "store_memory/memory_receipt_store.h"
#include "store_memory/memory_rows.h"
#include "store_memory/memory_vector_store.h"
#include "support/word_embedder.h"
#include "turns/documents.h"
#include "turns/redaction.h"
#include "wire/turn_json.h"

namespace pandora {
namespace {

using std::chrono::seconds;

constexpr Duration kLease = seconds(60);
constexpr int kRuns = 12;  // a worker that makes no headway would take any number

// Takes its time over each text, and looks at the deadline every second, as an encoder does between two windows.
class SlowEmbedder final : public Embedder {
 public:
  explicit SlowEmbedder(ManualClock& clock) : clock_(clock) {}
  const EmbedderIdentity& identity() const override { return inner_.identity(); }
  std::size_t count_tokens(std::string_view text) const override { return inner_.count_tokens(text); }
  Result<std::vector<std::vector<float>>> embed(std::span<const std::string_view> texts, TextRole role,
                                                const Deadline& deadline) override {
    for (const auto text : texts) {
      const int takes = text.find("log file") != std::string_view::npos ? long_text : any_text;
      for (int second = 0; second < takes; ++second) {
        PANDORA_CHECK(deadline.check("encoding"));
        clock_.advance(seconds(1));
      }
      ++encoded;
    }
    if (inner_.down) return fail(ErrorCode::kUnavailable, "the encoder is away");
    return inner_.embed(texts, role, deadline);
  }
  int long_text = 100, any_text = 0;  // seconds
  int encoded = 0;
  void go_away() { inner_.down = true; }

 private:
  ManualClock& clock_;
  testing::WordEmbedder inner_;
};

// Another process at the moment when points are written.
class VectorsWithAnother final : public VectorStore {
 public:
  Result<std::size_t> upsert(const std::string& collection, std::span<const Point> points, const Principal& who,
                             const Deadline& deadline) override {
    if (another) std::exchange(another, nullptr)();
    return inner.upsert(collection, points, who, deadline);
  }
  Status ensure_collection(const CollectionSpec& spec, const Deadline& deadline) override {
    return inner.ensure_collection(spec, deadline);
  }
  Result<std::vector<CollectionSpec>> collections(const Deadline& deadline) override {
    return inner.collections(deadline);
  }
  Status drop_collection(const std::string& collection, const Deadline& deadline) override {
    return inner.drop_collection(collection, deadline);
  }
  Status alias_switch(const std::string& alias, const std::string& collection, const Deadline& deadline) override {
    return inner.alias_switch(alias, collection, deadline);
  }
  Result<std::size_t> remove(const std::string& collection, std::span<const Uuid> ids, const Principal& who,
                             const Deadline& deadline) override {
    return inner.remove(collection, ids, who, deadline);
  }
  Result<std::vector<ScoredPoint>> query(const std::string& collection, const PointQuery& query, const Principal& who,
                                         const Deadline& deadline) override {
    return inner.query(collection, query, who, deadline);
  }
  Result<std::vector<Point>> retrieve(const std::string& collection, std::span<const Uuid> ids, const Principal& who,
                                      const Deadline& deadline) override {
    return inner.retrieve(collection, ids, who, deadline);
  }
  Result<std::vector<Point>> scroll(const std::string& collection, const Filter& filter,
                                    const std::optional<Uuid>& after, std::size_t limit, const Principal& who,
                                    const Deadline& deadline) override {
    return inner.scroll(collection, filter, after, limit, who, deadline);
  }
  Result<std::int64_t> count(const std::string& collection, const Filter& filter, const Principal& who,
                             const Deadline& deadline) override {
    return inner.count(collection, filter, who, deadline);
  }
  Status snapshot(const std::string& collection, const std::string& path, const Deadline& deadline) override {
    return inner.snapshot(collection, path, deadline);
  }
  MemoryVectorStore inner;
  std::function<void()> another;
};

// The same, at the moment when a memory was read.
class MemoriesWithAnother final : public MemoryStore {
 public:
  explicit MemoriesWithAnother(MemoryStore& all) : inner(all) {}
  Result<Memory> find(const Uuid& id, const Principal& who, const Deadline& deadline) override {
    auto memory = inner.find(id, who, deadline);
    if (another) std::exchange(another, nullptr)();
    return memory;
  }
  Status put(const Memory& memory, std::span<const Uuid> supersedes, const Principal& who,
             const Deadline& deadline) override {
    return inner.put(memory, supersedes, who, deadline);
  }
  Result<std::vector<Memory>> list(const MemoryQuery& query, const Principal& who, const Deadline& deadline) override {
    return inner.list(query, who, deadline);
  }
  Result<Memory> remove(const Uuid& id, const Principal& who, const Deadline& deadline) override {
    return inner.remove(id, who, deadline);
  }
  MemoryStore& inner;
  std::function<void()> another;
};

// Its acks are not answered while `unheard`, whether they are done or not.
class OutboxThatMumbles final : public Outbox {
 public:
  explicit OutboxThatMumbles(Outbox& all) : inner(all) {}
  Status enqueue(std::span<const OutboxItem> items, const Deadline& deadline) override {
    return inner.enqueue(items, deadline);
  }
  Result<std::vector<OutboxEntry>> claim(std::string_view owner, Duration lease, std::size_t n,
                                         const Deadline& deadline) override {
    return inner.claim(owner, lease, n, deadline);
  }
  Status release(std::string_view owner, const Deadline& deadline) override { return inner.release(owner, deadline); }
  Result<std::int64_t> last_version(const Deadline& deadline) override { return inner.last_version(deadline); }
  Status versions_through(std::int64_t version, const Deadline& deadline) override {
    return inner.versions_through(version, deadline);
  }
  Result<bool> ack(std::int64_t id, std::int64_t version, const Deadline& deadline) override {
    return inner.ack(id, version, deadline);
  }
  Result<std::size_t> ack_all(std::span<const OutboxEntry> entries, const Deadline& deadline) override {
    if (!unheard) return inner.ack_all(entries, deadline);
    if (is_done) (void)inner.ack_all(entries, deadline);
    return fail(ErrorCode::kUnavailable, "the connection ended");
  }
  Status retry(std::int64_t id, std::int64_t version, Duration delay, std::string_view error,
               const Deadline& deadline) override {
    return inner.retry(id, version, delay, error, deadline);
  }
  Result<std::int64_t> size(const Deadline& deadline) override { return inner.size(deadline); }
  Result<bool> is_waiting(const OutboxItem& item, const Deadline& deadline) override {
    if (is_silent) return fail(ErrorCode::kUnavailable, "nobody listens");
    return inner.is_waiting(item, deadline);
  }
  Outbox& inner;
  bool unheard = false, is_done = false, is_silent = false;
};

class OutboxWorkerTest : public ::testing::Test {
 protected:
  Uuid say(const std::string& session, const std::string& message) {
    TurnRecord record;
    Turn& turn = record.turn;
    turn.uid = ids_.next();
    turn.session = SessionId::parse(session).value();
    turn.user = UserId::parse("ana").value();
    turn.created_at = clock_.now();
    turn.message = {Role::kUser, "", message};
    turn.model = "a-model";
    derive_fields(turn, {}, {});
    turn.content_sha256 = content_sha256(turn.user, turn.message, turn.reply);
    record.context.turn_uid = turn.uid;
    record.context.query = {message, turn.question};
    EXPECT_TRUE(rows_->turns().commit_turn(record, Principal::system(), kNever));
    last_said_ = record;
    return turn.uid;
  }
  Result<OutboxWorker::Outcome> run() { return worker_.run_once("worker", kLease, Deadline::after(clock_, kLease)); }
  // How many runs it took until nothing waited.
  int run_until_done() {
    int runs = 0;
    while (left() > 0 && runs < kRuns) {
      ++runs;
      const auto outcome = run();
      EXPECT_TRUE(outcome) << outcome.error().to_line();
      clock_.advance(seconds(1));
    }
    return runs;
  }
  std::int64_t left() { return rows_->outbox().size(kNever).value(); }
  Status reject(bool rejected) {
    TurnChange change;
    change.rejected = rejected;
    return rows_->turns().change({1}, change, Principal::system(), kNever).map([](auto&&) {});
  }
  Memory remember(const std::string& content) {
    Memory memory;
    memory.id = ids_.next();
    memory.user = UserId::parse("ana").value();
    memory.content = content;
    memory.created_at = clock_.now();
    EXPECT_TRUE(rows_->memories().put(memory, {}, Principal::system(), kNever));
    return memory;
  }
  bool has_point(const Uuid& uid) {
    const Uuid id = turn_point_id(uid);
    return vectors_.retrieve("turns", {&id, 1}, Principal::system(), kNever).value().size() == 1;
  }

  SparseVector words_at(const Uuid& uid) {
    const Uuid id = turn_point_id(uid);
    return vectors_.retrieve("turns", {&id, 1}, Principal::system(), kNever)
        .value()
        .at(0)
        .sparse.at(std::string(kLexicalVector));
  }

  TurnRecord last_said_;
  const Deadline kNever = Deadline::never();
  ManualClock clock_;
  SeededRandom random_{7};
  UuidV7Generator ids_{clock_, random_};
  std::shared_ptr<SlowEmbedder> embedder_ = std::make_shared<SlowEmbedder>(clock_);
  std::unique_ptr<MemoryRows> rows_ = make_memory_rows(clock_);
  MemoriesWithAnother memories_{rows_->memories()};
  OutboxThatMumbles outbox_{rows_->outbox()};
  VectorsWithAnother vectors_;
  MemoryDocumentStore documents_{clock_};
  testing::Counts asked_;
  testing::CountedDocuments counted_documents_{documents_, asked_};
  MemoryObjectStore objects_;
  MemoryReceiptStore receipts_;
  PointSpaces spaces_{make_point_space(embedder_)};
  int written_ = 0;                // directories
  std::function<void()> another_;  // process, which does something while a directory is written
  Duration write_time_{};          // of each
  std::shared_ptr<const TurnRecord> journalled_;
  OutboxWorker worker_{{rows_->turns(), memories_, rows_->research(), rows_->sources(), rows_->observations(),
                        rows_->instance(), outbox_, vectors_, counted_documents_, objects_, receipts_},
                       spaces_,
                       clock_,
                       [this](const Uuid&) {
                         ++written_;
                         clock_.advance(write_time_);
                         if (another_) another_();
                         return journalled_;
                       }};
};

TEST_F(OutboxWorkerTest, ATextThatTakesLongerThanALeaseGetsItsPointAndHoldsNobodyUp) {
  const Uuid heavy = say("one", "What is wrong here? A log file follows.");
  const Uuid other = say("two", "We land in Porto at nine.");
  EXPECT_LT(run_until_done(), kRuns);
  EXPECT_TRUE(has_point(heavy));
  EXPECT_TRUE(has_point(other));
  EXPECT_EQ(embedder_->encoded, 2) << "each text once";
}

// Far more than a lease altogether: what was encoded stays, though the time is over.
TEST_F(OutboxWorkerTest, WhatWasEncodedIsNotEncodedAgain) {
  embedder_->any_text = 3;
  constexpr int kTurns = 60;
  std::vector<Uuid> uids;
  for (int i = 0; i < kTurns; ++i) uids.push_back(say("s", std::to_string(i) + std::string(6'000, 'x')));
  EXPECT_LT(run_until_done(), kRuns);
  for (const Uuid& uid : uids) EXPECT_TRUE(has_point(uid));
  EXPECT_EQ(embedder_->encoded, kTurns);
}

TEST_F(OutboxWorkerTest, HalfALeaseIsWorkedAndWhatWasDoneIsAcked) {
  write_time_ = seconds(3);
  constexpr int kTurns = 40;
  for (int i = 0; i < kTurns; ++i) (void)say("s" + std::to_string(i), "Hello.");
  const auto first = run();
  ASSERT_TRUE(first) << first.error().to_line();
  EXPECT_EQ(first->done.size(), 10u) << "30 seconds of 3 seconds each";
  EXPECT_EQ(left(), 2 * kTurns - 10);
  EXPECT_FALSE(first->last_error);
  EXPECT_LT(run_until_done(), kRuns);
  EXPECT_EQ(left(), 0);
  EXPECT_EQ(written_, kTurns) << "each directory once";
}

// The answer to the outbox has a time of its own: else nobody would learn why, and the entry would be due at once.
TEST_F(OutboxWorkerTest, WhatFailsAfterALongTimeIsSaidAndIsDueLater) {
  const Uuid uid = say("s", "A log file.");
  embedder_->go_away();
  const auto outcome = run();
  ASSERT_TRUE(outcome) << outcome.error().to_line();
  ASSERT_TRUE(outcome->last_error);
  EXPECT_EQ(outcome->last_error->code, ErrorCode::kUnavailable);
  EXPECT_EQ(outcome->done.size(), 1u) << "the directory";
  EXPECT_EQ(left(), 1);
  EXPECT_TRUE(rows_->outbox().claim("another", kLease, kMaxClaim, kNever)->empty()) << "not due yet";
  clock_.advance(kMaxRetryDelay);
  const auto later = rows_->outbox().claim("another", kLease, kMaxClaim, kNever);
  ASSERT_EQ(later->size(), 1u);
  EXPECT_EQ(later->front().item, (OutboxItem{OutboxKind::kTurnPoint, uid.to_string()}));
  EXPECT_NE(later->front().last_error.find("the encoder is away"), std::string::npos) << later->front().last_error;
}

// Whoever waits for a turn's directory would wait until the next start.
TEST_F(OutboxWorkerTest, WhatWasAckedUnheardIsToldByALaterRun) {
  const Uuid uid = say("s", "We land in Porto at nine.");
  outbox_.unheard = outbox_.is_done = true;
  const auto first = run();
  ASSERT_TRUE(first && first->last_error);
  EXPECT_TRUE(first->done.empty());
  EXPECT_EQ(left(), 0);
  outbox_.unheard = false;
  outbox_.is_silent = true;
  EXPECT_TRUE(run()->done.empty()) << "it is not known yet";
  outbox_.is_silent = false;
  const auto later = run();
  ASSERT_TRUE(later);
  std::map<OutboxKind, std::string> told;
  for (const auto& entry : later->done) told.emplace(entry.item.kind, entry.item.key);
  EXPECT_EQ(told, (std::map<OutboxKind, std::string>{{OutboxKind::kTurnDirectory, uid.to_string()},
                                                     {OutboxKind::kTurnPoint, uid.to_string()}}));
  EXPECT_TRUE(run()->done.empty()) << "once";
  EXPECT_EQ(written_, 1);
}

TEST_F(OutboxWorkerTest, WhatWasNotAckedIsDoneAgainAndToldOnce) {
  (void)say("s", "We land in Porto at nine.");
  outbox_.unheard = true;
  EXPECT_TRUE(run()->done.empty());
  EXPECT_EQ(left(), 2);
  outbox_.unheard = false;
  EXPECT_EQ(run()->done.size(), 2u);
  EXPECT_EQ(left(), 0);
  EXPECT_TRUE(run()->done.empty());
}

// Two processes on the same rows: this one is slow, and the other has forgotten the turn and removed what there was.
TEST_F(OutboxWorkerTest, WhatAnotherForgetsWhileItsDirectoryIsWrittenDoesNotComeBack) {
  (void)say("s", "The passphrase of the vault is zinnia.");
  another_ = [&] {
    ASSERT_TRUE(rows_->turns().remove({1}, Principal::system(), kNever));
    ASSERT_TRUE(documents_.remove(turn_folder({1}), kNever));
  };
  run_until_done();
  EXPECT_EQ(written_, 1) << "it was written, late";
  EXPECT_FALSE(documents_.exists(turn_folder({1}), kNever).value());
}

// On an S3 server that is a request for each turn.
TEST_F(OutboxWorkerTest, TombstonesAreLookedForOnceAndWhatThereIsIsNoted) {
  for (const char* session : {"one", "two", "three"}) {
    (void)say(session, "Hello.");
    ASSERT_TRUE(run());
  }
  EXPECT_EQ(asked_.calls["documents.list_after"], 1);
  EXPECT_FALSE(last_forgetting(rows_->instance(), kNever).value());
}

TEST_F(OutboxWorkerTest, ATombstoneThatNoNoteKnowsOfCountsAsOfNow) {
  ASSERT_TRUE(documents_.put(tombstone_path(ids_.next()), "{}", Durability::kNow, kNever));
  (void)say("one", "Hello.");
  ASSERT_TRUE(run());
  EXPECT_EQ(last_forgetting(rows_->instance(), kNever).value(), clock_.now());
  EXPECT_EQ(left(), 0);
}

// It is asked what was forgotten, then the files are written: between the two another forgets, and finds no files yet.
TEST_F(OutboxWorkerTest, WhatAnotherForgetsWhileADirectoryThatQuotesItIsWrittenIsLeftOut) {
  const Uuid forgotten = ids_.next();
  (void)say("s", "What was it?");
  TurnRecord quoting = last_said_;
  quoting.context.gathered.items.push_back({GatheredKind::kTurn, "turn 9", forgotten.to_string(), "other", clock_.now(),
                                            Trust::kUser, 1.0, 0, "User: The passphrase is zinnia."});
  journalled_ = std::make_shared<const TurnRecord>(quoting);
  another_ = [&] {
    if (written_ > 1) return;
    ASSERT_TRUE(documents_.put(tombstone_path(forgotten), "{}", Durability::kNow, kNever));
    ASSERT_TRUE(note_forgetting(rows_->instance(), clock_.now(), kNever));
  };
  const auto first = run();
  ASSERT_TRUE(first) << first.error().to_line();
  EXPECT_EQ(first->done.size(), 1u) << "its point";
  another_ = nullptr;
  EXPECT_EQ(run()->done.size(), 1u);
  EXPECT_EQ(left(), 0);
  const auto record = read_turn_folder(documents_, turn_folder({1}), kNever);
  ASSERT_TRUE(record) << record.error().to_line();
  ASSERT_EQ(record->context.gathered.items.size(), 1u);
  EXPECT_EQ(record->context.gathered.items[0].text, kForgottenText);
}

TEST_F(OutboxWorkerTest, WhatAnotherChangesWhileItsDirectoryIsWrittenIsWrittenAgain) {
  (void)say("s", "We land in Porto at nine.");
  another_ = [&] {
    if (written_ > 1) return;
    ASSERT_TRUE(reject(true));
    ASSERT_TRUE(rows_->outbox().ack_all(rows_->outbox().claim("another", kLease, kMaxClaim, kNever).value(), kNever));
  };
  ASSERT_TRUE(run());
  const auto record = read_turn_folder(documents_, turn_folder({1}), kNever);
  ASSERT_TRUE(record) << record.error().to_line();
  EXPECT_TRUE(record->turn.rejected);
}

TEST_F(OutboxWorkerTest, ADirectoryWhoseTurnChangesAllTheTimeIsTriedLater) {
  (void)say("s", "We land in Porto at nine.");
  another_ = [&] { ASSERT_TRUE(reject(written_ % 2 == 1)); };
  const auto outcome = run();
  ASSERT_TRUE(outcome && outcome->last_error);
  EXPECT_EQ(outcome->last_error->code, ErrorCode::kUnavailable);
  EXPECT_EQ(written_, kMaxRewrites);
}

TEST_F(OutboxWorkerTest, APointBringsThoseThatHoldItsWords) {
  static_assert(kWindow == 2);
  const Uuid first = say("s", "The tea is green.");
  run_until_done();
  const SparseVector alone = words_at(first);
  const Uuid second = say("s", "The door is red.");
  run_until_done();
  EXPECT_NE(words_at(first), alone) << "it holds its neighbour's words";
  say("s", "The cat sleeps.");
  run_until_done();
  const SparseVector whole = words_at(first), of_second = words_at(second);
  say("s", "The lamp is lit.");
  run_until_done();
  EXPECT_EQ(words_at(first), whole) << "the fourth is too far away";
  EXPECT_NE(words_at(second), of_second);

  const SparseVector with_first = words_at(second);
  ASSERT_TRUE(reject(true));
  run_until_done();
  EXPECT_NE(words_at(second), with_first) << "a rejected turn's words leave its neighbours";
  ASSERT_TRUE(reject(false));
  run_until_done();
  EXPECT_EQ(words_at(second), with_first) << "and come back with it";
}

TEST_F(OutboxWorkerTest, WhatAnotherForgetsWhileItsPointIsWrittenHasNoPointAfterwards) {
  const Uuid uid = say("s", "The passphrase of the vault is zinnia.");
  vectors_.another = [&] { ASSERT_TRUE(rows_->turns().remove({1}, Principal::system(), kNever)); };
  ASSERT_TRUE(run());
  EXPECT_FALSE(vectors_.another) << "a point was written";
  EXPECT_FALSE(has_point(uid));
}

TEST_F(OutboxWorkerTest, AMemoryThatAnotherSupersedesWhileItsFileIsWrittenIsSuperseded) {
  const Memory old = remember("Tea."), other = remember("Water.");
  ASSERT_TRUE(run());
  Memory changed = old;
  changed.superseded_by = other.id;
  ASSERT_TRUE(rows_->memories().put(old, {}, Principal::system(), kNever));
  memories_.another = [&] {  // and is done with its file
    ASSERT_TRUE(rows_->memories().put(changed, {}, Principal::system(), kNever));
    ASSERT_TRUE(documents_.put(memory_path(old.id), encode_memory(changed), Durability::kNow, kNever));
    const auto entries = rows_->outbox().claim("another", kLease, kMaxClaim, kNever).value();
    ASSERT_TRUE(rows_->outbox().ack_all(entries, kNever));
  };
  ASSERT_TRUE(run());
  EXPECT_FALSE(memories_.another);
  EXPECT_EQ(documents_.read(memory_path(old.id), kNever).value(), encode_memory(changed));
}

TEST_F(OutboxWorkerTest, AMemoryThatAnotherForgetsWhileItsFileIsWrittenHasNone) {
  const Memory memory = remember("The key is 4711.");
  memories_.another = [&] {
    ASSERT_TRUE(rows_->memories().remove(memory.id, Principal::system(), kNever));
    const auto entries = rows_->outbox().claim("another", kLease, kMaxClaim, kNever).value();
    ASSERT_TRUE(rows_->outbox().ack_all(entries, kNever));
  };
  ASSERT_TRUE(run());
  EXPECT_FALSE(documents_.exists(memory_path(memory.id), kNever).value());
}

}  // namespace
}  // namespace pandora
