#include "store_embedded/directory_document_store.h"

#include <functional>

#include <gtest/gtest.h>

#include "support/fault_file_system.h"
#include "support/forwarding_file_system.h"

namespace pandora {
namespace {

const Deadline kNever = Deadline::never();

std::vector<Document> version(int n) {
  return {{"a.md", "a" + std::string(200, static_cast<char>('0' + n))},
          {"b.md", "b" + std::string(200, static_cast<char>('0' + n))}};
}

// After a crash a folder that was durable is whole: all of the old version or all of the new one.
void replace_and_crash(Durability durability) {
  for (std::uint64_t point = 0; point < 40; ++point) {
    for (std::uint64_t seed = 0; seed < 8; ++seed) {
      SCOPED_TRACE("crash point " + std::to_string(point) + ", seed " + std::to_string(seed));
      testing::FaultFileSystem files;
      const ManualClock clock;
      SeededRandom random(seed);
      auto store = DirectoryDocumentStore::open(files, "/docs", clock);
      ASSERT_TRUE(store.has_value());
      ASSERT_TRUE((*store)->put_folder("turns/t1", version(1), Durability::kNow, kNever).has_value());
      ASSERT_TRUE(files.sync_directory("/docs").has_value() && files.sync_directory("/").has_value());
      files.die_after(point);
      const bool saved = (*store)->put_folder("turns/t1", version(2), durability, kNever).has_value();
      files.crash(random);
      store = DirectoryDocumentStore::open(files, "/docs", clock);
      ASSERT_TRUE(store.has_value());
      const auto a = (*store)->read("turns/t1/a.md", kNever), b = (*store)->read("turns/t1/b.md", kNever);
      ASSERT_TRUE(a.has_value() && b.has_value());
      const int n = a->at(1) - '0';
      ASSERT_TRUE(n == 2 || (n == 1 && !saved));
      EXPECT_EQ(*a, version(n)[0].bytes);
      EXPECT_EQ(*b, version(n)[1].bytes);
    }
  }
}

TEST(DirectoryDocumentStore, AReplacedFolderIsOldOrNewAfterACrash) { replace_and_crash(Durability::kNow); }
TEST(DirectoryDocumentStore, ADeferredReplacementNeverLosesTheOldFolder) { replace_and_crash(Durability::kDeferred); }

// Somebody who forgets must not find nothing there, and go on.
TEST(DirectoryDocumentStore, WhatAnotherProcessReplacesIsReadWhereItStandsMeanwhile) {
  class Watched final : public testing::ForwardingFileSystem {
   public:
    using ForwardingFileSystem::ForwardingFileSystem;
    Status rename(const std::string& from, const std::string& to) override {
      PANDORA_CHECK(files_.rename(from, to));
      if (from == "/docs/turns/t1" && look) look();
      return {};
    }
    std::function<void()> look;
  };
  testing::FaultFileSystem files;
  Watched watched(files);
  const ManualClock clock;
  const auto mine = DirectoryDocumentStore::open(files, "/docs", clock, "mine").value(),
             theirs = DirectoryDocumentStore::open(watched, "/docs", clock, "theirs").value();
  ASSERT_TRUE(theirs->put_folder("turns/t1", version(1), Durability::kNow, kNever));
  int looked = 0;
  watched.look = [&] {
    ++looked;
    EXPECT_FALSE(files.exists("/docs/turns/t1"));
    EXPECT_EQ(mine->read("turns/t1/a.md", kNever).value(), version(1)[0].bytes);
    EXPECT_EQ(mine->read("turns/t1/c.md", kNever).error().code, ErrorCode::kNotFound);
    EXPECT_EQ(mine->read("turns/t2/a.md", kNever).error().code, ErrorCode::kNotFound);
    EXPECT_EQ(mine->list("turns/t1", kNever).value().size(), 2u);
    EXPECT_TRUE(mine->list("turns/t2", kNever).value().empty());
    for (const char* path : {"turns/t1", "turns/t1/b.md"}) EXPECT_TRUE(mine->exists(path, kNever).value()) << path;
    for (const char* path : {"turns/t", "turns/t2", "turns/t1/c.md"})
      EXPECT_FALSE(mine->exists(path, kNever).value()) << path;
  };
  ASSERT_TRUE(theirs->put_folder("turns/t1", version(2), Durability::kNow, kNever));
  EXPECT_EQ(looked, 1);
  EXPECT_EQ(mine->read("turns/t1/a.md", kNever).value(), version(2)[0].bytes);
}

// More than kManyDeferred are synced together.
TEST(DirectoryDocumentStore, AnyNumberOfDeferredDocumentsIsOnDiskAfterASync) {
  for (const std::size_t count : {kManyDeferred, kManyDeferred + 1, 3 * kManyDeferred}) {
    for (std::uint64_t seed = 0; seed < 8; ++seed) {
      SCOPED_TRACE("documents " + std::to_string(count) + ", seed " + std::to_string(seed));
      testing::FaultFileSystem files;
      const ManualClock clock;
      SeededRandom random(seed);
      auto store = DirectoryDocumentStore::open(files, "/docs", clock);
      ASSERT_TRUE(store && files.sync_directory("/docs") && files.sync_directory("/"));
      for (std::size_t i = 0; i < count; ++i)
        ASSERT_TRUE((*store)->put_folder("turns/t" + std::to_string(i), version(1), Durability::kDeferred, kNever));
      ASSERT_TRUE((*store)->sync(kNever));
      files.crash(random);
      store = DirectoryDocumentStore::open(files, "/docs", clock);
      for (std::size_t i = 0; i < count; ++i)
        EXPECT_EQ((*store)->read("turns/t" + std::to_string(i) + "/b.md", kNever).value_or("lost"),
                  version(1)[1].bytes);
    }
  }
}

// A process that was killed wrote it, and the power is cut after its successor has synced.
TEST(DirectoryDocumentStore, WhatWasAdoptedIsOnDiskAfterASync) {
  int lost_without = 0;
  for (const bool adopted : {false, true}) {
    for (std::uint64_t seed = 0; seed < 16; ++seed) {
      testing::FaultFileSystem files;
      const ManualClock clock;
      SeededRandom random(seed);
      auto store = DirectoryDocumentStore::open(files, "/docs", clock);
      ASSERT_TRUE(store && files.sync_directory("/docs") && files.sync_directory("/"));
      ASSERT_TRUE((*store)->put_folder("turns/t1", version(1), Durability::kDeferred, kNever));
      store = DirectoryDocumentStore::open(files, "/docs", clock);
      if (adopted) {
        ASSERT_TRUE((*store)->adopt("turns/t1", kNever));
      }
      ASSERT_TRUE((*store)->sync(kNever));
      files.crash(random);
      store = DirectoryDocumentStore::open(files, "/docs", clock);
      const bool whole = (*store)->read("turns/t1/b.md", kNever).value_or("lost") == version(1)[1].bytes;
      EXPECT_TRUE(whole || !adopted) << "seed " << seed;
      if (!whole) ++lost_without;
    }
  }
  EXPECT_GT(lost_without, 0) << "the disk forgot nothing, so that nothing was tested";
}

TEST(DirectoryDocumentStore, PathsThatLeaveTheRootAreRefused) {
  testing::FaultFileSystem files;
  const ManualClock clock;
  const auto store = DirectoryDocumentStore::open(files, "/docs", clock);
  ASSERT_TRUE(store.has_value());
  for (const char* path : {"", "/a", "../a", "a/../b", "a//b", ".staging/x", "a/", "a b"})
    EXPECT_EQ((*store)->put(path, "x", Durability::kNow, kNever).error().code, ErrorCode::kInvalidArgument) << path;
}

}  // namespace
}  // namespace pandora
