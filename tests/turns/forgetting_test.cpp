#include "turns/forgetting.h"

#include <algorithm>
#include <atomic>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/forwarding_turn_store.h"
#include "turns/documents.h"
#include "world.h"

namespace pandora {
namespace {

using testing::World;

constexpr const char* kSecret = "The safe opens with 4711 xylophone.";

struct Told : ::testing::Test {
  void SetUp() override {
    ASSERT_TRUE(world.start());
    auto first = world.record("s", kSecret, "I keep that.");
    first.memories.push_back(world.memory(first.turn, kSecret));
    first.research.push_back(world.research(first.turn, "xylophone"));
    memory = first.memories[0].id;
    research = first.research[0].id;
    uid = first.turn.uid;
    ASSERT_TRUE(world.saver->save(first, world.soon()));
    number = world.saver->wait_findable(uid, world.soon()).value();
    auto second = world.record("s", "How does it open?", std::string("You said: ") + kSecret);
    second.turn.summary = "It opens. " + std::string(kSecret);
    second.context.gathered.items.push_back(
        {GatheredKind::kPreviousTurn, "turn 1", uid.to_string(), "s", world.clock.now(), Trust::kUser, 1, 1, kSecret});
    second.context.gathered.items.push_back(
        {GatheredKind::kMemory, "memory", memory.to_string(), "s", world.clock.now(), Trust::kUser, 1, 1, kSecret});
    ASSERT_TRUE(world.saver->save(second, world.soon()));
    later = world.saver->wait_findable(second.turn.uid, world.soon()).value();
  }
  // Every file of the installation, databases included.
  bool anywhere(const std::string& words, const std::string& folder = "/data") {
    const auto entries = world.files.list(folder).value();
    for (const auto& entry : entries) {
      const std::string path = join_path(folder, entry.name);
      if (entry.is_directory ? anywhere(words, path)
                             : world.files.read_file(path, 1u << 30).value().find(words) != std::string::npos) {
        if (!entry.is_directory) GTEST_LOG_(INFO) << path;
        return true;
      }
    }
    return false;
  }
  World world{"forgetting"};
  Uuid uid, memory, research;
  TurnNumber number, later;
};

TEST_F(Told, ATurnLeavesEveryStoreAndEveryQuote) {
  ASSERT_TRUE(anywhere("4711 xylophone"));
  const auto report = world.forgetting->forget_turn(number, Principal::of(UserId::parse("ana").value()), world.soon());
  ASSERT_TRUE(report) << report.error().to_line();
  EXPECT_EQ(report->memories, std::vector<Uuid>{memory});
  EXPECT_EQ(report->research, std::vector<Uuid>{research});
  EXPECT_EQ(report->redacted, 1);
  EXPECT_EQ(report->windows, 1);
  EXPECT_GE(report->files, 4);
  const auto left = world.forgetting->verify(*report, world.soon());
  ASSERT_TRUE(left);
  for (const auto& finding : *left) ADD_FAILURE() << finding.store << ": " << finding.detail;
  EXPECT_FALSE(anywhere("4711 xylophone"));
  const auto rest = read_turn_folder(*world.documents, turn_folder(later), world.soon());
  ASSERT_TRUE(rest);
  EXPECT_EQ(rest->turn.reply->text, "You said: [forgotten]");
  EXPECT_EQ(rest->context.gathered.items[0].text, kForgottenText);
  EXPECT_EQ(world.reconciler->run(
                                Apply::kDryRun, [](auto, auto) { return Status(); }, world.soon())
                .value()
                .differences.size(),
            0u);
}

// Of a gateway that has acknowledged turns which quote the first one, and cannot write rows.
struct AnotherGateway : Told {
  void SetUp() override {
    Told::SetUp();
    open_other();
    const auto quoting = [&](const std::string& message, const std::string& reply, const std::string& model) {
      auto record = world.record("s", message, reply);
      record.turn.model = model;
      record.context.replies = {{1, "a-model", "Once more: " + reply}, {2, model, reply}};
      record.context.gathered.items.push_back({GatheredKind::kPreviousTurn, "turn 1", uid.to_string(), "s",
                                               world.clock.now(), Trust::kUser, 1, 1,
                                               fmt::format("User: {}\nAssistant: I keep that.", kSecret)});
      record.context.gathered.items.push_back(
          {GatheredKind::kMemory, "memory", memory.to_string(), "s", world.clock.now(), Trust::kUser, 1, 1, kSecret});
      return record;
    };
    waiting = {quoting("How does it open?", std::string("You said: ") + kSecret, "a-model"),
               quoting("What did I say?", std::string("On Monday you said: ") + kSecret, std::string(kExtractiveModel)),
               quoting("Is it safe?", "I do not know.", "a-model")};
    TurnRecord& borrowing = waiting.back();
    borrowing.turn.question = "Is it safe? [4711 xylophone]";
    borrowing.turn.topic = "safe 4711 xylophone";
    borrowing.turn.keywords = derive_keywords(borrowing.turn.question, "", {});
    borrowing.context.query.question = borrowing.turn.question;
    borrowing.context.plans.push_back({1, {borrowing.turn.question}, Route::kSynthesis});
    for (const auto& record : waiting) ASSERT_TRUE(other->save(record, world.soon()));
  }
  void TearDown() override { other.reset(); }
  void open_other() {
    SaverOptions options;
    options.journal_directory = "/data/other";
    options.owner = "other";
    options.checkpoint_interval = std::chrono::hours(1);
    options.before_rows = [this](const Deadline&) -> Status {
      return rows_are_away ? Status(fail(ErrorCode::kUnavailable, "rows are away")) : Status();
    };
    other = TurnSaver::open(options, world.stores(), *world.spaces, world.files, world.clock).value();
  }
  // The first gateway has gone, so that what follows the rows is of the other's journal.
  void drain_other() {
    world.reconciler.reset(), world.forgetting.reset(), world.saver.reset();
    rows_are_away = false;
    const Status drained = other->checkpoint(world.soon());
    ASSERT_TRUE(drained) << drained.error().to_line();
  }
  void expect_clean() {
    for (const auto& record : waiting) {
      const auto rows = world.rows->turns().find_all({&record.turn.uid, 1}, Principal::system(), world.soon()).value();
      ASSERT_EQ(rows.size(), 1u);
      const auto files = read_turn_folder(*world.documents, turn_folder(rows[0].number), world.soon());
      ASSERT_TRUE(files) << files.error().to_line();
      EXPECT_EQ(files->turn, rows[0]);
      EXPECT_EQ(files->turn.message, record.turn.message);
      for (const auto& item : files->context.gathered.items) EXPECT_EQ(item.text, kForgottenText);
      for (const auto& document : turn_documents(*files))
        EXPECT_EQ(document.bytes.find("xylophone"), std::string::npos) << document.name << ": " << document.bytes;
      const Uuid point = turn_point_id(record.turn.uid);
      EXPECT_EQ(world.vectors->retrieve("turns", {&point, 1}, Principal::system(), world.soon())->size(), 1u);
    }
    const auto reply = [&](const TurnRecord& of) {
      return world.rows->turns().find_all({&of.turn.uid, 1}, Principal::system(), world.soon())->at(0).reply->text;
    };
    EXPECT_EQ(reply(waiting[0]), "You said: [forgotten]");
    EXPECT_EQ(reply(waiting[1]), kForgottenText) << "it is made of quotes";
    EXPECT_EQ(reply(waiting[2]), "I do not know.");
  }
  std::unique_ptr<TurnSaver> other;
  std::atomic<bool> rows_are_away = true;
  std::vector<TurnRecord> waiting;
};

TEST_F(AnotherGateway, WhatItsJournalQuotesIsLeftOutWhenItIsDrainedAfterItsDeath) {
  other.reset();
  ASSERT_TRUE(world.forgetting->forget_turn(number, Principal::system(), world.soon()));
  open_other();
  drain_other();
  expect_clean();
  EXPECT_FALSE(anywhere("4711 xylophone")) << "no row ever had the words";
}

TEST_F(AnotherGateway, WhatItsJournalQuotesIsLeftOutWhenItsRowsComeBack) {
  ASSERT_TRUE(world.forgetting->forget_turn(number, Principal::system(), world.soon()));
  drain_other();
  expect_clean();
}

TEST_F(AnotherGateway, AForgottenMemoryIsLeftOutAsWell) {
  const auto holding = [&] {
    auto record = world.record("s", "Keep it.", "Kept.");
    record.memories.push_back(world.memory(record.turn, "The cellar opens with 1234 trombone."));
    return record;
  }();
  rows_are_away = false;
  ASSERT_TRUE(other->save(holding, world.soon()));
  ASSERT_TRUE(other->drain(world.soon()));
  const TurnNumber of = other->wait_findable(holding.turn.uid, world.soon()).value();
  const auto waiting_quote = [&] {
    auto record = world.record("s", "How does the cellar open?", "With this: The cellar opens with 1234 trombone.");
    const std::string id = holding.memories[0].id.to_string();
    record.context.gathered.items.push_back({GatheredKind::kMemory, "memory " + id, id, "s", world.clock.now(),
                                             Trust::kUser, 1, 1, holding.memories[0].content});
    return record;
  }();
  other.reset();
  rows_are_away = true;
  open_other();
  ASSERT_TRUE(other->save(waiting_quote, world.soon()));
  ASSERT_TRUE(world.forgetting->forget_memory(holding.memories[0].id, Principal::system(), world.soon()));
  // Its files are lost before they are synced: the journal, which holds the memory, makes them again.
  ASSERT_TRUE(world.documents->remove(turn_folder(of), world.soon()));
  other.reset();
  open_other();
  drain_other();
  EXPECT_FALSE(anywhere("1234 trombone"));
  EXPECT_EQ(world.documents->read(turn_folder(of) + "/response.md", world.soon()).value(), "Kept.");
}

// Whoever forgets knows the words, and has cleaned the files: the journal's copy does not come over them.
TEST_F(AnotherGateway, FilesThatWereCleanedStayCleanWhenTheJournalIsReplayed) {
  rows_are_away = false;
  auto lines = world.record("s", "What is it?", "A musical thing.");
  lines.context.tools.push_back(
      {1, 1, "grep", "{}", ToolStatus::kOk, "found: The safe opens with 4711 xylophone.", {}});
  lines.context.gathered.items.push_back(
      {GatheredKind::kTurn, "turn 1", uid.to_string(), "s", world.clock.now(), Trust::kUser, 1, 1, "User: cut short…"});
  ASSERT_TRUE(other->save(lines, world.soon()));
  ASSERT_TRUE(other->drain(world.soon()));
  TurnRecord written = lines;  // by the gateway whose journal holds it
  written.turn = world.rows->turns().find_all({&lines.turn.uid, 1}, Principal::system(), world.soon())->at(0);
  const std::string folder = turn_folder(written.turn.number);
  ASSERT_TRUE(world.documents->put_folder(folder, turn_documents(written), Durability::kNow, world.soon()));
  other.reset();  // with its journal
  ASSERT_TRUE(world.forgetting->forget_turn(number, Principal::system(), world.soon()));
  open_other();
  drain_other();
  const auto files = read_turn_folder(*world.documents, folder, world.soon()).value();
  ASSERT_EQ(files.context.tools.size(), 1u);
  EXPECT_EQ(files.context.tools[0].result, "found: [forgotten]");
  EXPECT_FALSE(anywhere("4711 xylophone"));
}

TEST_F(Told, ATurnLeavesTheReceiptsOfRecalls) {
  const auto receipt = [&](const std::string& user, const std::string& question) {
    RecallReceipt one;
    one.id = world.ids.next();
    one.user = UserId::parse(user).value();
    one.question = question;
    return one;
  };
  RecallReceipt asked = receipt("ana", "q"), found = receipt("ana", "q"), other = receipt("ana", "q");
  RecallReceipt quotes = receipt("ana", std::string("Who said: ") + kSecret), of_bob = receipt("bob", kSecret);
  asked.turn = uid;
  found.turns.resize(2);
  found.turns[0].uid = uid;
  found.turns[1].uid = world.ids.next();
  found.memories.resize(1);
  found.memories[0].uid = memory;
  of_bob.research.resize(1);  // it was global
  of_bob.research[0].uid = research;
  ReceiptStore& receipts = world.rows->receipts();
  ASSERT_TRUE(receipts.put(std::vector{asked, found, quotes, other, of_bob}, Principal::system(), world.soon()));

  const auto report = world.forgetting->forget_turn(number, Principal::of(UserId::parse("ana").value()), world.soon());
  ASSERT_TRUE(report) << report.error().to_line();
  EXPECT_EQ(report->receipts, 4);
  const auto find = [&](const RecallReceipt& one) { return receipts.find(one.id, Principal::system(), world.soon()); };
  EXPECT_FALSE(find(asked)) << "the turn asked it";
  EXPECT_FALSE(find(quotes)) << "its question repeats the words";
  ASSERT_TRUE(find(found));
  EXPECT_EQ(find(found)->forgotten, 2);
  EXPECT_EQ(find(found)->turns, std::vector{found.turns[1]});
  EXPECT_EQ(find(other).value(), other);
  ASSERT_TRUE(find(of_bob)) << "these are his own words";
  EXPECT_EQ(find(of_bob)->forgotten, 1);
  EXPECT_TRUE(world.forgetting->verify(*report, world.soon())->empty());

  ASSERT_TRUE(receipts.put({&found, 1}, Principal::system(), world.soon()));
  const auto left = world.forgetting->verify(*report, world.soon()).value();
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].store, "receipts");
}

