// What SQLite's stores do on a disk that is full, read-only, failing, dying or damaged.
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>

#include "store_embedded/sqlite_stores.h"
#include "support/sqlite_fault_vfs.h"

namespace pandora {
namespace {

using testing::FaultFileSystem;
using testing::SqliteFaultVfs;
const Deadline kNever = Deadline::never();
const Principal kAna = Principal::of(UserId::parse("ana").value());

struct OnFaultyDisk {
  explicit OnFaultyDisk(std::uint64_t seed = 1) : random(seed) {}

  Status open() {
    PANDORA_TRY(opened, SqliteStores::open("/db", vfs.name(), clock));
    rows = std::move(opened);
    return files.sync_directory(
        "/");  // SQLite on a real disk syncs the name of a new log; the double leaves that to us
  }
  void crash() {
    rows.reset();
    files.crash(random);
    vfs.forget();
  }
  TurnRecord record(const std::string& message) {
    TurnRecord record;
    record.turn.uid = ids.next();
    record.turn.user = kAna.user;
    record.turn.session = SessionId::parse("s").value();
    record.turn.created_at = clock.now();
    record.turn.message.text = message;
    return record;
  }
  Result<TurnNumber> commit(const std::string& message = "said") {
    return rows->turns().commit_turn(record(message), kAna, kNever);
  }
  std::int64_t count() { return rows->turns().count(kAna, kNever).value(); }

