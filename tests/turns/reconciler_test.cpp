#include "turns/reconciler.h"

#include <functional>
#include <utility>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "counted_stores.h"
#include "ports/row_checks.h"
#include "turns/documents.h"
#include "wire/turn_json.h"
#include "world.h"

namespace pandora {
namespace {

using testing::World;

const auto kQuiet = [](std::string_view, std::int64_t) { return Status(); };

std::vector<TurnRecord> fill(World& world, int turns) {
  std::vector<TurnRecord> records;
  for (int i = 0; i < turns; ++i) {
    auto record = world.record(i % 2 ? "even" : "odd", "Message number " + std::to_string(i) + " about boats",
                               "Reply " + std::to_string(i));
    if (i % 3 == 0) record.memories.push_back(world.memory(record.turn, "fact " + std::to_string(i)));
    if (i % 4 == 0) record.research.push_back(world.research(record.turn, "topic " + std::to_string(i)));
    record.fetches.push_back({"example.com", world.clock.now(), true, "GET"});
    EXPECT_TRUE(world.saver->save(record, world.soon()));
    record.turn.number = world.saver->wait_findable(record.turn.uid, world.soon()).value();
    records.push_back(std::move(record));
  }
  EXPECT_TRUE(world.saver->checkpoint(world.soon()));
  return records;
}

void expect_equal_again(World& world) {
  const auto applied = world.reconciler->run(Apply::kApply, kQuiet, world.soon());
  ASSERT_TRUE(applied) << applied.error().to_line();
  const auto second = world.reconciler->run(Apply::kDryRun, kQuiet, world.soon());
  ASSERT_TRUE(second) << second.error().to_line();
  for (const auto& difference : second->differences) ADD_FAILURE() << difference.kind << ": " << difference.what;
}

TEST(Reconciler, FindsNothingWhereNothingIsWrong) {
  World world("nothing");
  ASSERT_TRUE(world.start());
  fill(world, 6);
  const auto report = world.reconciler->run(Apply::kDryRun, kQuiet, world.soon());
  ASSERT_TRUE(report) << report.error().to_line();
  for (const auto& difference : report->differences) ADD_FAILURE() << difference.kind << ": " << difference.what;
  EXPECT_EQ(report->turns, 6);
  EXPECT_EQ(report->memories, 2);
  EXPECT_EQ(report->research, 2);
  EXPECT_EQ(report->sources, 1);
  EXPECT_EQ(report->points, 10);
}

TEST(Reconciler, WhatIsForgottenWhileItRunsDoesNotComeBack) {
  World world("meanwhile");
  ASSERT_TRUE(world.start());
  const auto records = fill(world, 4);
  const Turn& last = records.back().turn;
  const Memory memory = world.memory(records.front().turn, "a fact of its own");
  ASSERT_TRUE(world.rows->memories().put(memory, {}, Principal::system(), world.soon()));
  ASSERT_TRUE(world.saver->checkpoint(world.soon()));
  // Somebody forgets both, and has not come to the files yet.
  const auto forget = [&](std::string_view stage, std::int64_t done) -> Status {
    if (stage != "turns on disk" || done != 1) return {};
    for (const Uuid& uid : {last.uid, memory.id})
      PANDORA_CHECK(world.documents->put(tombstone_path(uid), "{}", Durability::kNow, world.soon()));
    PANDORA_CHECK(world.rows->memories().remove(memory.id, Principal::system(), world.soon()).map([](auto&&) {}));
    return world.rows->turns().remove(last.number, Principal::system(), world.soon()).map([](auto&&) {});
  };
  const auto report = world.reconciler->run(Apply::kApply, forget, world.soon());
  ASSERT_TRUE(report) << report.error().to_line();
  EXPECT_TRUE(world.rows->turns().find_all({&last.uid, 1}, Principal::system(), world.soon()).value().empty());
  EXPECT_FALSE(world.rows->memories().find(memory.id, Principal::system(), world.soon()));
}

// Documents as they are; calls somebody once, when a certain one has just been read.
class ReadDocuments final : public DocumentStore {
 public:
  ReadDocuments(DocumentStore& real, std::string path, std::function<void()> then)
      : real_(real), path_(std::move(path)), then_(std::move(then)) {}
  Result<std::string> read(const std::string& path, const Deadline& deadline) override {
    auto bytes = real_.read(path, deadline);
    if (path == path_ && then_) std::exchange(then_, nullptr)();
    return bytes;
  }
  bool was_read() const { return !then_; }
  Status put_folder(const std::string& folder, const std::vector<Document>& documents, Durability durability,
                    const Deadline& deadline) override {
    return real_.put_folder(folder, documents, durability, deadline);
  }
  Status put(const std::string& path, std::string_view bytes, Durability durability,
             const Deadline& deadline) override {
    return real_.put(path, bytes, durability, deadline);
  }
  Result<std::vector<FileInfo>> list(const std::string& folder, const Deadline& deadline) override {
    return real_.list(folder, deadline);
  }
  Result<std::vector<FileInfo>> list_after(const std::string& folder, const std::string& after, std::size_t limit,
                                           const Deadline& deadline) override {
    return real_.list_after(folder, after, limit, deadline);
  }
  Result<bool> exists(const std::string& path, const Deadline& deadline) override {
    return real_.exists(path, deadline);
  }
  Status move(const std::string& from, const std::string& to, const Deadline& deadline) override {
    return real_.move(from, to, deadline);
  }
  Status remove(const std::string& path, const Deadline& deadline) override { return real_.remove(path, deadline); }
  Result<std::string> quarantine(const std::string& path, const std::string& reason,
                                 const Deadline& deadline) override {
    return real_.quarantine(path, reason, deadline);
  }
  Status sync(const Deadline& deadline) override { return real_.sync(deadline); }