// "Is it safe?" was understood as "Is it safe? [4711 xylophone]", and its topic and keywords followed from that.
TEST_F(Told, FollowUpsGiveBackTheWordsThatMadeThemSelfContained) {
  auto follow = [&](const std::string& message, const std::string& topic, const std::string& session) {
    auto record = world.record(session, message, "I do not know.");
    record.turn.question = message + " [" + topic + "]";
    record.turn.topic = topic;
    record.turn.keywords = derive_keywords(record.turn.question, "", {});
    record.turn.summary = record.turn.question;
    record.context.query.question = record.turn.question;
    record.context.plans.push_back({1, {record.turn.question}, Route::kSynthesis});
    EXPECT_TRUE(world.saver->save(record, world.soon()));
    return world.saver->wait_findable(record.turn.uid, world.soon()).value();
  };
  const TurnNumber third = follow("Is it safe?", "safe opens xylophone", "s");
  const TurnNumber fourth = follow("Why is that?", "Is xylophone", "s");
  RecallReceipt asked;
  asked.id = world.ids.next();
  asked.user = UserId::parse("ana").value();
  asked.turn = world.rows->turns().find(third, Principal::system(), world.soon())->uid;
  asked.question = "Is it safe? [safe opens xylophone]";
  ASSERT_TRUE(world.rows->receipts().put({&asked, 1}, Principal::system(), world.soon()));
  const TurnNumber elsewhere = follow("What about it?", "green tea", "s");
  ASSERT_TRUE(world.forgetting->forget_turn(number, Principal::system(), world.soon()));
  EXPECT_FALSE(anywhere("xylophon"));
  const auto receipt = world.rows->receipts().find(asked.id, Principal::system(), world.soon());
  ASSERT_TRUE(receipt);
  EXPECT_EQ(receipt->question, "Is it safe?");
  EXPECT_EQ(receipt->forgotten, 1) << "it cannot be ranked again";
  for (const auto& one : {third, fourth}) {
    const auto rest = read_turn_folder(*world.documents, turn_folder(one), world.soon());
    ASSERT_TRUE(rest);
    EXPECT_EQ(rest->turn.question, rest->turn.message.text);
    EXPECT_EQ(rest->context.query.question, rest->turn.message.text);
    EXPECT_EQ(rest->context.plans[0].goals[0], rest->turn.message.text);
  }
  EXPECT_EQ(world.rows->turns().find(elsewhere, Principal::system(), world.soon())->question,
            "What about it? [green tea]");
}

