#include "turns/journal.h"

#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "support/fault_file_system.h"
#include "support/forwarding_file_system.h"
#include "turns/closed_segments.h"

namespace pandora {
namespace {

using testing::FaultFileSystem;

constexpr std::size_t kSegment = 1u << 20;

struct Opened {
  std::unique_ptr<Journal> journal;
  std::vector<std::string> records;
  std::vector<std::string> reasons;
  Status status;
};
Opened open_journal(FileSystem& files, std::size_t segment_bytes = kSegment) {
  Opened opened;
  auto journal = Journal::open(
      files, "/data/journal", segment_bytes,
      [&](std::string_view record) {
        opened.records.emplace_back(record);
        return Status();
      },
      [&](const std::string&, const JournalDamage& damage, std::string_view bytes) {
        EXPECT_EQ(bytes.size(), damage.length);
        opened.reasons.push_back(damage.reason);
        return Status();
      });
  if (journal)
    opened.journal = *std::move(journal);
  else
    opened.status = fail(journal.error());
  return opened;
}

std::string segment_of(const std::vector<std::string>& payloads) {
  std::string bytes = journal_header();
  std::uint64_t sequence = 0;
  for (const auto& payload : payloads) bytes += encode_journal_record(payload, ++sequence);
  return bytes;
}

TEST(Journal, GivesBackWhatWasAppendedInOrder) {
  FaultFileSystem files;
  {
    const auto opened = open_journal(files);
    ASSERT_TRUE(opened.journal);
    EXPECT_TRUE(opened.journal->empty());
    for (const char* text : {"one", "", "three"}) ASSERT_TRUE(opened.journal->append(text));
    EXPECT_FALSE(opened.journal->empty());
  }
  const auto again = open_journal(files);
  EXPECT_EQ(again.records, (std::vector<std::string>{"one", "", "three"}));
  EXPECT_TRUE(again.reasons.empty());
}

TEST(Journal, RefusesARecordPastTheMaximumAndTakesOneAtIt) {
  FaultFileSystem files;
  const auto opened = open_journal(files);
  EXPECT_EQ(opened.journal->append(std::string(kMaxJournalRecord + 1, 'x')).error().code, ErrorCode::kTooLarge);
  EXPECT_TRUE(opened.journal->append(std::string(kMaxJournalRecord, 'x')));
  EXPECT_EQ(open_journal(files).records.size(), 1u);
}

// Acknowledged records survive every crash, in order, none twice; of the others each is whole or not there.
TEST(Journal, AcknowledgedRecordsSurviveTwoThousandCrashes) {
  for (std::uint64_t seed = 0; seed < 2'000; ++seed) {
    SCOPED_TRACE(seed);
    SeededRandom random(seed);
    FaultFileSystem files;
    std::vector<std::string> tried;
    std::set<std::string> acknowledged;
    for (int life = 0; life < 3; ++life) {
      files.die_after(random.below(30));
      const auto opened = open_journal(files, 300);
      for (int i = 0; opened.journal && i < 12; ++i) {
        std::string text = std::to_string(tried.size()) + ":" +
                           std::string(random.below(80), static_cast<char>('a' + random.below(26)));
        tried.push_back(text);
        if (opened.journal->append(text)) acknowledged.insert(text);
        if (opened.journal->wants_checkpoint()) {
          ASSERT_TRUE(opened.journal->rotate());
        }
      }
      files.crash(random);
    }
    const auto after = open_journal(files);
    ASSERT_TRUE(after.journal) << after.status.error().to_line();
    const std::set<std::string> found(after.records.begin(), after.records.end());
    EXPECT_EQ(found.size(), after.records.size()) << "doubled";
    for (const auto& text : acknowledged) EXPECT_TRUE(found.contains(text)) << "lost: " << text;
    std::size_t at = 0;
    for (const auto& text : after.records) {
      while (at < tried.size() && tried[at] != text) ++at;
      ASSERT_LT(at, tried.size()) << "out of order, or nobody wrote: " << text;
    }
  }
}

TEST(Journal, DroppedSegmentsStayDroppedAndLaterOnesStay) {
  FaultFileSystem files;
  SeededRandom random(7);
  {
    const auto opened = open_journal(files);
    ASSERT_TRUE(opened.journal->append("old"));
    const auto closed = opened.journal->rotate();
    ASSERT_TRUE(closed);
    ASSERT_TRUE(opened.journal->append("new"));
    ASSERT_TRUE(opened.journal->drop_through(*closed));
    EXPECT_FALSE(opened.journal->empty());
  }
  files.crash(random);
  EXPECT_EQ(open_journal(files).records, std::vector<std::string>{"new"});
}

TEST(Journal, ASegmentOfTheMiddleGoesAloneAndTheOthersStay) {
  FaultFileSystem files;
  SeededRandom random(8);
  {
    const auto opened = open_journal(files);
    std::vector<std::uint64_t> closed;
    for (const char* text : {"one", "two", "three"}) {
      ASSERT_TRUE(opened.journal->append(text));
      closed.push_back(opened.journal->rotate().value());
    }
    ASSERT_TRUE(opened.journal->drop(closed[0] + 1, closed[1]));
    EXPECT_FALSE(opened.journal->empty());
    ASSERT_TRUE(opened.journal->append("four"));
  }
  files.crash(random);
  const auto again = open_journal(files);
  EXPECT_EQ(again.records, (std::vector<std::string>{"one", "three", "four"}));
  ASSERT_TRUE(again.journal->drop_through(again.journal->rotate().value()));
  EXPECT_TRUE(again.journal->empty());
}

// Whoever drops segments may hang for hours: none may grow meanwhile until it cannot be read.
TEST(Journal, ASegmentThatHasItsSizeIsFollowedByAnotherWhoeverDropsThem) {
  constexpr std::size_t kSize = 1000, kOne = 100;
  FaultFileSystem files;
  std::vector<std::string> kept;
  {
    const auto opened = open_journal(files, kSize);
    for (int i = 0; i < 100; ++i) {
      kept.push_back(std::to_string(i) + std::string(kOne, 'x'));
      ASSERT_TRUE(opened.journal->append(kept.back()));
    }
    EXPECT_TRUE(opened.journal->wants_checkpoint());
  }
  const auto segments = files.list("/data/journal").value();
  EXPECT_GT(segments.size(), 5u);
  for (const auto& segment : segments) EXPECT_LT(segment.size, kSize + 2 * kOne) << segment.name;
  const auto again = open_journal(files, kSize);
  EXPECT_EQ(again.records, kept);
  ASSERT_TRUE(again.journal->drop_through(again.journal->rotate().value()));
  EXPECT_TRUE(again.journal->empty());
  EXPECT_TRUE(files.list("/data/journal").value().empty());
}

// As an earlier version could leave it.
TEST(Journal, ASegmentLargerThanAFileThatIsReadWholeKeepsNobodyFromStarting) {
  class Large final : public testing::ForwardingFileSystem {
   public:
    using ForwardingFileSystem::ForwardingFileSystem;
    Result<std::string> read_file(const std::string& path, std::size_t) override {
      return fail(ErrorCode::kTooLarge, path + " holds 5 GiB");
    }
  };
  FaultFileSystem files;
  ASSERT_TRUE(open_journal(files).journal->append("kept"));
  Large large(files);
  const auto again = open_journal(large);
  ASSERT_TRUE(again.journal) << again.status.error().to_line();
  EXPECT_EQ(again.records, std::vector<std::string>{"kept"});
}

TEST(ClosedSegments, OneTurnHoldsUpTheSegmentsThatWereLeftWithItAlone) {
  const auto uid = [](std::uint8_t number) {
    Uuid made;
    made.bytes[0] = number;
    return made;
  };
  const auto taken = [](ClosedSegments& closed) {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
    for (const auto& [first, last] : closed.take_done()) ranges.emplace_back(first, last);
    return ranges;
  };
  using Ranges = std::vector<std::pair<std::uint64_t, std::uint64_t>>;
  ClosedSegments closed;
  EXPECT_TRUE(closed.empty());
  closed.close(3, {uid(1), uid(2)});
  closed.close(5, {uid(1), uid(3)});  // the first waits already
  closed.close(6, {});
  EXPECT_FALSE(closed.empty());
  EXPECT_EQ(taken(closed), (Ranges{{6, 6}}));
  EXPECT_EQ(taken(closed), Ranges{}) << "told once";
  closed.arrived(uid(3));
  EXPECT_EQ(taken(closed), (Ranges{{4, 5}}));
  closed.close(9, {uid(1), uid(4)});
  closed.arrived(uid(1));
  EXPECT_EQ(taken(closed), Ranges{});
  closed.arrived(uid(2));
  EXPECT_EQ(taken(closed), (Ranges{{0, 3}}));
  closed.arrived(uid(4));
  EXPECT_EQ(taken(closed), (Ranges{{0, 9}})) << "with all before, should it still be there";
  EXPECT_TRUE(closed.empty());
}

TEST(Journal, AFailedSyncIsNotAcknowledgedAndTheNextRecordGoesToANewSegment) {
  FaultFileSystem files;
  const auto opened = open_journal(files);
  ASSERT_TRUE(opened.journal->append("kept"));
  files.fail_after(1, ErrorCode::kUnavailable);  // the append succeeds, its sync fails
  EXPECT_EQ(opened.journal->append("lost").error().code, ErrorCode::kUnavailable);
  ASSERT_TRUE(opened.journal->append("after"));
  EXPECT_EQ(files.list("/data/journal").value().size(), 2u);
  EXPECT_EQ(open_journal(files).records, (std::vector<std::string>{"kept", "after"}));
}

TEST(Journal, AFullDiskRefusesAndLeavesNoLitter) {
  FaultFileSystem files;
  const auto opened = open_journal(files);
  ASSERT_TRUE(opened.journal->append("kept"));
  files.limit_bytes(4);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(opened.journal->append("does not fit").error().code, ErrorCode::kStorageFull);
  EXPECT_EQ(files.list("/data/journal").value().size(), 1u);
  files.limit_bytes(std::nullopt);
  ASSERT_TRUE(opened.journal->append("room again"));
  EXPECT_EQ(open_journal(files).records, (std::vector<std::string>{"kept", "room again"}));
}

TEST(Journal, SegmentsPastSixDigitsAreReadInTheOrderOfTheirNumbers) {
  FaultFileSystem files;
  ASSERT_TRUE(files.create_directories("/data/journal"));
  ASSERT_TRUE(files.write_atomic("/data/journal/1000000.log", segment_of({"second"}), Durability::kNow));
  ASSERT_TRUE(files.write_atomic("/data/journal/999999.log", segment_of({"first"}), Durability::kNow));
  EXPECT_EQ(open_journal(files).records, (std::vector<std::string>{"first", "second"}));
}

TEST(Journal, ASegmentOfANewerFormatIsRefusedAndNotTouched) {
  FaultFileSystem files;
  const std::string bytes = journal_header(kJournalFormatVersion + 1) + "whatever it holds";
  ASSERT_TRUE(files.create_directories("/data/journal"));
  ASSERT_TRUE(files.write_atomic("/data/journal/000001.log", bytes, Durability::kNow));
  EXPECT_EQ(open_journal(files).status.error().code, ErrorCode::kIncompatible);
  EXPECT_EQ(files.read_file("/data/journal/000001.log", 1 << 20).value(), bytes);
}

TEST(ReadJournal, DamageInTheMiddleCostsOneRecordAndSaysWhere) {
  const std::string good = segment_of({"alpha", "beta", "gamma"});
  const std::size_t record = encode_journal_record("alpha", 1).size();
  for (std::size_t at = journal_header().size() + record;
       at < journal_header().size() + record + encode_journal_record("beta", 2).size(); ++at) {
    std::string bytes = good;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
    const auto content = read_journal(bytes);
    EXPECT_EQ(content.records, (std::vector<std::string>{"alpha", "gamma"})) << at;
    ASSERT_EQ(content.damage.size(), 1u);
    EXPECT_EQ(content.damage[0].offset, journal_header().size() + record);
    EXPECT_EQ(content.last_sequence, 3u);
  }
}

TEST(ReadJournal, ATailCutAnywhereCostsOnlyWhatWasCut) {
  const std::string good = segment_of({"alpha", "beta"});
  const std::size_t second = good.size() - encode_journal_record("beta", 2).size();
  for (std::size_t size = second; size < good.size(); ++size) {
    const auto content = read_journal(std::string_view(good).substr(0, size));
    EXPECT_EQ(content.records, std::vector<std::string>{"alpha"});
    EXPECT_EQ(content.damage.size(), size == second ? 0u : 1u);
  }
}

TEST(ReadJournal, ADamagedHeadDoesNotHideTheRecords) {
  std::string bytes = segment_of({"alpha"});
  bytes[0] = 'X';
  const auto content = read_journal(bytes);
  EXPECT_EQ(content.records, std::vector<std::string>{"alpha"});
  EXPECT_EQ(content.damage.size(), 1u);
}

TEST(Journal, DamageAloneCountsAsContentSoThatACheckpointTakesItAway) {
  FaultFileSystem files;
  ASSERT_TRUE(files.create_directories("/data/journal"));
  ASSERT_TRUE(files.write_atomic("/data/journal/000001.log", journal_header() + "garbage", Durability::kNow));
  const auto opened = open_journal(files);
  EXPECT_EQ(opened.reasons.size(), 1u);
  EXPECT_FALSE(opened.journal->empty());
  const auto closed = opened.journal->rotate();
  ASSERT_TRUE(opened.journal->drop_through(*closed));
  EXPECT_TRUE(open_journal(files).reasons.empty());
}

// Counts syncs of files, and holds the first one until told: what comes meanwhile must share the second.
class SlowSyncFiles final : public FileSystem {
 public:
  struct SlowFile final : File {
    SlowFile(std::unique_ptr<File> f, SlowSyncFiles& o) : file(std::move(f)), owner(o) {}
    Status append(std::string_view bytes) override { return file->append(bytes); }
    Result<std::string> read_at(std::uint64_t o, std::size_t n) override { return file->read_at(o, n); }
    Result<std::uint64_t> size() override { return file->size(); }
    Status truncate(std::uint64_t n) override { return file->truncate(n); }
    Status sync() override {
      owner.before_sync();
      return file->sync();
    }
    std::unique_ptr<File> file;
    SlowSyncFiles& owner;
  };
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    auto file = inner.open(path, mode);
    if (!file) return fail(file.error());
    return std::unique_ptr<File>(std::make_unique<SlowFile>(*std::move(file), *this));
  }
  Result<std::string> read_file(const std::string& p, std::size_t n) override { return inner.read_file(p, n); }
  Status write_atomic(const std::string& p, std::string_view b, Durability d) override {
    return inner.write_atomic(p, b, d);
  }
  Status rename(const std::string& a, const std::string& b) override { return inner.rename(a, b); }
  Status remove_file(const std::string& p) override { return inner.remove_file(p); }
  Status remove_tree(const std::string& p) override { return inner.remove_tree(p); }
  Status create_directories(const std::string& p) override { return inner.create_directories(p); }
  Result<std::vector<FileInfo>> list(const std::string& p) override { return inner.list(p); }
  Result<FileInfo> info(const std::string& p) override { return inner.info(p); }
  Status sync_file(const std::string& p) override { return inner.sync_file(p); }
  Status sync_directory(const std::string& p) override { return inner.sync_directory(p); }
  Result<std::unique_ptr<FileLock>> lock(const std::string& p, std::string_view h) override { return inner.lock(p, h); }
  Result<std::uint64_t> free_bytes(const std::string& p) override { return inner.free_bytes(p); }

