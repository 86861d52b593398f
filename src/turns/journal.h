// The journal: what is in it is acknowledged.
//
// Records in append-only segments (journal/000001.log …). A segment begins with "PNDJRNL" and its format version; a
// record is its magic, length, sequence number, CRC-32C and payload (docs/formats.md). `append` returns after a sync;
// callers that come meanwhile share the next one (one leader writes for all, nobody waits for a timer).
//
// A segment that has reached its size is followed by another, whoever drops them and when: none grows past that and
// what one sync takes.
//
// A crash can only damage what was not synced: the tail of the last segment. Opening reads what is whole, and hands
// every damaged range to `Damage` (a torn tail, or a range in the middle that a later record proves to be damage),
// which sets it aside. After a failed write or sync the segment is given up (its content is unknown) and a new one is
// begun. Thread-safe.
#pragma once
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_system.h"

namespace pandora {

inline constexpr std::size_t kMaxJournalRecord = 64u << 20;
inline constexpr int kJournalFormatVersion = 1;

// What one segment's bytes hold. Never fails: what does not make sense is damage.
struct JournalDamage {
  std::uint64_t offset = 0, length = 0;
  std::string reason;
};
struct JournalContent {
  std::vector<std::string> records;
  std::vector<JournalDamage> damage;
  std::uint64_t last_sequence = 0;
  bool newer_format = false;  // written by a newer program: nothing was read
};
JournalContent read_journal(std::string_view bytes);
std::string encode_journal_record(std::string_view payload, std::uint64_t sequence);
std::string journal_header(int version = kJournalFormatVersion);

class Journal {
 public:
  // For each record of what is there, in order; then for each damaged range with its bytes.
  using Replay = std::function<Status(std::string_view payload)>;
  using Damage = std::function<Status(const std::string& segment, const JournalDamage& damage, std::string_view bytes)>;
  // Creates the directory when missing. kIncompatible: a segment of a newer format.
  static Result<std::unique_ptr<Journal>> open(FileSystem& files, const std::string& directory,
                                               std::size_t segment_bytes, const Replay& replay, const Damage& damage);

  // kTooLarge, kStorageFull, kUnavailable: not acknowledged.
  Status append(std::string_view payload);
  // From now on records go to a new segment; the number of the last one that is closed.
  Result<std::uint64_t> rotate();
  // Removes every segment up to and including `segment`, durably; or from `first` on.
  Status drop_through(std::uint64_t segment) { return drop(0, segment); }
  Status drop(std::uint64_t first, std::uint64_t last);
  // Is there a segment that holds records?
  bool empty() const;
  std::size_t waiting() const;    // records that the next sync takes
  bool wants_checkpoint() const;  // a segment has reached its size

 private:
  struct Batch {
    std::string bytes;
    std::size_t records = 0;
    bool done = false;
    Status status;
  };
  Journal(FileSystem& files, std::string directory, std::size_t segment_bytes)
      : files_(files),
        directory_(std::move(directory)),
        segment_bytes_(segment_bytes),
        open_(std::make_shared<Batch>()) {}
  Status write(const std::string& bytes);  // by the leader alone
  Status begin_segment();
  std::string segment_path(std::uint64_t number) const;

  FileSystem& files_;
  const std::string directory_;
  const std::size_t segment_bytes_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<Batch> open_;  // gathers what comes while another batch is written
  bool writing_ = false;         // a leader (or rotate) works on the file
  std::uint64_t sequence_ = 0;
  std::map<std::uint64_t, std::size_t> records_;  // in each segment that holds some
  std::uint64_t segment_ = 0;                     // changed by whoever has writing_, and under mutex_
  // Owned by whoever has writing_:
  std::unique_ptr<File> file_;  // null: a new segment is begun before the next write
  std::uint64_t size_ = 0;
  bool full_ = false;
};

}  // namespace pandora