TEST_F(Told, TheTombstoneKnowsWhatToLookFor) {
  const auto report = world.forgetting->forget_turn(number, Principal::system(), world.soon());
  ASSERT_TRUE(report);
  const auto known = world.forgetting->report_of(uid, world.soon());
  ASSERT_TRUE(known) << known.error().to_line();
  EXPECT_EQ(known->what, "turn");
  EXPECT_EQ(known->number, number);
  EXPECT_EQ(known->memories, std::vector<Uuid>{memory});
  EXPECT_EQ(known->research, std::vector<Uuid>{research});
  EXPECT_EQ(world.forgetting->report_of(world.ids.next(), world.soon()).error().code, ErrorCode::kNotFound);
  const std::string bytes = world.documents->read(tombstone_path(uid), world.soon()).value();
  const auto with = [&](std::string_view old, std::string_view fresh) {
    std::string changed = bytes;
    changed.replace(changed.find(old), old.size(), fresh);
    EXPECT_TRUE(world.documents->put(tombstone_path(uid), changed, Durability::kNow, world.soon()));
    return world.forgetting->report_of(uid, world.soon()).error().code;
  };
  EXPECT_EQ(with("\"version\": 1", "\"version\": 2"), ErrorCode::kIncompatible);
  EXPECT_EQ(with("\"format\": \"pandora tombstone\"", "\"format\": \"pandora memory\""), ErrorCode::kDataCorrupt);
  EXPECT_EQ(with("{", ""), ErrorCode::kDataCorrupt);
}