  void before_sync() {
    std::unique_lock lock(mutex);
    ++syncs;
    changed.notify_all();
    changed.wait(lock, [&] { return !held; });
  }
  FaultFileSystem inner;
  std::mutex mutex;
  std::condition_variable changed;
  int syncs = 0;
  bool held = false;
};

TEST(Journal, WritersThatComeDuringASyncShareTheNextOne) {
  SlowSyncFiles files;
  const auto opened = open_journal(files);
  ASSERT_TRUE(opened.journal->append("first"));
  {
    const std::lock_guard lock(files.mutex);
    files.syncs = 0;
    files.held = true;
  }
  constexpr int kWriters = 16;
  std::vector<std::thread> writers;
  for (int i = 0; i < kWriters; ++i)
    writers.emplace_back([&, i] { EXPECT_TRUE(opened.journal->append("writer " + std::to_string(i))); });
  {
    std::unique_lock lock(files.mutex);
    files.changed.wait(lock, [&] { return files.syncs == 1; });
  }
  while (opened.journal->waiting() + 1 < kWriters) std::this_thread::yield();  // one is being written
  {
    const std::lock_guard lock(files.mutex);
    files.held = false;
    files.changed.notify_all();
  }
  for (auto& writer : writers) writer.join();
  EXPECT_EQ(files.syncs, 2);
  EXPECT_EQ(open_journal(files).records.size(), kWriters + 1u);
}

}  // namespace
}  // namespace pandora