  SeededRandom random;
  const ManualClock clock;
  FaultFileSystem files;
  SqliteFaultVfs vfs{files, "faults-vfs"};
  UuidV7Generator ids{clock, random};
  std::unique_ptr<SqliteStores> rows;
};

// On a real disk, where bytes can be looked at and spoilt.
struct InDirectory : ::testing::Test {
  void SetUp() override {
    std::string path = (std::filesystem::temp_directory_path() / "pandora-sqlite-XXXXXX").string();
    ASSERT_NE(mkdtemp(path.data()), nullptr);
    directory = path;
    file = directory / "pandora.db";
  }
  void TearDown() override { std::filesystem::remove_all(directory); }
  Result<std::unique_ptr<SqliteStores>> open() { return SqliteStores::open(file.string(), "", clock); }
  std::string bytes() const {
    std::string all;
    for (const char* suffix : {"", "-wal"}) {
      std::ifstream in(file.string() + suffix, std::ios::binary);
      all.append(std::istreambuf_iterator<char>(in), {});
    }
    return all;
  }
  void fill(SqliteStores& rows, int turns) {
    OnFaultyDisk maker(++makers);  // of records; another seed gives other uids
    for (int i = 0; i < turns; ++i) {
      TurnRecord record = maker.record("said " + std::to_string(i));
      record.turn.summary = std::string(300, 's');
      record.turn.keywords = {"a", "b"};
      ASSERT_TRUE(rows.turns().commit_turn(record, kAna, kNever));
    }
  }
  const ManualClock clock;
  std::filesystem::path directory, file;
  std::uint64_t makers = 0;
};

// ── full ──

TEST(SqliteOnAFullDisk, AWriteThatDoesNotFitIsStorageFullAndNothingOfItIsThere) {
  OnFaultyDisk disk;
  ASSERT_TRUE(disk.open());
  std::int64_t committed = 0;
  int refused = 0;
  for (std::uint64_t room = 0; room < 60'000; room += 1'500) {
    SCOPED_TRACE(room);
    disk.files.limit_bytes(room);
    const auto number = disk.commit(std::string(3'000, 'm'));
    if (number) {
      ++committed;
    } else {
      ++refused;
      EXPECT_EQ(number.error().code, ErrorCode::kStorageFull) << number.error().to_line();
      EXPECT_FALSE(number.error().remedy.empty());
    }
    EXPECT_EQ(disk.count(), committed) << "reading goes on";
    disk.files.limit_bytes(std::nullopt);
    ASSERT_TRUE(disk.commit("there is room again"));
    EXPECT_EQ(disk.count(), ++committed);
  }
  EXPECT_GT(refused, 5);
  EXPECT_GT(committed, refused);
  disk.rows.reset();
  ASSERT_TRUE(disk.open());
  EXPECT_EQ(disk.count(), committed);
}

TEST(SqliteOnAFullDisk, ANewDatabaseThatDoesNotFitSaysSoAndOpensOnceThereIsRoom) {
  OnFaultyDisk disk;
  for (const std::uint64_t room : {0, 100, 5'000, 30'000}) {
    SCOPED_TRACE(room);
    disk.files.limit_bytes(room);
    const Status opened = disk.open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::kStorageFull) << opened.error().to_line();
  }
  disk.files.limit_bytes(std::nullopt);
  ASSERT_TRUE(disk.open());
  EXPECT_TRUE(disk.commit());
}

// ── read-only, failing ──

TEST(SqliteOnAReadOnlyDisk, OpeningIsRefusedWithWhatToDo) {
  OnFaultyDisk disk;
  ASSERT_TRUE(disk.open());
  disk.rows.reset();
  disk.vfs.set_read_only(true);
  const Status opened = disk.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kPermissionDenied) << opened.error().to_line();
  EXPECT_FALSE(opened.error().remedy.empty());
  disk.vfs.set_read_only(false);
  EXPECT_TRUE(disk.open());
}

TEST_F(InDirectory, AFolderThatIsNotThereIsRefusedWithWhatToDo) {
  const auto opened = SqliteStores::open((directory / "none" / "pandora.db").string(), "", clock);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kPermissionDenied);
  EXPECT_FALSE(opened.error().remedy.empty());
}

TEST(SqliteOnAFailingDisk, AnErrorIsUnavailableAndWhatSucceededStays) {
  int failed = 0;
  for (std::uint64_t point = 0; point < 12; ++point) {
    SCOPED_TRACE(point);
    OnFaultyDisk disk;
    ASSERT_TRUE(disk.open());
    ASSERT_TRUE(disk.commit("before"));
    disk.files.fail_after(point, ErrorCode::kUnavailable);
    std::int64_t succeeded = 1;
    for (int i = 0; i < 3; ++i) {
      const auto number = disk.commit("during");
      if (number)
        ++succeeded;
      else
        EXPECT_EQ(number.error().code, ErrorCode::kUnavailable) << number.error().to_line();
      failed += number ? 0 : 1;
    }
    disk.rows.reset();
    ASSERT_TRUE(disk.open());
    EXPECT_GE(disk.count(), succeeded);
    EXPECT_TRUE(disk.commit("after"));
  }
  EXPECT_GT(failed, 0);
}

// ── dying: an interrupted migration ──

TEST(SqliteMigrations, ADeathAtAnyPointOfTheFirstOpeningIsRepairedByTheNext) {
  OnFaultyDisk whole;
  ASSERT_TRUE(whole.open());
  const std::uint64_t operations = whole.files.operations();
  ASSERT_GT(operations, 10U);
  for (std::uint64_t point = 0; point < operations; ++point)
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
      SCOPED_TRACE("operation " + std::to_string(point) + ", seed " + std::to_string(seed));
      OnFaultyDisk disk(seed);
      disk.files.die_after(point);
      EXPECT_FALSE(disk.open());
      disk.crash();
      const Status opened = disk.open();
      ASSERT_TRUE(opened) << opened.error().to_line();
      EXPECT_EQ(disk.commit().value().value, 1);
    }
}

// ── another schema ──

struct SchemaOfAnother : InDirectory {
  std::optional<Error> after(const std::string& sql) {
    {
      auto rows = open().value();
      fill(*rows, 1);
      EXPECT_TRUE(rows->database().write([&](Connection& connection) { return connection.script(sql); }, kNever));
    }
    const auto opened = open();
    return opened ? std::nullopt : std::optional(opened.error());
  }
};

TEST_F(SchemaOfAnother, ANewerOneIsRefusedAndNamed) {
  const auto error = after("INSERT INTO schema_migrations VALUES (99, '0099_future', 'x', 1, 0)");
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, ErrorCode::kIncompatible);
  EXPECT_NE(error->message.find("99"), std::string::npos);
  EXPECT_NE(error->message.find(file.string()), std::string::npos);
  EXPECT_FALSE(error->remedy.empty());
}

TEST_F(SchemaOfAnother, OneThatWasAppliedFromAnotherTextIsRefused) {
  const auto error = after("UPDATE schema_migrations SET checksum = 'x' WHERE version = 1");
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, ErrorCode::kIncompatible);
  EXPECT_FALSE(error->remedy.empty());
}