TEST_F(Told, AMemoryNamesTheTurnThatStillSaysIt) {
  const auto report = world.forgetting->forget_memory(memory, Principal::system(), world.soon());
  ASSERT_TRUE(report);
  EXPECT_EQ(report->said_in, number);
}

TEST_F(Told, AnotherUserCannotForgetIt) {
  EXPECT_EQ(
      world.forgetting->forget_turn(number, Principal::of(UserId::parse("eve").value()), world.soon()).error().code,
      ErrorCode::kNotFound);
  EXPECT_TRUE(world.rows->turns().find(number, Principal::system(), world.soon()));
}

TEST_F(Told, VerifyTellsWhatCameBack) {
  const auto folder = read_turn_folder(*world.documents, turn_folder(number), world.soon());
  ASSERT_TRUE(folder);
  const auto report = world.forgetting->forget_turn(number, Principal::system(), world.soon());
  ASSERT_TRUE(report);
  ASSERT_TRUE(
      world.documents->put_folder("turns/turn_000777", turn_documents(*folder), Durability::kNow, world.soon()));
  EXPECT_FALSE(world.forgetting->verify(*report, world.soon())->empty());
  // What was set aside holds it as text, or, a database, as bytes.
  const std::string raw(reinterpret_cast<const char*>(uid.bytes.data()), uid.bytes.size());
  ASSERT_TRUE(world.documents->put_folder("quarantine/x", {{"a.json", uid.to_string()}, {"b.db", "x" + raw}},
                                          Durability::kNow, world.soon()));
  const auto left = world.forgetting->verify(*report, world.soon());
  EXPECT_EQ(std::ranges::count(*left, "quarantine", &ForgetFinding::store), 2);
}

