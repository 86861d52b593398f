// Several processes that bring points up to date while turns come, change and go: in the end each point says what the
// rows say, its neighbours' words included.
#include <algorithm>
#include <iterator>
#include <map>

#include <gtest/gtest.h>

#include "base/hash.h"
#include "base/random.h"
#include "domain/derive.h"
#include "store_memory/memory_document_store.h"
#include "store_memory/memory_object_store.h"
#include "store_memory/memory_receipt_store.h"
#include "store_memory/memory_rows.h"
#include "store_memory/memory_vector_store.h"
#include "support/forwarding_turn_store.h"
#include "support/word_embedder.h"
#include "turns/outbox_worker.h"

namespace pandora {
namespace {

constexpr Duration kLease = std::chrono::seconds(60);

// Before and after each thing that is asked, others may have done anything.
class RestlessTurns final : public testing::ForwardingTurnStore {
  template <class Call>
  auto around(Call call) {
    meanwhile_();
    auto result = call();
    meanwhile_();
    return result;
  }

 public:
  RestlessTurns(TurnStore& turns, std::function<void()> meanwhile)
      : ForwardingTurnStore(turns), meanwhile_(std::move(meanwhile)) {}
  Result<std::vector<Turn>> find_all(std::span<const Uuid> uids, const Principal& who,
                                     const Deadline& deadline) override {
    return around([&] { return turns_.find_all(uids, who, deadline); });
  }
  Result<std::vector<std::pair<int, Turn>>> neighbours(const Uuid& uid, int radius, const Principal& who,
                                                       const Deadline& deadline) override {
    return around([&] { return turns_.neighbours(uid, radius, who, deadline); });
  }
  Status put_vector(const Uuid& uid, const EmbedderIdentity& embedder, std::span<const float> vector,
                    const Deadline& deadline, const Turn* of) override {
    return around([&] { return turns_.put_vector(uid, embedder, vector, deadline, of); });
  }

 private:
  const std::function<void()> meanwhile_;
};

class NeighbourPoints : public ::testing::TestWithParam<unsigned> {
 protected:
  static constexpr std::size_t kProcesses = 3;
  static constexpr std::size_t kDeepest = 2;  // of those at work, each in the middle of what the one before does

  struct Process {
    explicit Process(NeighbourPoints& test)
        : turns(test.rows_->turns(), [&test] { test.meanwhile(); }), spaces(make_point_space(test.embedder_)) {}
    RestlessTurns turns;
    PointSpaces spaces;
    std::unique_ptr<OutboxWorker> worker;
    bool works = false;
  };

  NeighbourPoints() {
    for (std::size_t i = 0; i < kProcesses; ++i) {
      processes_.push_back(std::make_unique<Process>(*this));
      Process& one = *processes_.back();
      one.worker = std::make_unique<OutboxWorker>(stores(one.turns), one.spaces, clock_,
                                                  [](const Uuid&) { return std::shared_ptr<const TurnRecord>(); });
    }
    embedder_->meanwhile = [this] { meanwhile(); };
  }
  Stores stores(TurnStore& turns) {
    return {turns,
            rows_->memories(),
            rows_->research(),
            rows_->sources(),
            rows_->observations(),
            rows_->instance(),
            rows_->outbox(),
            vectors_,
            documents_,
            objects_,
            receipts_};
  }

