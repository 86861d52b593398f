// What a run of reconcile holds, over stores that hold nothing: they make each turn, its files, its point and its
// object when they are asked for them. So every byte that is alive is the run's own, and all are counted.
//
// PANDORA_RECONCILE_TURNS=1000000 compares a million turns with half of them, in pages of the usual size; of fewer than
// 700,000 not every page is full.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include "base/hash.h"
#include "counted_stores.h"
#include "store_memory/memory_document_store.h"
#include "store_memory/memory_object_store.h"
#include "store_memory/memory_receipt_store.h"
#include "store_memory/memory_rows.h"
#include "store_memory/memory_vector_store.h"
#include "support/word_embedder.h"
#include "turns/documents.h"
#include "turns/reconciler.h"

namespace {

std::atomic<std::int64_t> alive = 0, most_alive = 0;

void* counted(void* memory) {
  if (!memory) std::abort();
  const auto now = alive += static_cast<std::int64_t>(::malloc_usable_size(memory));
  if (now > most_alive) most_alive = now;
  return memory;
}
void give_back(void* memory) {
  alive -= static_cast<std::int64_t>(::malloc_usable_size(memory));
  std::free(memory);
}

}  // namespace

void* operator new(std::size_t size) { return counted(std::malloc(std::max<std::size_t>(size, 1))); }
void* operator new[](std::size_t size) { return counted(std::malloc(std::max<std::size_t>(size, 1))); }
void operator delete(void* memory) noexcept { give_back(memory); }
void operator delete(void* memory, std::size_t) noexcept { give_back(memory); }
void operator delete[](void* memory) noexcept { give_back(memory); }
void operator delete[](void* memory, std::size_t) noexcept { give_back(memory); }

namespace pandora {
namespace {

constexpr int kArchivedEvery = 5, kObjectEvery = 4;

Uuid uid_of(std::int64_t number) {
  Uuid uid;
  for (std::size_t i = 0; i < 8; ++i) uid.bytes[15 - i] = static_cast<std::uint8_t>(number >> (8 * i));
  uid.bytes[6] = 0x70;
  return uid;
}
std::int64_t number_of(const Uuid& uid) {
  std::int64_t number = 0;
  for (std::size_t i = 8; i < 16; ++i) number = number << 8 | uid.bytes[i];
  return number;
}
std::string key_of(std::int64_t number) { return sha256_hex(std::to_string(number)); }

TurnRecord record_of(std::int64_t number) {
  TurnRecord record;
  Turn& turn = record.turn;
  turn.uid = uid_of(number);
  turn.number = {number};
  turn.session = SessionId::parse("s").value();
  turn.user = UserId::parse("ana").value();
  turn.archived = number % kArchivedEvery == 0;
  turn.message = {Role::kUser, "", fmt::format("Message {} about boats", number)};
  turn.reply = Utterance{Role::kAssistant, "", fmt::format("Reply {}", number)};
  turn.model = "a-model";
  turn.question = turn.message.text;
  turn.content_sha256 = content_sha256(turn.user, turn.message, turn.reply);
  if (number % kObjectEvery == 0) turn.objects.push_back({ObjectOrigin::kImage, key_of(number), 1, "image/png", ""});
  record.context.turn_uid = turn.uid;
  record.context.query = {turn.message.text, turn.question};
  return record;
}

class MadeTurns final : public testing::CountedTurns {
 public:
  MadeTurns(TurnStore& none, testing::Counts& counts, std::int64_t turns) : CountedTurns(none, counts), turns_(turns) {}
  Result<std::vector<Turn>> scan(TurnNumber after, std::size_t limit, const Principal&, const Deadline&) override {
    std::vector<Turn> page;
    for (auto number = after.value + 1; number <= turns_ && page.size() < limit; ++number)
      page.push_back(record_of(number).turn);
    return page;
  }
  Result<std::vector<Turn>> find_all(std::span<const Uuid> uids, const Principal&, const Deadline&) override {
    std::vector<Turn> found;
    for (const Uuid& uid : uids) found.push_back(record_of(number_of(uid)).turn);
    return found;
  }

