// A move between two sets of stores: what is killed in the middle, and what changes meanwhile.
#include "turns/mover.h"

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
struct NoVectors final : TurnVectorLog {
  Result<std::vector<KeptVector>> list(const std::optional<std::pair<Uuid, std::string>>&, std::size_t,
                                       const Deadline&) override {
    return std::vector<KeptVector>();
  }
  Status put(std::span<const KeptVector>, const Deadline&) override { return {}; }
};

struct Side {
  explicit Side(const Clock& clock) : rows(make_memory_rows(clock)) {}
  MoveSide side(DocumentStore& documents, ObjectStore& objects) {
    return {{rows->turns(), rows->memories(), rows->research(), rows->sources(), rows->observations(), rows->instance(),
             rows->outbox(), vectors, documents, objects, receipts},
            keys,
            attempts,
            kept_vectors};
  }
  std::unique_ptr<MemoryRows> rows;
  MemoryVectorStore vectors;
  MemoryReceiptStore receipts;
  MemoryKeyStore keys;
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
    derive_fields(turn, {}, {[](std::string_view) { return 0.0; }, 0});
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
  Result<MovePass> pass(const Mover::Progress& progress = [](auto, auto, auto) { return Status(); }) {
    return Mover(from_.side(documents_, objects_), to_.side(documents_, objects_), false, clock_)
        .pass(progress, kNever);
  }

  ManualClock clock_;
  SeededRandom random_{7};
  UuidV7Generator ids_{clock_, random_};
  MemoryDocumentStore documents_{clock_};
  MemoryObjectStore objects_;
  Side from_{clock_}, to_{clock_};
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

}  // namespace
}  // namespace pandora
