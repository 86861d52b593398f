#include "turns/journal.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "base/hash.h"
#include "base/log.h"
#include "turns/journal_id.h"

namespace pandora {
namespace {

constexpr std::string_view kSegmentMagic = "PNDJRNL";
constexpr std::string_view kRecordMagic = "\xC5PJR";  // broken UTF-8, so it never stands in a payload
constexpr std::size_t kHeaderBytes = 7 + 1 + 4;
constexpr std::size_t kRecordHeaderBytes = 4 + 4 + 8 + 4;

void put(std::string& bytes, std::uint64_t value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(value >> (8 * i));
}
std::uint64_t get(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i)
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
  return value;
}

struct Record {
  std::string_view payload;
  std::uint64_t sequence;
};
// The whole record that begins at `at`, if one does.
std::optional<Record> record_at(std::string_view bytes, std::size_t at) {
  if (bytes.size() - at < kRecordHeaderBytes || bytes.substr(at, 4) != kRecordMagic) return std::nullopt;
  const std::uint64_t length = get(bytes, at + 4, 4);
  if (length > kMaxJournalRecord || bytes.size() - at - kRecordHeaderBytes < length) return std::nullopt;
  const std::string_view payload = bytes.substr(at + kRecordHeaderBytes, length);
  const std::uint32_t checksum = crc32c(payload, crc32c(bytes.substr(at + 4, 12)));
  if (checksum != get(bytes, at + 16, 4)) return std::nullopt;
  return Record{payload, get(bytes, at + 8, 8)};
}

// Where the next whole record begins, from `at` on.
std::size_t next_record(std::string_view bytes, std::size_t at) {
  for (at = bytes.find(kRecordMagic, at); at != std::string_view::npos; at = bytes.find(kRecordMagic, at + 1))
    if (record_at(bytes, at)) return at;
  return bytes.size();
}

std::optional<std::uint64_t> segment_number(const std::string& name) {
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(name.data(), name.data() + name.size(), number);
  if (parsed.ec != std::errc() || std::string_view(parsed.ptr, name.data() + name.size()) != ".log")
    return std::nullopt;
  return number;
}

}  // namespace

std::string journal_header(int version) {
  std::string header(kSegmentMagic);
  header += static_cast<char>(version);
  put(header, crc32c(header), 4);
  return header;
}

std::string encode_journal_record(std::string_view payload, std::uint64_t sequence) {
  std::string fields;
  put(fields, payload.size(), 4);
  put(fields, sequence, 8);
  std::string record(kRecordMagic);
  record += fields;
  put(record, crc32c(payload, crc32c(fields)), 4);
  record += payload;
  return record;
}

JournalContent read_journal(std::string_view bytes) {
  JournalContent content;
  std::size_t at = kHeaderBytes;
  // The checksum tells a newer format from a head that was not completely written.
  const int version = bytes.size() < kHeaderBytes ? 0 : static_cast<unsigned char>(bytes[kSegmentMagic.size()]);
  if (version > kJournalFormatVersion && bytes.starts_with(journal_header(version))) {
    content.newer_format = true;
    return content;
  }
  if (bytes.size() < kHeaderBytes || bytes.substr(0, kHeaderBytes) != journal_header()) {
    at = next_record(bytes, 0);
    if (at > 0) content.damage.push_back({0, at, "the head of the segment is damaged"});
  }
  while (at < bytes.size()) {
    if (const auto record = record_at(bytes, at)) {
      content.records.emplace_back(record->payload);
      content.last_sequence = std::max(content.last_sequence, record->sequence);
      at += kRecordHeaderBytes + record->payload.size();
      continue;
    }
    const std::size_t next = next_record(bytes, at + 1);
    const bool tail = next == bytes.size();
    content.damage.push_back(
        {at, next - at, tail ? "the end was not completely written" : "damaged: a whole record follows"});
    at = next;
  }
  return content;
}

std::string Journal::segment_path(std::uint64_t number) const {
  return join_path(directory_, fmt::format("{:06}.log", number));
}

