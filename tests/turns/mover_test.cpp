// A move between two sets of stores: what is killed in the middle, and what changes meanwhile.
#include "turns/mover.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "base/hash.h"
#include "base/random.h"
#include "domain/derive.h"
#include "store_memory/memory_document_store.h"
#include "store_memory/memory_key_store.h"
#include "store_memory/memory_object_store.h"
#include "store_memory/memory_receipt_store.h"
#include "store_memory/memory_rows.h"
#include "store_memory/memory_vector_store.h"
#include "turns/documents.h"

namespace pandora {
namespace {

const Deadline kNever = Deadline::never();
const Principal kSystem = Principal::system();

struct Attempts final : AttemptLog {
  Result<std::vector<SourceAttempt>> list(const Deadline&) override { return all; }
  Status replace(const std::vector<SourceAttempt>& attempts, const Deadline&) override {
    return all = attempts, Status();
  }
  std::vector<SourceAttempt> all;
};
// Writes, and then its answer is lost once; or it is away until a time.
struct LostAnswers final : ObservationStore {
  explicit LostAnswers(ObservationStore& store) : inner(store) {}
  Status add(const std::vector<Observation>& observations, const Deadline& deadline) override {
    PANDORA_CHECK(inner.add(observations, deadline));
    if (std::exchange(lost, false)) return fail(ErrorCode::kDeadlineExceeded, "no answer in time");
    return {};
  }
  Result<std::vector<ObservationRow>> list(const ObservationQuery& query, const Principal& who,
                                           const Deadline& deadline) override {
    if (away()) return fail(ErrorCode::kUnavailable, "nobody listens");
    return inner.list(query, who, deadline);
  }
  ObservationStore& inner;
  bool lost = false;
  std::function<bool()> away = [] { return false; };
};
struct LostKeys final : KeyStore {
  Status add(const ApiKey& key, const Deadline& deadline) override {
    PANDORA_CHECK(inner.add(key, deadline));
    if (std::exchange(lost, false)) return fail(ErrorCode::kUnavailable, "the connection ended");
    return {};
  }
  Result<std::vector<ApiKey>> list(const Deadline& deadline) override { return inner.list(deadline); }
  Result<ApiKey> revoke(const Uuid& id, Timestamp at, const Deadline& deadline) override {
    return inner.revoke(id, at, deadline);
  }
  Status remove(const Uuid& id, const Deadline& deadline) override { return inner.remove(id, deadline); }
  Status note_uses(const std::vector<std::pair<Uuid, Timestamp>>& uses, const Deadline& deadline) override {
    return inner.note_uses(uses, deadline);
  }
  MemoryKeyStore inner;
  bool lost = false;
};
struct NoVectors final : TurnVectorLog {
  Result<std::vector<KeptVector>> list(const std::optional<std::pair<Uuid, std::string>>&, std::size_t,
                                       const Deadline&) override {
    return std::vector<KeptVector>();
  }
  Status put(std::span<const KeptVector>, const Deadline&) override { return {}; }
};

// Fails at its next `forget`, as a program that is killed there.
struct KilledReceipts final : ReceiptStore {
  Status put(std::span<const RecallReceipt> receipts, const Principal& who, const Deadline& deadline) override {
    return inner.put(receipts, who, deadline);
  }
  Result<RecallReceipt> find(const Uuid& id, const Principal& who, const Deadline& deadline) override {
    return inner.find(id, who, deadline);
  }
  Result<std::vector<RecallReceipt>> list(const ReceiptQuery& query, const Principal& who,
                                          const Deadline& deadline) override {
    return inner.list(query, who, deadline);
  }
  Result<std::int64_t> forget(const ForgottenRows& rows, const Principal& who, const Deadline& deadline) override {
    if (std::exchange(killed, false)) return fail(ErrorCode::kCancelled, "killed");
    return inner.forget(rows, who, deadline);
  }
  Result<std::vector<Uuid>> naming(std::span<const Uuid> uids, const Principal& who,
                                   const Deadline& deadline) override {
    return inner.naming(uids, who, deadline);
  }
  Result<ReceiptStatus> status(const Deadline& deadline) override { return inner.status(deadline); }
  MemoryReceiptStore inner;
  bool killed = false;
};

struct Side {
  explicit Side(const Clock& clock) : rows(make_memory_rows(clock)), observations(rows->observations()) {}
  MoveSide side(DocumentStore& documents, ObjectStore& objects) {
    return {{rows->turns(), rows->memories(), rows->research(), rows->sources(), observations, rows->instance(),
             rows->outbox(), vectors, documents, objects, receipts},
            keys,
            attempts,
            kept_vectors};
  }
  std::unique_ptr<MemoryRows> rows;
  LostAnswers observations;
  MemoryVectorStore vectors;
  KilledReceipts receipts;
  LostKeys keys;
  Attempts attempts;
  NoVectors kept_vectors;
};

class MoverTest : public ::testing::Test {
 protected:
  Turn say(Side& side, const std::string& message, std::size_t observations = 2) {
    TurnRecord record;
    Turn& turn = record.turn;
    turn.uid = ids_.next();
    turn.session = SessionId::parse("s").value();
    turn.user = UserId::parse("ana").value();
    turn.created_at = clock_.now();
    turn.message = {Role::kUser, "", message};
    turn.model = "a-model";
    derive_fields(turn, {}, {});
    turn.content_sha256 = content_sha256(turn.user, turn.message, turn.reply);
    record.context.turn_uid = turn.uid;
    record.context.query = {message, turn.question};
    for (std::size_t i = 0; i < observations; ++i) record.observations.push_back(observation(turn.uid, "phase 2"));
    turn.number = side.rows->turns().commit_turn(record, kSystem, kNever).value();
    return turn;
  }
  Observation observation(const Uuid& turn, const std::string& name) {
    return {turn, ObservationKind::kPhase, name, clock_.now(), 1'000, 0, 0, true, "", std::nullopt};
  }
  void forget(const Turn& turn) {
    ASSERT_TRUE(documents_.put(tombstone_path(turn.uid), "{}", Durability::kNow, kNever));
    ASSERT_TRUE(from_.rows->turns().remove(turn.number, kSystem, kNever));
    ASSERT_TRUE(from_.receipts.forget({{turn.uid}, {turn.message.text}}, kSystem, kNever));
  }
  std::vector<std::string> observed(Side& side) {
    std::vector<std::string> all;
    const auto rows = side.rows->observations().list({}, kSystem, kNever).value();
    for (const auto& row : rows) all.push_back(row.observation.turn_uid.to_string() + " " + row.observation.name);
    std::ranges::sort(all);
    return all;
  }
  static MoveCount count(const MovePass& pass, const std::string& kind) {
    return *std::ranges::find(pass.counts, kind, &MoveCount::kind);
  }
  Result<MovePass> pass(const Mover::Progress& progress = [](auto, auto, auto) { return Status(); }) {
    Patience patience(
        clock_,
        [&](const Error& why, Duration) {
          told_.push_back(why.message);
          return Status();
        },
        [&](Duration pause) { clock_.advance(pause); });
    return Mover(from_.side(documents_, objects_), to_.side(documents_, objects_), false, clock_, patience)
        .pass(progress, kNever);
  }

  ManualClock clock_;
  SeededRandom random_{7};
  UuidV7Generator ids_{clock_, random_};
  MemoryDocumentStore documents_{clock_};
  MemoryObjectStore objects_;
  Side from_{clock_}, to_{clock_};
  std::vector<std::string> told_;  // while a store was waited for
};

// A server gives versions that are ahead of the clock. The points stay: what is written of them next must be newer.
TEST_F(MoverTest, TheOtherSideGivesVersionsAboveThoseThatThePointsHave) {
  ASSERT_TRUE(from_.rows->outbox().versions_through(clock_.now().micros + kMaxOutboxWait.count(), kNever));
  (void)say(from_, "We land in Porto at nine.");
  const std::int64_t last = from_.rows->outbox().last_version(kNever).value();
  ASSERT_TRUE(pass());
  (void)say(to_, "And on Monday we fly back.");
  const auto entries = to_.rows->outbox().claim("worker", kMaxOutboxWait, kMaxClaim, kNever).value();
  ASSERT_FALSE(entries.empty());
  for (const auto& entry : entries) EXPECT_GT(entry.version, last);
}

TEST_F(MoverTest, AMoveThatIsKilledWhileItForgetsForgetsTheReceiptsToo) {
  const Turn turn = say(from_, "The passphrase of the vault is zinnia.");
  RecallReceipt asked, searched;
  asked.id = ids_.next();
  asked.turn = turn.uid;
  searched.id = ids_.next();
  for (RecallReceipt* receipt : {&asked, &searched}) {
    receipt->user = turn.user;
    receipt->session = turn.session;
    receipt->question = turn.message.text;
    receipt->at = clock_.now();
    ASSERT_TRUE(from_.receipts.put({receipt, 1}, kSystem, kNever));
  }
  ASSERT_TRUE(pass());
  ASSERT_TRUE(to_.receipts.find(asked.id, kSystem, kNever));
  forget(turn);
  ASSERT_FALSE(from_.receipts.find(asked.id, kSystem, kNever));
  to_.receipts.killed = true;
  ASSERT_FALSE(pass());
  const auto again = pass();
  ASSERT_TRUE(again) << again.error().to_line();
  EXPECT_TRUE(to_.rows->turns().find_all({&turn.uid, 1}, kSystem, kNever)->empty());
  EXPECT_TRUE(to_.receipts.list({}, kSystem, kNever)->empty());
}

TEST_F(MoverTest, ObservationsAreThereAsOftenAsHereWhateverTheirOrder) {
  const Turn one = say(from_, "One.", 3), two = say(from_, "Two.", 0);
  ASSERT_TRUE(from_.rows->observations().add(
      {observation(two.uid, "a"), observation(two.uid, "b"), observation(ids_.next(), "of no turn")}, kNever));
  ASSERT_TRUE(pass());
  EXPECT_EQ(observed(to_), observed(from_));
  // Some are lost there, some are new here, and the order is another.
  ASSERT_TRUE(from_.rows->observations().add(
      {observation(two.uid, "a"), observation(one.uid, "phase 2"), observation(one.uid, "c")}, kNever));
  const auto second = pass();
  ASSERT_TRUE(second) << second.error().to_line();
  EXPECT_EQ(count(*second, "observations").written, 3);
  EXPECT_EQ(observed(to_), observed(from_));
  EXPECT_EQ(count(pass().value(), "observations").written, 0);
  ASSERT_TRUE(to_.rows->observations().add({observation(two.uid, "b")}, kNever));
  EXPECT_EQ(pass().error().code, ErrorCode::kConflict) << "one more than here";
}

TEST_F(MoverTest, AStoreThatIsAwayForAWhileIsWaitedFor) {
  (void)say(from_, "We land in Porto at nine.");
  const SteadyTime back = clock_.steady() + kLongestPatience - Duration(1);
  to_.observations.away = [&] { return clock_.steady() < back; };
  const auto moved = pass();
  ASSERT_TRUE(moved) << moved.error().to_line();
  EXPECT_EQ(observed(to_), observed(from_));
  EXPECT_FALSE(told_.empty());
}

TEST_F(MoverTest, AStoreThatStaysAwayEndsTheMoveWhichGoesOnWhenItIsBack) {
  (void)say(from_, "We land in Porto at nine.");
  to_.observations.away = [] { return true; };
  const auto ended = pass();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(ended.error().message, "nobody listens");
  to_.observations.away = [] { return false; };
  const auto moved = pass();
  ASSERT_TRUE(moved) << moved.error().to_line();
  EXPECT_EQ(count(*moved, "turns").written, 0) << "the first run carried them";
  EXPECT_EQ(observed(to_), observed(from_));
}

TEST_F(MoverTest, WhatWasWrittenAndWhoseAnswerWasLostIsNotWrittenTwice) {
  const Turn turn = say(from_, "We land in Porto at nine.");
  ASSERT_TRUE(pass());
  ASSERT_TRUE(from_.rows->observations().add({observation(turn.uid, "later")}, kNever));
  to_.observations.lost = true;
  ApiKey key;
  key.id = ids_.next();
  key.name = "phone";
  key.user = turn.user;
  key.scopes = {KeyScope::kChat};
  key.hint = std::string(kKeyPrefix) + "12345678";
  key.secret_sha256 = sha256_hex("secret");
  key.created_at = clock_.now();
  ASSERT_TRUE(from_.keys.inner.add(key, kNever));
  to_.keys.lost = true;
  const auto again = pass();
  ASSERT_TRUE(again) << again.error().to_line();
  EXPECT_EQ(observed(to_), observed(from_));
  EXPECT_EQ(to_.keys.inner.list(kNever).value(), from_.keys.inner.list(kNever).value());
  EXPECT_EQ(told_.size(), 2U);
  EXPECT_EQ(pass()->changed(), 0);
}

TEST_F(MoverTest, WhatIsForgottenDuringAPassIsGoneAfterTheNext) {
  const Turn kept = say(from_, "We land in Porto at nine."), gone = say(from_, "The passphrase is zinnia.");
  ASSERT_TRUE(pass());
  bool once = true;
  const auto first = pass([&](std::string_view what, std::int64_t, std::int64_t) {
    if (what == "turns compared" && std::exchange(once, false)) forget(gone);
    return Status();
  });
  ASSERT_TRUE(first) << first.error().to_line();
  EXPECT_GT(first->changed(), 0) << "another pass is needed";
  const auto second = pass();
  ASSERT_TRUE(second) << second.error().to_line();
  EXPECT_EQ(observed(to_), observed(from_));
  EXPECT_EQ(to_.rows->turns().scan({}, kMaxPage, kSystem, kNever)->size(), 1u);
  EXPECT_EQ(pass()->changed(), 0);
}

}  // namespace
}  // namespace pandora