TEST_F(Told, AMemoryLeavesTheDocumentsOfItsTurnToo) {
  const auto report =
      world.forgetting->forget_memory(memory, Principal::of(UserId::parse("ana").value()), world.soon());
  ASSERT_TRUE(report) << report.error().to_line();
  EXPECT_TRUE(world.forgetting->verify(*report, world.soon())->empty());
  EXPECT_TRUE(read_turn_folder(*world.documents, turn_folder(number), world.soon())->memories.empty());
  EXPECT_EQ(read_turn_folder(*world.documents, turn_folder(later), world.soon())->context.gathered.items[1].text,
            kForgottenText);
}

TEST_F(Told, ADamagedFolderOfAnotherTurnDoesNotKeepAnybodyFromForgetting) {
  ASSERT_TRUE(world.saver->drain(world.soon()));
  ASSERT_TRUE(world.documents->put(turn_folder(later) + "/metadata.json", "{", Durability::kNow, world.soon()));
  const auto report = world.forgetting->forget_turn(number, Principal::system(), world.soon());
  ASSERT_TRUE(report) << report.error().to_line();
  EXPECT_EQ(world.documents->list("quarantine", world.soon()).value().size(), 1u);
}

// Power goes at every point of a forgetting: reconcile completes it, from whatever is left.
// Between the reading of a turn that quotes and its writing another gateway rejects it, or archives it.
TEST(Forgetting, WhatOthersChangeOfATurnThatQuotesMeanwhileStaysChanged) {
  class Meanwhile final : public testing::ForwardingTurnStore {
   public:
    using ForwardingTurnStore::ForwardingTurnStore;
    Status rewrite(const Turn& turn, const Principal& who, const Deadline& deadline, const Turn* was) override {
      if (++rewrites == 1) {
        EXPECT_TRUE(turns_.change(turn.number, {.rejected = true}, who, deadline));
        EXPECT_TRUE(turns_.change(turn.number, {.archived = true}, who, deadline));
      }
      return turns_.rewrite(turn, who, deadline, was);
    }
    int rewrites = 0;
  };
  World world{"meanwhile"};
  Meanwhile* meanwhile = nullptr;
  world.around_turns = [&](TurnStore& turns) {
    auto made = std::make_unique<Meanwhile>(turns);
    meanwhile = made.get();
    return made;
  };
  ASSERT_TRUE(world.start());
  const auto first = world.record("s", kSecret, "I keep that.");
  const auto second = world.record("s", "How does it open?", std::string("You said: ") + kSecret);
  for (const auto* one : {&first, &second}) {
    ASSERT_TRUE(world.saver->save(*one, world.soon()));
    ASSERT_TRUE(world.saver->wait_findable(one->turn.uid, world.soon()));
  }
  const auto report = world.forgetting->forget_turn({1}, Principal::of(first.turn.user), world.soon());
  ASSERT_TRUE(report) << report.error().to_line();
  EXPECT_EQ(report->redacted, 1);
  EXPECT_EQ(meanwhile->rewrites, 2);
  const auto row = world.rows->turns().find({2}, Principal::system(), world.soon()).value();
  EXPECT_TRUE(row.rejected);
  EXPECT_TRUE(row.archived);
  EXPECT_EQ(row.reply->text.find(kSecret), std::string::npos);
  const auto kept = read_turn_folder(*world.documents, archived_turn_folder({2}), world.soon());
  ASSERT_TRUE(kept) << kept.error().to_line();
  EXPECT_EQ(kept->turn, row);
  EXPECT_FALSE(world.documents->exists(turn_folder({2}), world.soon()).value());
  EXPECT_TRUE(world.forgetting->verify(*report, world.soon()).value().empty());
}

