// A move to a real PostgreSQL and a real `pandora vectors` and back, while the ways there are cut, held and refused and
// the database is started anew: it ends by itself, and both sides are the same.
#include <csignal>
#include <iostream>

#include <gtest/gtest.h>

#include "base/hash.h"
#include "base/random.h"
#include "contract/expect.h"
#include "domain/derive.h"
#include "postgres/postgres_schema.h"
#include "store_memory/memory_document_store.h"
#include "store_memory/memory_key_store.h"
#include "store_memory/memory_object_store.h"
#include "store_memory/memory_receipt_store.h"
#include "store_memory/memory_rows.h"
#include "store_memory/memory_vector_store.h"
#include "store_server/postgres_attempt_log.h"
#include "store_server/postgres_stores.h"
#include "store_server/postgres_turn_vector_log.h"
#include "store_server/qdrant_vector_store.h"
#include "support/postgres_server.h"
#include "support/tcp_gate.h"
#include "support/temporary_directory.h"
#include "support/vectors_process.h"
#include "turns/mover.h"
#include "turns/reindexer.h"
#include "wire/turn_json.h"

namespace pandora::testing {
namespace {

constexpr std::uint64_t kSeed = 20'261'126;
constexpr int kTurns = 120, kSessions = 12, kPhases = 4;
constexpr std::uint64_t kBytesBetweenCuts = 60'000;  // on average, to each server
const Principal kSystem = Principal::system();

struct Files {  // one side: in this process
  explicit Files(const Clock& clock) : rows(make_memory_rows(clock)) {}
  MoveSide side(DocumentStore& documents, ObjectStore& objects) {
    return {{rows->turns(), rows->memories(), rows->research(), rows->sources(), rows->observations(), rows->instance(),
             rows->outbox(), vectors, documents, objects, receipts},
            keys,
            rows->attempts(),
            rows->turn_vectors()};
  }
  std::unique_ptr<MemoryRows> rows;
  MemoryVectorStore vectors;
  MemoryReceiptStore receipts;
  MemoryKeyStore keys;
};

class MoverRoad : public ::testing::Test {
 protected:
  MoverRoad() {
    options_.url = database_.url();
    const auto straight = must(PostgresConnection::open(options_, kNever));
    must(PostgresSchema(*straight, clock_).migrate(std::chrono::seconds(60), [](const auto&) {}));
    options_.url = "postgresql://pandora@127.0.0.1:" + std::to_string(to_rows_.port()) + "/pandora";
    rows_ = PostgresStores::open(options_, clock_);
    attempts_ = std::make_unique<PostgresAttemptLog>(rows_->pool());
    own_vectors_ = std::make_unique<PostgresTurnVectorLog>(rows_->pool());
    QdrantStoreOptions points;
    points.server.url = "http://127.0.0.1:" + std::to_string(to_points_.port());
    constexpr Duration kPatience = std::chrono::seconds(2);
    points.server.timeouts = {kPatience, kPatience, kPatience};
    points_ = must(QdrantVectorStore::open(points, *client_, *files_));
  }
  MoveSide servers() {
    return {{rows_->turns(), rows_->memories(), rows_->research(), rows_->sources(), rows_->observations(),
             rows_->instance(), rows_->outbox(), *points_, documents_, objects_, rows_->receipts()},
            rows_->keys(),
            *attempts_,
            *own_vectors_};
  }