 private:
  const std::int64_t turns_;
};

class MadeDocuments final : public testing::CountedDocuments {
 public:
  MadeDocuments(DocumentStore& none, testing::Counts& counts, std::int64_t turns)
      : CountedDocuments(none, counts), turns_(turns) {}
  Result<std::vector<FileInfo>> list_after(const std::string& folder, const std::string& after, std::size_t limit,
                                           const Deadline&) override {
    std::vector<FileInfo> names;
    if (folder != "turns" && folder != "archive") return names;
    auto number = after.empty() ? 0 : parse_turn_directory_name(after).value().value;
    while (++number <= turns_ && names.size() < limit)
      if ((number % kArchivedEvery == 0) == (folder == "archive"))
        names.push_back({turn_directory_name({number}), true, 0});
    return names;
  }
  Result<std::string> read(const std::string& path, const Deadline&) override {
    const std::size_t name = path.rfind('/'), folder = path.rfind('/', name - 1) + 1;
    const auto number = parse_turn_directory_name(path.substr(folder, name - folder)).value().value;
    if (number != last_) documents_ = turn_documents(record_of(number));
    last_ = number;
    return std::ranges::find(documents_, path.substr(name + 1), &Document::name)->bytes;
  }

 private:
  const std::int64_t turns_;
  std::int64_t last_ = 0;
  std::vector<Document> documents_;
};

class MadePoints final : public testing::CountedPoints {
 public:
  MadePoints(VectorStore& none, testing::Counts& counts, std::int64_t turns) : CountedPoints(none, counts) {
    for (std::int64_t number = 1; number <= turns; ++number) by_id_.emplace_back(turn_point_id(uid_of(number)), number);
    std::ranges::sort(by_id_);
  }
  Result<std::vector<Point>> retrieve(const std::string&, std::span<const Uuid> ids, const Principal&,
                                      const Deadline&) override {
    std::vector<Point> points;
    for (const Uuid& id : ids)
      points.push_back(point(*std::ranges::lower_bound(by_id_, std::pair(id, std::int64_t{0}))));
    return points;
  }
  Result<std::vector<Point>> scroll(const std::string& collection, const Filter&, const std::optional<Uuid>& after,
                                    std::size_t limit, const Principal&, const Deadline&) override {
    std::vector<Point> points;
    if (collection != "turns") return points;
    auto at = after ? std::ranges::upper_bound(by_id_, std::pair(*after, INT64_MAX)) : by_id_.begin();
    for (; at != by_id_.end() && points.size() < limit; ++at) points.push_back(point(*at));
    return points;
  }

 private:
  static Point point(const std::pair<Uuid, std::int64_t>& one) {
    const Turn turn = record_of(one.second).turn;
    Point point;
    point.id = one.first;
    point.payload = {{"turn_uid", turn.uid.to_string()},
                     {"rejected", turn.rejected},
                     {"session_id", turn.session.str()},
                     {"turn_number", turn.number.value}};
    return point;
  }
  std::vector<std::pair<Uuid, std::int64_t>> by_id_;
};

class MadeObjects final : public ObjectStore {
 public:
  explicit MadeObjects(std::int64_t turns) {
    for (std::int64_t number = kObjectEvery; number <= turns; number += kObjectEvery) keys_.push_back(key_of(number));
    std::ranges::sort(keys_);
  }
  Result<std::string> put(std::string_view, const std::string&, const Deadline&) override { return missing(); }
  Result<std::string> get(const std::string&, const Deadline&) override { return "x"; }
  Result<ObjectInfo> info(const std::string&, const Deadline&) override { return missing(); }
  Status remove(const std::string&, const Deadline&) override { return missing(); }
  Result<std::vector<ObjectInfo>> list(const std::string& after, std::size_t limit, const Deadline&) override {
    std::vector<ObjectInfo> page;
    for (auto at = std::ranges::upper_bound(keys_, after); at != keys_.end() && page.size() < limit; ++at)
      page.push_back({*at, 1, "image/png"});
    return page;
  }