TEST(Forgetting, AnInterruptedOneIsCompletedByReconcile) {
  int interrupted = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    SeededRandom random(seed);
    World world("interrupted");
    ASSERT_TRUE(world.start());
    auto first = world.record("s", kSecret, "I keep that.");
    first.memories.push_back(world.memory(first.turn, kSecret));
    ASSERT_TRUE(world.saver->save(first, world.soon()));
    auto second = world.record("s", "How does it open?", std::string("You said: ") + kSecret);
    second.context.gathered.items.push_back({GatheredKind::kPreviousTurn, "turn 1", first.turn.uid.to_string(), "s",
                                             world.clock.now(), Trust::kUser, 1, 1, kSecret});
    ASSERT_TRUE(world.saver->save(second, world.soon()));
    ASSERT_TRUE(world.saver->checkpoint(world.soon()));
    RecallReceipt receipt;
    receipt.id = world.ids.next();
    receipt.user = first.turn.user;
    receipt.turn = first.turn.uid;
    ASSERT_TRUE(world.rows->receipts().put({&receipt, 1}, Principal::system(), world.soon()));
    const TurnNumber number = world.saver->wait_findable(first.turn.uid, world.soon()).value();
    world.files.die_after(random.below(120));
    const auto report = world.forgetting->forget_turn(number, Principal::system(),
                                                      Deadline::after(world.clock, std::chrono::milliseconds(500)));
    interrupted += report ? 0 : 1;
    world.crash(random);
    ASSERT_TRUE(world.start());
    const bool begun = world.documents->exists(tombstone_path(first.turn.uid), world.soon()).value();
    const auto repaired = world.reconciler->run(Apply::kApply, [](auto, auto) { return Status(); }, world.soon());
    ASSERT_TRUE(repaired) << repaired.error().to_line();
    if (!begun) {
      EXPECT_FALSE(report);
      continue;
    }
    const auto left = world.forgetting->verify(
        {"turn", first.turn.uid, number, {}, first.turn.content_sha256, 0, 0, 0, 0, 0, {first.memories[0].id}, {}},
        world.soon());
    ASSERT_TRUE(left);
    for (const auto& finding : *left) ADD_FAILURE() << finding.store << ": " << finding.detail;
  }
  EXPECT_GT(interrupted, 10);
}

}  // namespace
}  // namespace pandora