TEST_F(SchemaOfAnother, OneWithAChecksumOfAnotherFormulaIsRefused) {
  const auto error = after("UPDATE schema_migrations SET formula = 2");
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, ErrorCode::kIncompatible);
}

TEST_F(InDirectory, TwoThatOpenTheSameNewFileAtOnceBothGetIt) {
  for (int round = 0; round < 10; ++round) {
    file = directory / ("db" + std::to_string(round));
    std::vector<std::optional<Error>> errors(2);
    std::vector<std::thread> threads;
    for (auto& error : errors)
      threads.emplace_back([&] {
        if (const auto opened = open(); !opened) error = opened.error();
      });
    for (auto& thread : threads) thread.join();
    for (const auto& error : errors) EXPECT_FALSE(error) << error->to_line();
  }
}

// ── damaged ──

void expect_corrupt(const Error& error) {
  EXPECT_EQ(error.code, ErrorCode::kDataCorrupt) << error.to_line();
  EXPECT_NE(error.remedy.find("pandora reconcile --apply"), std::string::npos) << error.to_line();
}

TEST_F(InDirectory, AFileThatIsNoDatabaseIsCorruptWithWhatToDo) {
  std::ofstream(file) << std::string(8'192, 'x');
  const auto opened = open();
  ASSERT_FALSE(opened);
  expect_corrupt(opened.error());
}

TEST_F(InDirectory, AFileThatLostItsEndIsCorruptWithWhatToDo) {
  fill(*open().value(), 60);
  const auto size = std::filesystem::file_size(file);
  for (const auto left : {size - 4'096, size / 2, size / 4}) {
    std::filesystem::resize_file(file, left);
    const auto opened = open();
    ASSERT_FALSE(opened) << left;
    expect_corrupt(opened.error());
  }
}

TEST_F(InDirectory, APageThatWasOverwrittenIsFoundWhereverItLies) {
  constexpr std::uintmax_t kPage = 4'096;
  fill(*open().value(), 60);
  const std::string whole = bytes();
  ASSERT_EQ(whole.size() % kPage, 0U);
  ASSERT_GT(whole.size() / kPage, 30U);
  for (std::uintmax_t at = 0; at < whole.size(); at += kPage) {
    SCOPED_TRACE(at / kPage);
    std::string damaged = whole;
    std::fill_n(damaged.begin() + static_cast<std::ptrdiff_t>(at), kPage, '\xFF');
    std::ofstream(file, std::ios::binary | std::ios::trunc) << damaged;
    const auto opened = open();
    ASSERT_FALSE(opened);
    expect_corrupt(opened.error());
  }
}

TEST_F(InDirectory, WhatIsRemovedIsOverwritten) {
  const std::string secret = "4711 xylophone", vector(64, '\x5A');
  auto rows = open().value();
  fill(*rows, 30);
  OnFaultyDisk maker(++makers);
  TurnRecord told = maker.record("The safe opens with " + secret);
  told.turn.keywords = {secret};
  Memory memory;
  memory.id = maker.ids.next();
  memory.user = kAna.user;
  memory.content = secret;
  memory.source_turn = told.turn.uid;
  told.memories = {memory};
  Observation observation;
  observation.turn_uid = told.turn.uid;
  observation.detail = secret;
  told.observations = {observation};
  const TurnNumber number = rows->turns().commit_turn(told, kAna, kNever).value();
  std::vector<float> floats(vector.size() / sizeof(float));
  std::memcpy(floats.data(), vector.data(), vector.size());
  ASSERT_TRUE(rows->turns().put_vector(told.turn.uid, {"m", "1", floats.size()}, floats, kNever));
  fill(*rows, 30);
  ASSERT_TRUE(rows->database().checkpoint(kNever));
  ASSERT_NE(bytes().find(secret), std::string::npos);
  ASSERT_NE(bytes().find(vector), std::string::npos);

  ASSERT_TRUE(rows->turns().remove(number, kAna, kNever));
  ASSERT_TRUE(rows->database().checkpoint(kNever));
  EXPECT_EQ(bytes().find(secret), std::string::npos);
  EXPECT_EQ(bytes().find(vector), std::string::npos);
}

}  // namespace
}  // namespace pandora