 private:
  static tl::unexpected<Error> missing() { return fail(ErrorCode::kNotFound, "this is not kept"); }
  std::vector<std::string> keys_;
};

// Whose journal is empty.
class IdleSaver final : public TurnSaver {
 public:
  Status save(const TurnRecord&, std::span<const Attachment>, const Deadline&) override { return {}; }
  void set_shared(bool) override {}
  Result<TurnNumber> wait_findable(const Uuid&, const Deadline&) override { return TurnNumber{}; }
  Status wait_session(const SessionId&, const Deadline&) override { return {}; }
  bool after_session(const SessionId&, const Deadline&, std::function<void(Status)>) override { return true; }
  Status wait_rows(const Deadline&) override { return {}; }
  Status drain(const Deadline&) override { return {}; }
  Status checkpoint(const Deadline&) override { return {}; }
  SaverStatus status() override { return {}; }
  std::int64_t pending() override { return 0; }
  Result<RemovedObjects> remove_unnamed_objects(const std::vector<std::string>&, const Deadline&) override {
    return RemovedObjects{};
  }
};

// The most bytes that one run over so many turns had alive at a time.
std::int64_t held_over(std::int64_t turns, const ReconcilePages& pages) {
  const SystemClock clock;
  const auto rows = make_memory_rows(clock);
  MemoryVectorStore no_points;
  MemoryDocumentStore no_documents(clock);
  MemoryReceiptStore receipts;
  testing::Counts counts;
  MadeTurns made_turns(rows->turns(), counts, turns);
  MadeDocuments documents(no_documents, counts, turns);
  MadePoints points(no_points, counts, turns);
  MadeObjects objects(turns);
  const Stores stores{made_turns,       rows->memories(), rows->research(), rows->sources(), rows->observations(),
                      rows->instance(), rows->outbox(),   points,           documents,       objects,
                      receipts};
  PointSpaces spaces(make_point_space(std::make_shared<testing::WordEmbedder>()));
  IdleSaver saver;
  const auto files = make_posix_file_system();
  Forgetting forgetting(stores, saver, *files, clock, "", [](const Deadline&) { return Status(); });
  Reconciler reconciler(stores, spaces, saver, forgetting, clock, pages);
  const std::int64_t before = alive;
  most_alive = before;
  const auto report =
      reconciler.run(Apply::kApply, [](std::string_view, std::int64_t) { return Status(); }, Deadline::never());
  EXPECT_TRUE(report) << report.error().to_line();
  EXPECT_EQ(report->turns, turns);
  EXPECT_EQ(report->points, turns);
  EXPECT_EQ(report->objects, turns / kObjectEvery);
  for (const auto& one : report->differences) ADD_FAILURE() << one.kind << ": " << one.what << ": " << one.repair;
  return most_alive - before;
}

TEST(ReconcilerMemory, WhatIsHeldDoesNotGrowWithTheNumberOfTurns) {
  const char* asked = std::getenv("PANDORA_RECONCILE_TURNS");
  const std::int64_t many = asked ? std::atoll(asked) : 16'000;
  const ReconcilePages pages = asked ? ReconcilePages() : ReconcilePages{.rows = 64, .names = 256, .objects = 256};
  const std::int64_t less = asked ? many / 2 : many / 8;
  constexpr std::int64_t kNotCounted = 16 << 10;  // longer numbers, a page that ends elsewhere
  const std::int64_t few = held_over(less, pages), all = held_over(many, pages);
  GTEST_LOG_(INFO) << less << " turns: " << few << " bytes; " << many << " turns: " << all << " bytes";
  EXPECT_LE(all, few + few / 10 + kNotCounted);
}

}  // namespace
}  // namespace pandora
