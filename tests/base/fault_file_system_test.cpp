#include "support/fault_file_system.h"

#include <gtest/gtest.h>

namespace pandora::testing {
namespace {

constexpr std::uint64_t kRuns = 500;

TEST(FaultFileSystem, WhatWasSyncedSurvivesEveryCrash) {
  for (std::uint64_t seed = 0; seed < kRuns; ++seed) {
    SCOPED_TRACE(seed);
    SeededRandom random(seed);
    FaultFileSystem files;
    ASSERT_TRUE(files.create_directories("/d"));
    ASSERT_TRUE(files.sync_directory("/"));
    auto file = files.open("/d/log", OpenMode::kAppend);
    ASSERT_TRUE(file);
    ASSERT_TRUE((*file)->append("synced"));
    ASSERT_TRUE((*file)->sync());
    ASSERT_TRUE(files.sync_directory("/d"));
    ASSERT_TRUE((*file)->append("not synced"));
    files.crash(random);
    const auto content = files.read_file("/d/log", 100);
    ASSERT_TRUE(content);
    EXPECT_TRUE(content->starts_with("synced"));
    EXPECT_EQ((*file)->append("x").error().code, ErrorCode::kUnavailable);
  }
}

TEST(FaultFileSystem, WhatWasNotSyncedIsKeptLostAndTorn) {
  bool kept = false, lost = false, torn = false, nameless = false;
  for (std::uint64_t seed = 0; seed < kRuns; ++seed) {
    SeededRandom random(seed);
    FaultFileSystem files;
    auto file = files.open("/log", OpenMode::kCreateNew);
    ASSERT_TRUE(file);
    ASSERT_TRUE((*file)->append("0123456789"));
    files.crash(random);
    const auto content = files.read_file("/log", 100);
    if (!content) {
      nameless = true;
      continue;
    }
    kept |= *content == "0123456789";
    lost |= content->empty();
    torn |= !content->empty() && *content != "0123456789";
  }
  EXPECT_TRUE(kept && lost && torn && nameless);
}

TEST(FaultFileSystem, NamesInAFolderGoWithItWhenItIsRenamed) {
  for (std::uint64_t seed = 0; seed < kRuns; ++seed) {
    SCOPED_TRACE(seed);
    SeededRandom random(seed);
    FaultFileSystem files;
    ASSERT_TRUE(files.create_directories("/staged") && files.write_atomic("/staged/a", "x", Durability::kDeferred));
    ASSERT_TRUE(files.rename("/staged", "/final"));
    ASSERT_TRUE(files.sync_file("/final/a") && files.sync_directory("/final") && files.sync_directory("/"));
    files.crash(random);
    EXPECT_EQ(files.read_file("/final/a", 100).value_or(""), "x");
    EXPECT_FALSE(files.exists("/staged"));
  }
}

TEST(FaultFileSystem, AnOldNameDoesNotComeBackWithALaterSync) {
  for (std::uint64_t seed = 0; seed < kRuns; ++seed) {
    SCOPED_TRACE(seed);
    SeededRandom random(seed);
    FaultFileSystem files;
    ASSERT_TRUE(files.create_directories("/a") && files.create_directories("/b") && files.sync_directory("/"));
    ASSERT_TRUE(files.write_atomic("/a/old", "x", Durability::kDeferred) && files.sync_file("/a/old"));
    ASSERT_TRUE(files.rename("/a/old", "/b/new"));
    ASSERT_TRUE(files.sync_directory("/b") && files.sync_directory("/a"));
    files.crash(random);
    EXPECT_FALSE(files.exists("/a/old"));
    EXPECT_EQ(files.read_file("/b/new", 100).value_or(""), "x");
  }
}

TEST(FaultFileSystem, AnAtomicWriteIsOldOrNewAtEveryCrashPoint) {
  for (std::uint64_t point = 0; point < 6; ++point)
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
      SCOPED_TRACE(seed);
      SeededRandom random(seed);
      FaultFileSystem files;
      ASSERT_TRUE(files.write_atomic("/f", "old", Durability::kNow));
      files.die_after(point);
      const bool done = files.write_atomic("/f", "new", Durability::kNow).has_value();
      EXPECT_EQ(done, point >= 5);
      files.crash(random);
      const auto content = files.read_file("/f", 100);
      ASSERT_TRUE(content);
      EXPECT_TRUE(*content == "new" || (!done && *content == "old")) << *content;
    }
}

TEST(FaultFileSystem, AFullDiskTakesAPartAndSaysSo) {
  FaultFileSystem files;
  auto file = files.open("/f", OpenMode::kAppend);
  ASSERT_TRUE(file);
  files.limit_bytes(4);
  EXPECT_TRUE((*file)->append("ab"));
  EXPECT_EQ((*file)->append("cdef").error().code, ErrorCode::kStorageFull);
  EXPECT_EQ(files.read_file("/f", 100).value(), "abcd");
}

TEST(FaultFileSystem, AnInjectedFaultComesOnceAndADeadMachineStaysDead) {
  FaultFileSystem files;
  auto file = files.open("/f", OpenMode::kAppend);
  ASSERT_TRUE(file);
  files.fail_after(1, ErrorCode::kPermissionDenied);
  EXPECT_TRUE((*file)->append("a"));
  EXPECT_EQ((*file)->append("b").error().code, ErrorCode::kPermissionDenied);
  EXPECT_TRUE((*file)->append("c"));
  EXPECT_EQ(files.read_file("/f", 100).value(), "ac");
  files.die_after(0);
  EXPECT_FALSE((*file)->sync());
  EXPECT_TRUE(files.dead());
  EXPECT_FALSE(files.read_file("/f", 100));
}

TEST(FaultFileSystem, ALockIsExclusiveUntilReleased) {
  FaultFileSystem files;
  auto first = files.lock("/lock", "pid 1");
  ASSERT_TRUE(first);
  EXPECT_EQ(files.lock("/lock", "pid 2").error().code, ErrorCode::kConflict);
  EXPECT_EQ(files.read_file("/lock", 100).value(), "pid 1");
  first->reset();
  EXPECT_TRUE(files.lock("/lock", "pid 2"));
}

}  // namespace
}  // namespace pandora::testing