  void fill(Files& here) {
    const auto space = make_point_space(PointOrigin{{"words", "1", 4}}, "", nullptr);
    for (const auto& spec : collection_specs(*space)) must(here.vectors.ensure_collection(spec, kNever));
    must(write_point_space(here.rows->instance(), *space, kNever));
    for (int i = 0; i < kTurns; ++i) {
      TurnRecord record;
      Turn& turn = record.turn;
      turn.uid = ids_.next();
      turn.session = must(SessionId::parse("s" + std::to_string(i % kSessions)));
      turn.user = must(UserId::parse(i % 5 == 0 ? "bo" : "ana"));
      turn.created_at = clock_.now();
      turn.message = {Role::kUser, "",
                      "Line " + std::to_string(i) + " is about the zinnias of house " + std::to_string(i * 7)};
      turn.model = "a-model";
      derive_fields(turn, {}, {});
      turn.content_sha256 = content_sha256(turn.user, turn.message, turn.reply);
      record.context.turn_uid = turn.uid;
      for (int phase = 0; phase < kPhases; ++phase)
        record.observations.push_back({turn.uid, ObservationKind::kPhase, "phase " + std::to_string(phase),
                                       clock_.now(), 1'000, 0, 0, true, "", std::nullopt});
      must(here.rows->turns().commit_turn(record, kSystem, kNever));
      const std::vector<float> vector = {1, static_cast<float>(i), 2, 3};
      must(here.rows->turns().put_vector(turn.uid, {"words", "1", 4}, vector, kNever));
      const Point point{turn_point_id(turn.uid), i + 1, {{"", vector}}, {}, {{"user_id", turn.user.str()}}};
      must(here.vectors.upsert("turns", {&point, 1}, kSystem, kNever));
      if (i % 10 != 0) continue;
      Memory memory;
      memory.id = ids_.next();
      memory.user = turn.user;
      memory.content = "The zinnias of house " + std::to_string(i);
      memory.source_turn = turn.uid;
      memory.created_at = clock_.now();
      must(here.rows->memories().put(memory, {}, kSystem, kNever));
      RecallReceipt receipt;
      receipt.id = ids_.next();
      receipt.user = turn.user;
      receipt.session = turn.session;
      receipt.question = "Which zinnias are of house " + std::to_string(i);
      receipt.at = clock_.now();
      must(here.receipts.put({&receipt, 1}, kSystem, kNever));
    }
    // Their outbox is empty once a saver has drained it.
    for (;;) {
      const auto entries = must(here.rows->outbox().claim("saver", std::chrono::minutes(1), kMaxClaim, kNever));
      if (entries.empty()) break;
      must(here.rows->outbox().ack_all(entries, kNever));
    }
  }

  // Everything of one side, as text.
  static std::string all_of(MoveSide side) {
    std::string all;
    for (TurnNumber after;;) {
      const auto page = must(side.stores.turns.scan(after, kMaxPage, kSystem, kNever));
      if (page.empty()) break;
      for (const auto& turn : page) {
        all += dump_json(to_json(turn)) + '\n';
        std::vector<std::string> seen;
        for (const auto& row : must(side.stores.observations.list({.turn = turn.uid}, kSystem, kNever)))
          seen.push_back(dump_json(to_json(row.observation)) + '\n');
        std::ranges::sort(seen);
        for (const auto& one : seen) all += one;
      }
      after = page.back().number;
    }
    for (const auto& memory : must(side.stores.memories.list({}, kSystem, kNever)))
      all += dump_json(to_json(memory)) + '\n';
    for (const auto& receipt : must(side.stores.receipts.list({.limit = kMaxPage}, kSystem, kNever)))
      all += receipt.id.to_string() + ' ' + receipt.question + '\n';
    for (const auto& vector : must(side.vectors.list(std::nullopt, kMaxPage, kNever)))
      all += vector.turn.to_string() + ' ' + sha256_hex(vector.values) + '\n';
    for (const auto& point : must(side.stores.vectors.scroll("turns", {}, std::nullopt, kMaxPage, kSystem, kNever)))
      all += point.id.to_string() + ' ' + std::to_string(point.version) + '\n';
    return all;
  }

  void arm() {
    to_rows_.cut_after(static_cast<std::int64_t>(1 + random_.below(2 * kBytesBetweenCuts)));
    to_points_.cut_after(static_cast<std::int64_t>(1 + random_.below(2 * kBytesBetweenCuts)));
  }
  void heal() {
    for (TcpGate* gate : {&to_rows_, &to_points_}) {
      gate->refuse(false);
      gate->release();
      gate->cut_after(0);
    }
  }
  // Each kind of trouble once, and cuts all the while; whoever waits finds the road better.
  MovePass over_a_bad_road(MoveSide from, MoveSide to) {
    Patience patience(clock_, [&](const Error& why, Duration) {
      ++failures_;
      EXPECT_TRUE(error_info(why.code).retryable);
      heal();
      arm();
      return Status();
    });
    std::set<std::string, std::less<>> done;
    const auto progress = [&](std::string_view what, std::int64_t, std::int64_t) {
      if (!done.emplace(what).second) return Status();
      if (what == "turns compared") {
        database_.stop(SIGINT);
        database_.start();
      }
      if (what == "receipts") to_rows_.hold();
      if (what == "turns") to_rows_.refuse(true), to_rows_.cut();
      if (what == "observations") to_points_.hold();
      return Status();
    };
    arm();
    MovePass last;
    for (int passes = 0; passes < 4; ++passes) {
      last = must(Mover(from, to, true, clock_, patience).pass(progress, kNever));
      if (last.changed() == 0) break;
    }
    heal();
    return last;
  }

  const SystemClock clock_;
  SeededRandom random_{kSeed};
  UuidV7Generator ids_{clock_, random_};
  MemoryDocumentStore documents_{clock_};
  MemoryObjectStore objects_;
  const std::unique_ptr<FileSystem> files_ = make_posix_file_system();
  TemporaryDirectory folder_;
  IoThreads threads_{clock_, 2};
  PostgresServer database_;
  VectorsProcess vectors_{folder_.path() + "/collections", *files_, threads_};
  TcpGate to_rows_{database_.port()}, to_points_{vectors_.port()};
  PostgresOptions options_;
  const std::unique_ptr<HttpClient> client_ = must(HttpClient::create({}, threads_));
  std::unique_ptr<PostgresStores> rows_;
  std::unique_ptr<PostgresAttemptLog> attempts_;
  std::unique_ptr<PostgresTurnVectorLog> own_vectors_;
  std::unique_ptr<QdrantVectorStore> points_;
  std::atomic<int> failures_ = 0;
};

TEST_F(MoverRoad, a_move_there_and_back_ends_by_itself_and_both_sides_are_the_same) {
  std::cout << "seed " << kSeed << '\n';
  Files here(clock_), back(clock_);
  fill(here);
  const std::string wanted = all_of(here.side(documents_, objects_));
  const auto there = over_a_bad_road(here.side(documents_, objects_), servers());
  EXPECT_EQ(there.changed(), 0);
  EXPECT_GE(failures_, 2) << "the road was too good";
  EXPECT_EQ(all_of(servers()), wanted);
  failures_ = 0;
  EXPECT_EQ(over_a_bad_road(servers(), back.side(documents_, objects_)).changed(), 0);
  EXPECT_GE(failures_, 2) << "the road back was too good";
  EXPECT_EQ(all_of(back.side(documents_, objects_)), wanted);
}

}  // namespace
}  // namespace pandora::testing