Result<std::unique_ptr<Journal>> Journal::open(FileSystem& files, const std::string& directory,
                                               std::size_t segment_bytes, const Replay& replay, const Damage& damage) {
  PANDORA_CHECK(create_durably(files, directory));
  std::unique_ptr<Journal> journal(new Journal(files, directory, segment_bytes));
  PANDORA_TRY(entries, files.list(directory));
  std::map<std::uint64_t, std::string> segments;  // in the order of their numbers, also past 999999
  for (const auto& entry : entries)
    if (const auto number = segment_number(entry.name)) segments[*number] = entry.name;
  for (const auto& [number, name] : segments) {
    const std::string path = join_path(directory, name);
    // However large it is: what is in it is acknowledged.
    PANDORA_TRY(mapping, files.map(path));
    const std::string_view bytes = mapping->bytes();
    const JournalContent content = read_journal(bytes);
    if (content.newer_format)
      return fail(ErrorCode::kIncompatible, path + " was written by a newer version",
                  "use the newer pandora that wrote it");
    for (const auto& range : content.damage)
      PANDORA_CHECK(damage(path, range, bytes.substr(range.offset, range.length)));
    for (const auto& record : content.records) PANDORA_CHECK(replay(record));
    // Damage counts: a checkpoint drops the segment, so that it is not set aside at every start.
    if (const std::size_t held = content.records.size() + content.damage.size()) journal->records_[number] = held;
    journal->sequence_ = std::max(journal->sequence_, content.last_sequence);
    journal->segment_ = std::max(journal->segment_, number);
  }
  return journal;
}

Status Journal::append(std::string_view payload) {
  if (payload.size() > kMaxJournalRecord)
    return fail(ErrorCode::kTooLarge,
                fmt::format("a turn of {} bytes, at most {} are kept", payload.size(), kMaxJournalRecord));
  std::unique_lock lock(mutex_);
  const std::shared_ptr<Batch> mine = open_;
  mine->bytes += encode_journal_record(payload, ++sequence_);
  ++mine->records;
  while (!mine->done) {
    if (writing_) {
      changed_.wait(lock);
      continue;
    }
    writing_ = true;  // the leader: writes what has gathered, for all
    open_ = std::make_shared<Batch>();
    lock.unlock();
    Status status = write(mine->bytes);
    lock.lock();
    writing_ = false;
    if (status) records_[segment_] += mine->records;
    mine->status = std::move(status);
    mine->done = true;
    changed_.notify_all();
  }
  return mine->status;
}

Status Journal::begin_segment() {
  {
    const std::lock_guard lock(mutex_);
    ++segment_;
  }
  const std::string path = segment_path(segment_);
  PANDORA_TRY(file, files_.open(path, OpenMode::kCreateNew));
  Status begun = file->append(journal_header());
  if (begun) begun = file->sync();
  if (begun) begun = files_.sync_directory(directory_);
  if (!begun) {
    if (!files_.remove_file(path)) log_warn("journal.segment_given_up", {{"path", path}});
    return begun;
  }
  file_ = std::move(file);
  size_ = kHeaderBytes;
  return {};
}

Status Journal::write(const std::string& bytes) {
  if (!file_) PANDORA_CHECK(begin_segment());
  Status status = file_->append(bytes);
  if (status) status = file_->sync();
  if (!status) {
    // Nobody may find later what was not acknowledged; what the file holds after a failed sync is unknown.
    if (!file_->truncate(size_)) log_warn("journal.segment_given_up", {{"path", segment_path(segment_)}});
    file_.reset();
    return status;
  }
  size_ += bytes.size();
  if (size_ >= segment_bytes_) {
    file_.reset();
    const std::lock_guard lock(mutex_);
    full_ = true;
  }
  return {};
}

Result<std::uint64_t> Journal::rotate() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !writing_; });
  file_.reset();  // the next append begins a new one
  full_ = false;
  return segment_;
}

Status Journal::drop(std::uint64_t first, std::uint64_t last) {
  PANDORA_TRY(entries, files_.list(directory_));
  for (const auto& entry : entries) {
    const auto number = segment_number(entry.name);
    if (number && *number >= first && *number <= last)
      PANDORA_CHECK(files_.remove_file(join_path(directory_, entry.name)));
  }
  PANDORA_CHECK(files_.sync_directory(directory_));
  const std::lock_guard lock(mutex_);
  records_.erase(records_.lower_bound(first), records_.upper_bound(last));
  return {};
}

bool Journal::empty() const {
  const std::lock_guard lock(mutex_);
  return records_.empty();
}

std::size_t Journal::waiting() const {
  const std::lock_guard lock(mutex_);
  return open_->records;
}

bool Journal::wants_checkpoint() const {
  const std::lock_guard lock(mutex_);
  return full_;
}

}  // namespace pandora