  void meanwhile() {
    if (interruptions_ == 0 || random_.below(24) != 0) return;
    --interruptions_;
    if (random_.below(2) == 0)
      change_something();
    else
      work();
  }
  // Somebody who is not in the middle of it; sometimes whoever was has lost his lease.
  void work() {
    const auto working =
        static_cast<std::size_t>(std::ranges::count_if(processes_, [](const auto& one) { return one->works; }));
    if (working >= kDeepest) return;
    Process* one = processes_[random_.below(kProcesses)].get();
    while (one->works) one = processes_[random_.below(kProcesses)].get();
    if (random_.below(4) == 0) clock_.advance(2 * kLease);
    one->works = true;
    const std::string owner =
        "process " +
        std::to_string(std::ranges::find(processes_, one, [](const auto& p) { return p.get(); }) - processes_.begin());
    ASSERT_TRUE(one->worker->run_once(owner, kLease, Deadline::after(clock_, kLease)));
    one->works = false;
  }
  std::string some_words() {
    static constexpr const char* kWords[] = {"zinnia", "porto", "kettle", "lamp", "river", "cello", "maple", "violet"};
    std::string text;
    for (std::uint64_t n = 1 + random_.below(4); n > 0; --n)
      text += (text.empty() ? "" : " ") + std::string(kWords[random_.below(std::size(kWords))]);
    return text;
  }
  void change_something() {
    const auto all = rows_->turns().scan({0}, kMaxPage, Principal::system(), kNever_).value();
    const std::uint64_t what = all.size() < 6 ? 0 : random_.below(all.size() > 24 ? 11 : 7);
    if (what < 3) return save();
    Turn turn = all[random_.below(all.size())];
    if (what < 5) {
      turn.message.text = some_words();
      ASSERT_TRUE(rows_->turns().rewrite(turn, Principal::system(), kNever_));
    } else if (what < 6) {
      ASSERT_TRUE(rows_->turns().change(turn.number, {.rejected = !turn.rejected}, Principal::system(), kNever_));
    } else {
      ASSERT_TRUE(rows_->turns().remove(turn.number, Principal::system(), kNever_));
    }
  }
  // Behind the others, or one that is brought back between them.
  void save() {
    TurnRecord record;
    Turn& turn = record.turn;
    turn.uid = ids_.next();
    turn.session = SessionId::parse(random_.below(3) == 0 ? "one" : "two").value();
    turn.user = UserId::parse("ana").value();
    turn.created_at = clock_.now();
    turn.message = {Role::kUser, "", some_words()};
    turn.model = "a-model";
    derive_fields(turn, {}, {});
    turn.content_sha256 = content_sha256(turn.user, turn.message, turn.reply);
    record.context.turn_uid = turn.uid;
    if (random_.below(3) == 0) gaps_.push_back(rows_->turns().reserve_number(Principal::system(), kNever_).value());
    if (!gaps_.empty() && random_.below(4) == 0) {
      std::swap(gaps_[random_.below(gaps_.size())], gaps_.back());
      turn.number = gaps_.back();
      gaps_.pop_back();
    }
    ASSERT_TRUE(rows_->turns().commit_turn(record, Principal::system(), kNever_));
  }
  void settle() {
    interruptions_ = 0;
    for (int runs = 0; rows_->outbox().size(kNever_).value() > 0; ++runs) {
      ASSERT_LT(runs, 100);
      clock_.advance(2 * kLease);
      work();
    }
  }
  void expect_as_the_rows_say() {
    MemoryVectorStore fresh;
    Stores others = stores(rows_->turns());
    const Stores made{others.turns,        others.memories, others.research, others.sources,
                      others.observations, others.instance, others.outbox,   fresh,
                      others.documents,    others.objects,  others.receipts};
    Indexer indexer(made, clock_);
    // Their own vectors are made anew, too: by an encoder that is the same by another name.
    const auto again = std::make_shared<testing::WordEmbedder>(EmbedderIdentity{"words", "again", 16});
    const auto space = make_point_space(again);
    ASSERT_TRUE(indexer.ensure_collections(*space, kNever_));
    const auto all = rows_->turns().scan({0}, kMaxPage, Principal::system(), kNever_).value();
    std::vector<Indexer::Item> items;
    for (const Turn& turn : all) items.push_back({turn.uid, 1});
    ASSERT_TRUE(indexer.index_turns(*space, items, kNever_));
    const auto points_of = [&](VectorStore& store, const std::string& collection) {
      return store.scroll(collection, {}, std::nullopt, 10'000, Principal::system(), kNever_).value();
    };
    const auto here = points_of(vectors_, "turns"), there = points_of(fresh, space->turns);
    ASSERT_EQ(here.size(), all.size());
    ASSERT_EQ(there.size(), all.size());
    for (const Turn& turn : all) {
      const Uuid id = turn_point_id(turn.uid);
      const Point is = vectors_.retrieve("turns", {&id, 1}, Principal::system(), kNever_).value().at(0);
      const Point should = fresh.retrieve(space->turns, {&id, 1}, Principal::system(), kNever_).value().at(0);
      EXPECT_EQ(is.dense, should.dense) << turn.number.value;
      EXPECT_EQ(is.sparse, should.sparse) << turn.number.value;
      EXPECT_EQ(is.payload, should.payload) << turn.number.value;
    }
  }

  const Deadline kNever_ = Deadline::never();
  ManualClock clock_;
  SeededRandom random_{GetParam()};
  UuidV7Generator ids_{clock_, random_};
  std::shared_ptr<testing::WordEmbedder> embedder_ = std::make_shared<testing::WordEmbedder>();
  std::unique_ptr<MemoryRows> rows_ = make_memory_rows(clock_);
  MemoryVectorStore vectors_;
  MemoryDocumentStore documents_{clock_};
  MemoryObjectStore objects_;
  MemoryReceiptStore receipts_;
  std::vector<std::unique_ptr<Process>> processes_;
  std::vector<TurnNumber> gaps_;  // numbers of turns that come late
  int interruptions_ = 0;         // that may still come
};

TEST_P(NeighbourPoints, SayWhatTheRowsSayWhoeverWroteThemWhile) {
  constexpr int kRounds = 6, kSteps = 60;
  SCOPED_TRACE(GetParam());
  for (int round = 0; round < kRounds; ++round) {
    for (int step = 0; step < kSteps; ++step) {
      interruptions_ = 4;
      if (random_.below(2) == 0)
        change_something();
      else
        work();
      clock_.advance(std::chrono::milliseconds(10));
      if (HasFatalFailure()) return;
    }
    settle();
    expect_as_the_rows_say();
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, NeighbourPoints, ::testing::Range(1U, 41U));

}  // namespace
}  // namespace pandora