 private:
  DocumentStore& real_;
  const std::string path_;
  std::function<void()> then_;
};

// Between the reading of its files and that of its row: its files may still be to follow then, or be there already.
TEST(Reconciler, WhatIsChangedBetweenItsReadingsIsKept) {
  for (const bool files_follow_at_once : {false, true}) {
    World world("between");
    ASSERT_TRUE(world.start());
    const auto records = fill(world, 4);
    const Turn& turn = records[1].turn;
    Memory memory = world.memory(records[0].turn, "a fact that is superseded");
    ASSERT_TRUE(world.rows->memories().put(memory, {}, Principal::system(), world.soon()));
    ASSERT_TRUE(world.saver->checkpoint(world.soon()));
    const auto follow = [&] {
      if (files_follow_at_once) {
        ASSERT_TRUE(world.saver->drain(world.soon()));
      }
    };
    ReadDocuments turns(*world.documents, turn_folder(turn.number) + "/metadata.json", [&] {
      ASSERT_TRUE(world.rows->turns().change(turn.number, {.rejected = true}, Principal::system(), world.soon()));
      follow();
    });
    ReadDocuments documents(turns, memory_path(memory.id), [&] {
      memory.content = "a fact that is newer than its file";
      ASSERT_TRUE(world.rows->memories().put(memory, {}, Principal::system(), world.soon()));
      follow();
    });
    const Stores real = world.stores();
    const Stores stores{real.turns,  real.memories, real.research, real.sources, real.observations, real.instance,
                        real.outbox, real.vectors,  documents,     real.objects, real.receipts};
    Reconciler reconciler(stores, *world.spaces, *world.saver, *world.forgetting, world.clock);
    const auto report = reconciler.run(Apply::kApply, kQuiet, world.soon());
    ASSERT_TRUE(report) << report.error().to_line();
    EXPECT_TRUE(turns.was_read() && documents.was_read());
    for (const auto& difference : report->differences)
      EXPECT_TRUE(difference.kind.starts_with("point ")) << difference.kind << ": " << difference.what;
    ASSERT_TRUE(world.saver->drain(world.soon()));
    EXPECT_TRUE(world.rows->turns().find(turn.number, Principal::system(), world.soon())->rejected);
    EXPECT_EQ(world.rows->memories().find(memory.id, Principal::system(), world.soon())->content, memory.content);
    expect_equal_again(world);
    EXPECT_TRUE(world.rows->turns().find(turn.number, Principal::system(), world.soon())->rejected);
  }
}

void lose_rows(World& world) {
  world.stop();
  const auto entries = world.files.list("/data").value();
  for (const auto& entry : entries)
    if (!entry.is_directory) {
      ASSERT_TRUE(world.files.remove_file("/data/" + entry.name));
    }
  world.vfs.forget();
  ASSERT_TRUE(world.start());
}

TEST(Reconciler, FilesAloneBringEverythingBackWithTheirNumbers) {
  World world("files");
  ASSERT_TRUE(world.start());
  const auto records = fill(world, 8);
  lose_rows(world);
  EXPECT_EQ(world.rows->turns().count(Principal::system(), world.soon()).value(), 0);
  const auto dry = world.reconciler->run(Apply::kDryRun, kQuiet, world.soon());
  ASSERT_TRUE(dry);
  EXPECT_GE(dry->differences.size(), 8u);
  EXPECT_EQ(world.rows->turns().count(Principal::system(), world.soon()).value(), 0) << "a dry run changes nothing";
  expect_equal_again(world);
  for (const auto& record : records) {
    EXPECT_EQ(world.rows->turns().find(record.turn.number, Principal::system(), world.soon()).value(), record.turn);
    for (const auto& memory : record.memories)
      EXPECT_EQ(world.rows->memories().find(memory.id, Principal::system(), world.soon()).value(), memory);
    for (const auto& one : record.research)
      EXPECT_EQ(world.rows->research().find(one.id, Principal::system(), world.soon()).value(), one);
  }
  const auto next = world.record("odd", "One more", "Yes");
  ASSERT_TRUE(world.saver->save(next, world.soon()));
  EXPECT_GT(world.saver->wait_findable(next.turn.uid, world.soon())->value, records.back().turn.number.value);
}

// Counts what one run asks of the stores, with pages of eight, over so many turns.
testing::Counts asked_for(int turns) {
  World world("pages");
  EXPECT_TRUE(world.start());
  const auto records = fill(world, turns);
  for (std::size_t i = 0; i < records.size(); i += 5)
    EXPECT_TRUE(
        world.rows->turns().change(records[i].turn.number, {.archived = true}, Principal::system(), world.soon()));
  EXPECT_TRUE(world.saver->checkpoint(world.soon()));
  testing::Counts counts;
  testing::CountedDocuments documents(*world.documents, counts);
  testing::CountedTurns rows(world.rows->turns(), counts);
  testing::CountedPoints points(*world.vectors, counts);
  const Stores all = world.stores();
  const Stores counted{rows,       all.memories, all.research, all.sources, all.observations, all.instance,
                       all.outbox, points,       documents,    all.objects, all.receipts};
  Reconciler reconciler(counted, *world.spaces, *world.saver, *world.forgetting, world.clock,
                        {.rows = 8, .names = 8, .objects = 8});
  const auto report = reconciler.run(Apply::kDryRun, kQuiet, world.soon());
  EXPECT_TRUE(report) << report.error().to_line();
  for (const auto& difference : report->differences) ADD_FAILURE() << difference.kind << ": " << difference.what;
  EXPECT_EQ(report->turns, turns);
  for (const auto& [call, most] : counts.longest) EXPECT_LE(most, 8u) << call;
  return counts;
}

TEST(Reconciler, HoldsAPageOfEachAndAsksForOneWhateverTheirNumber) {
  constexpr int kFew = 24, kMany = 72, kPages = (kMany - kFew) / 8;
  testing::Counts few = asked_for(kFew), many = asked_for(kMany);
  const auto more = [&](const std::string& call) { return many.calls[call] - few.calls[call]; };
  EXPECT_EQ(more("turns.scan"), kPages);
  EXPECT_LE(more("turns.find_all"), kPages) << "for points alone";
  EXPECT_LE(more("points.retrieve"), 2 * kPages) << "of turns, and fewer of memories and research";
  EXPECT_LE(more("points.scroll"), 2 * kPages);
  EXPECT_LE(more("documents.list_after"), 2 * kPages) << "of turns, the archive, memories and research";
  EXPECT_EQ(more("documents.exists"), 0);
  EXPECT_EQ(more("documents.list"), 0);
  EXPECT_EQ(more("turns.find"), 0);
  EXPECT_EQ(more("documents.read"), (kMany - kFew) * 4 + 16 + 12) << "four of each folder; memories and research";
}

// Rows, folders and points are read at different moments, pages of them long before they are compared.
TEST(Reconciler, WhatIsSavedArchivedAndForgottenWhileItRunsIsNoDifference) {
  for (const std::size_t page : {2, 5, 100}) {
    World world("beside");
    ASSERT_TRUE(world.start());
    const auto records = fill(world, 12);
    const Principal system = Principal::system();
    std::size_t next = 0;
    const auto others = [&](std::string_view stage, std::int64_t) -> Status {
      if (stage != "turns on disk" || next == records.size()) return {};
      const Turn &earlier = records[next / 2].turn, &last = records.back().turn;
      auto saved = world.record("new", "It is about trains " + std::to_string(next), "Reply");
      saved.memories.push_back(world.memory(saved.turn, "a new fact " + std::to_string(next)));
      PANDORA_CHECK(world.saver->save(saved, world.soon()));
      const bool archived = next++ % 2 == 0;
      PANDORA_CHECK(
          world.rows->turns().change(earlier.number, {.archived = archived}, system, world.soon()).map([](auto&&) {}));
      if (next != 3) return {};
      return world.forgetting->forget_turn(last.number, system, world.soon()).map([](auto&&) {});
    };
    Reconciler reconciler(world.stores(), *world.spaces, *world.saver, *world.forgetting, world.clock,
                          {.rows = page, .names = page, .objects = page});
    const auto report = reconciler.run(Apply::kApply, others, world.soon());
    ASSERT_TRUE(report) << report.error().to_line();
    EXPECT_EQ(next, records.size());
    for (const auto& one : report->differences) ADD_FAILURE() << one.kind << ": " << one.what << ", page " << page;
    EXPECT_EQ(world.rows->turns().count(system, world.soon()).value(), 23);
    expect_equal_again(world);
  }
}

// Documents of which some cannot be read, and say why.
class FailingDocuments final : public testing::CountedDocuments {
 public:
  using CountedDocuments::CountedDocuments;
  Result<std::string> read(const std::string& path, const Deadline& deadline) override {
    const auto fault = faults.find(path);
    return fault == faults.end() ? CountedDocuments::read(path, deadline) : fail(fault->second, "cannot read " + path);
  }
  Result<std::vector<FileInfo>> list_after(const std::string& folder, const std::string& after, std::size_t limit,
                                           const Deadline& deadline) override {
    if (is_away) return fail(ErrorCode::kUnavailable, "the store is away");
    return CountedDocuments::list_after(folder, after, limit, deadline);
  }
  std::map<std::string, ErrorCode> faults;
  bool is_away = false;
};

void change_metadata(World& world, TurnNumber number, const std::function<void(Turn&)>& change) {
  const std::string path = turn_folder(number) + "/metadata.json";
  auto record = decode_metadata(world.documents->read(path, world.soon()).value()).value();
  change(record.turn);
  ASSERT_TRUE(world.documents->put(path, encode_metadata(record), Durability::kNow, world.soon()));
}

std::vector<std::string> told(const ReconcileReport& report) {
  std::vector<std::string> lines;
  for (const auto& one : report.differences) lines.push_back(one.kind + ": " + one.what);
  std::ranges::sort(lines);
  return lines;
}

TEST(Reconciler, OneBadThingEndsNoRunAndTheOthersAreMended) {
  World world("bad");
  ASSERT_TRUE(world.start());
  const auto records = fill(world, 8);  // memories of 1, 4 and 7, research of 1 and 5
  lose_rows(world);
  const auto put = [&](const std::string& path, const std::string& bytes) {
    ASSERT_TRUE(world.documents->put(path, bytes, Durability::kNow, world.soon()));
  };
  const auto long_keyword = [](std::size_t bytes) {
    return [bytes](Turn& turn) { turn.keywords = {"boats", std::string(bytes, 'k')}; };
  };
  change_metadata(world, {2}, long_keyword(kMaxKeywordBytes));
  change_metadata(world, {3}, long_keyword(kMaxKeywordBytes + 1));
  change_metadata(world, {4}, [](Turn& turn) { turn.quality = 2; });
  std::string newer = world.documents->read("turns/turn_000005/metadata.json", world.soon()).value();
  const std::string version = fmt::format("\"version\": {}", kTurnFormatVersion);
  ASSERT_NE(newer.find(version), std::string::npos);
  put("turns/turn_000005/metadata.json", newer.replace(newer.find(version), version.size(), "\"version\": 99"));
  put("turns/turn_000009", "a file, not a folder");
  Memory memory = records[0].memories.at(0);
  memory.content = std::string(kMaxMemoryBytes + 1, 'm');
  put(memory_path(memory.id), encode_memory(memory));
  Research research = records[0].research.at(0);
  research.confidence = 2;
  put(research_path(research.id), encode_research(research));
  Source source;
  source.domain = "WWW.Example.com/";
  put("site_knowledge/other.json", encode_source(source));

  testing::Counts counts;
  FailingDocuments documents(*world.documents, counts);
  documents.faults = {{"turns/turn_000006/context.md", ErrorCode::kPermissionDenied},
                      {"turns/turn_000007/metadata.json", ErrorCode::kUnavailable},  // a sector that is gone
                      {memory_path(records[6].memories.at(0).id), ErrorCode::kPermissionDenied}};
  const Stores all = world.stores();
  const Stores stores{all.turns,  all.memories, all.research, all.sources, all.observations, all.instance,
                      all.outbox, all.vectors,  documents,    all.objects, all.receipts};
  Reconciler reconciler(stores, *world.spaces, *world.saver, *world.forgetting, world.clock);
  const std::vector<std::string> left = {"files that cannot be read: " + memory_path(records[6].memories.at(0).id),
                                         "files that cannot be read: turns/turn_000005",
                                         "files that cannot be read: turns/turn_000006",
                                         "files that cannot be read: turns/turn_000007"};
  const std::vector<std::string> aside = {
      "damaged files: " + memory_path(memory.id), "damaged files: " + research_path(research.id),
      "damaged files: site_knowledge/other.json", "damaged files: turns/turn_000003",
      "damaged files: turns/turn_000004",         "damaged files: turns/turn_000009"};
  const auto dry = reconciler.run(Apply::kDryRun, kQuiet, world.soon());
  ASSERT_TRUE(dry) << dry.error().to_line();
  const auto applied = reconciler.run(Apply::kApply, kQuiet, world.soon());
  ASSERT_TRUE(applied) << applied.error().to_line();
  for (const auto* report : {&*dry, &*applied})
    for (const auto* expected : {&left, &aside})
      for (const auto& line : *expected) EXPECT_TRUE(std::ranges::binary_search(told(*report), line)) << line;
  for (const auto& one : applied->differences) {
    if (one.what != "turns/turn_000003") continue;
    EXPECT_NE(one.repair.find("a keyword of 2001 bytes, at most 2000 are kept"), std::string::npos) << one.repair;
  }
  std::vector<std::int64_t> numbers;
  const auto rows = world.rows->turns().scan({}, kMaxPage, Principal::system(), world.soon()).value();
  for (const auto& row : rows) numbers.push_back(row.number.value);
  EXPECT_EQ(numbers, (std::vector<std::int64_t>{1, 2, 8}));
  EXPECT_EQ(world.documents->list("quarantine", world.soon())->size(), aside.size());
  const auto again = reconciler.run(Apply::kApply, kQuiet, world.soon());
  ASSERT_TRUE(again) << again.error().to_line();
  EXPECT_EQ(told(*again), left) << "they are said at every run, and nothing else is";

  // The whole store is away, which says the same: it is no fault of one turn's.
  const auto away = [&](std::string_view stage, std::int64_t) {
    return documents.is_away |= stage == "turns on disk", Status();
  };
  EXPECT_EQ(reconciler.run(Apply::kDryRun, away, world.soon()).error().code, ErrorCode::kPermissionDenied);
}

// Rows were lost, and their numbers given anew before anybody reconciled: what is shown since then stands.
TEST(Reconciler, FilesWhoseNumberAnotherTurnHasAreSetAside) {
  World world("taken");
  ASSERT_TRUE(world.start());
  const auto records = fill(world, 3);
  const Principal system = Principal::system();
  ASSERT_TRUE(world.rows->turns().remove({2}, system, world.soon()));
  ASSERT_TRUE(world.documents->remove(turn_folder({2}), world.soon()));
  auto other = world.record("s", "Another turn about trains", "Reply");
  other.turn.number = {2};
  ASSERT_TRUE(world.rows->turns().commit_turn(other, system, world.soon()));
  ASSERT_TRUE(world.saver->drain(world.soon()));
  ASSERT_TRUE(
      world.documents->put_folder(turn_folder({2}), turn_documents(records[1]), Durability::kNow, world.soon()));
  const auto applied = world.reconciler->run(Apply::kApply, kQuiet, world.soon());
  ASSERT_TRUE(applied) << applied.error().to_line();
  expect_equal_again(world);
  EXPECT_EQ(world.rows->turns().find({2}, system, world.soon())->uid, other.turn.uid);
  EXPECT_EQ(read_turn_folder(*world.documents, turn_folder({2}), world.soon())->turn.uid, other.turn.uid);
  EXPECT_EQ(world.documents->list("quarantine", world.soon())->size(), 1u);
}

// The row is there: the files that can be nobody's are made of it again.
TEST(Reconciler, FilesThatTheirRowCannotBecomeAreSetAsideAndMadeAgain) {
  World world("nobody's");
  ASSERT_TRUE(world.start());
  const auto records = fill(world, 5);
  change_metadata(world, {1}, [](Turn& turn) { turn.keywords = {std::string(kMaxKeywordBytes + 1, 'k')}; });
  change_metadata(world, {2}, [](Turn& turn) { turn.session = SessionId::parse("another").value(); });
  change_metadata(world, {3}, [](Turn& turn) { turn.user = UserId::parse("ben").value(); });
  ASSERT_TRUE(world.documents->move("turns/turn_000003", "turns/turn_000033", world.soon()));
  change_metadata(world, {33}, [](Turn& turn) { turn.number = {33}; });
  change_metadata(world, {4}, [](Turn& turn) { turn.summary = "It was changed by hand."; });
  const auto applied = world.reconciler->run(Apply::kApply, kQuiet, world.soon());
  ASSERT_TRUE(applied) << applied.error().to_line();
  EXPECT_EQ(told(*applied),
            (std::vector<std::string>{"damaged files: turns/turn_000001", "damaged files: turns/turn_000002",
                                      "damaged files: turns/turn_000033", "row unlike its files: turn 4",
                                      "row without files: turn 1", "row without files: turn 2",
                                      "row without files: turn 3"}));
  expect_equal_again(world);
  for (const auto& record : records) {
    const auto row = world.rows->turns().find(record.turn.number, Principal::system(), world.soon());
    ASSERT_TRUE(row) << row.error().to_line();
    EXPECT_EQ(row->summary, record.turn.number.value == 4 ? "It was changed by hand." : record.turn.summary);
    EXPECT_EQ(read_turn_folder(*world.documents, turn_folder(record.turn.number), world.soon())->turn, *row);
  }
}

TEST(Reconciler, FoldersOfMoreThanSixDigitsStandInTheOrderOfTheirNumbers) {
  World world("digits");
  ASSERT_TRUE(world.start());
  for (const std::int64_t number : {7, 123'456, 999'999, 1'000'000, 2'000'000, 10'000'000}) {
    auto record = world.record("s", "Message about boats " + std::to_string(number), "Reply");
    record.turn.number = {number};
    ASSERT_TRUE(world.rows->turns().commit_turn(record, Principal::system(), world.soon()));
  }
  ASSERT_TRUE(world.saver->drain(world.soon()));
  for (const std::int64_t number : {123'456, 2'000'000})
    ASSERT_TRUE(world.documents->remove(turn_folder({number}), world.soon()));
  ASSERT_TRUE(world.documents->put_folder("turns/turn_1", {{"a", "no turn's"}}, Durability::kNow, world.soon()));
  ASSERT_TRUE(world.documents->put_folder("turns/turn_01000000", {{"a", "b"}}, Durability::kNow, world.soon()));
  for (const std::size_t names : {1, 2, 3, 100}) {
    Reconciler reconciler(world.stores(), *world.spaces, *world.saver, *world.forgetting, world.clock,
                          {.rows = 2, .names = names, .objects = 1});
    const auto report = reconciler.run(Apply::kDryRun, kQuiet, world.soon());
    ASSERT_TRUE(report) << report.error().to_line();
    EXPECT_EQ(report->turns, 4);
    EXPECT_EQ(told(*report),
              (std::vector<std::string>{"damaged files: turns/turn_01000000", "damaged files: turns/turn_1",
                                        "row without files: turn 123456", "row without files: turn 2000000"}));
  }
  expect_equal_again(world);
}

TEST(Reconciler, MoreDifferencesThanAreToldAreCountedAndRepairedAllTheSame) {
  World world("many");
  ASSERT_TRUE(world.start());
  fill(world, 1);
  const std::string collection = world.spaces->current()->turns;
  for (std::size_t left = kMaxDifferences + 1; left > 0;) {
    std::vector<Point> strays(std::min<std::size_t>(left, 500));
    for (auto& stray : strays) {
      stray.id = world.ids.next();
      stray.version = 1;
      stray.payload["user_id"] = std::string("ana");
      stray.payload["turn_uid"] = stray.id.to_string();
    }
    ASSERT_TRUE(world.vectors->upsert(collection, strays, Principal::system(), world.soon()));
    left -= strays.size();
  }
  const auto never = Deadline::never();
  const auto dry = world.reconciler->run(Apply::kDryRun, kQuiet, never);
  ASSERT_TRUE(dry) << dry.error().to_line();
  EXPECT_EQ(dry->differences.size(), kMaxDifferences);
  EXPECT_EQ(dry->more, 1);
  ASSERT_TRUE(world.reconciler->run(Apply::kApply, kQuiet, never));
  const auto after = world.reconciler->run(Apply::kDryRun, kQuiet, never);
  ASSERT_TRUE(after);
  EXPECT_TRUE(after->differences.empty());
  EXPECT_EQ(after->more, 0);
}

TEST(Reconciler, AFlippedBitIsSetAsideWithItsReasonAndTheFilesAreMadeAgain) {
  for (const char* name : {"metadata.json", "context.md"}) {
    World world("flipped");
    ASSERT_TRUE(world.start());
    const auto records = fill(world, 3);
    const std::string folder = turn_folder(records[1].turn.number);
    std::string bytes = world.documents->read(folder + "/" + name, world.soon()).value();
    bytes.resize(bytes.size() / 2);
    ASSERT_TRUE(world.documents->put(folder + "/" + name, bytes, Durability::kNow, world.soon()));
    expect_equal_again(world);
    EXPECT_EQ(world.documents->list("quarantine", world.soon()).value().size(), 1u);
    const auto again = read_turn_folder(*world.documents, folder, world.soon());
    ASSERT_TRUE(again) << again.error().to_line();
    EXPECT_EQ(again->turn, records[1].turn);
  }
}

TEST(Reconciler, AChangedReplyFileIsWrittenAgain) {
  World world("reply");
  ASSERT_TRUE(world.start());
  const auto records = fill(world, 1);
  const std::string path = turn_folder(records[0].turn.number) + "/response.md";
  ASSERT_TRUE(world.documents->put(path, "something else", Durability::kNow, world.soon()));
  expect_equal_again(world);
  EXPECT_EQ(world.documents->read(path, world.soon()).value(), records[0].turn.reply->text);
}

// Any subset of damage: after one run everything is equal, no turn is lost that one copy still held.
TEST(Reconciler, RepairsAnySubsetOfDamage) {
  for (std::uint64_t seed = 0; seed < 25; ++seed) {
    SCOPED_TRACE(seed);
    SeededRandom random(seed);
    World world("damage");
    ASSERT_TRUE(world.start());
    const auto records = fill(world, 6);
    const Principal system = Principal::system();
    std::set<std::int64_t> lost;
    for (const auto& record : records) {
      const Uuid point = turn_point_id(record.turn.uid);
      const bool files = random.below(3) == 0, row = random.below(3) == 0;
      if (random.below(2)) {
        ASSERT_TRUE(world.vectors->remove("turns", {&point, 1}, system, world.soon()));
      }
      if (row) {
        ASSERT_TRUE(world.rows->turns().remove(record.turn.number, system, world.soon()));
        ASSERT_TRUE(world.saver->drain(world.soon()));
      }
      if (files) {
        ASSERT_TRUE(world.documents->remove(turn_folder(record.turn.number), world.soon()));
      } else if (random.below(4) == 0) {
        ASSERT_TRUE(world.documents->remove(turn_folder(record.turn.number) + "/context.md", world.soon()));
        if (row) lost.insert(record.turn.number.value);
      }
      if (row && files) lost.insert(record.turn.number.value);
      if (!record.memories.empty() && random.below(2)) {
        ASSERT_TRUE(world.documents->remove(memory_path(record.memories[0].id), world.soon()));
      }
    }
    expect_equal_again(world);
    for (const auto& record : records)
      EXPECT_EQ(world.rows->turns().find(record.turn.number, system, world.soon()).has_value(),
                !lost.contains(record.turn.number.value))
          << record.turn.number.value;
  }
}

}  // namespace
}  // namespace pandora
