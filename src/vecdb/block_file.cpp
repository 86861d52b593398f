#include "vecdb/block_file.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <thread>

#include <fmt/format.h>

#include "base/hash.h"

namespace pandora {
namespace {

constexpr char kMagic[7] = {'P', 'N', 'D', 'R', 'P', 'R', 'T'};
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kWriteBytes = std::size_t{1} << 20;
constexpr std::uint64_t kMaxSections = 4'096;
constexpr std::size_t kBitsOfWord = 64;

static_assert(std::endian::native == std::endian::little, "the file's numbers are read where they lie");

// The last bytes of a file.
struct Foot {
  char magic[7];
  std::uint8_t version;
  std::uint64_t data_bytes;  // from the beginning: what the blocks hold
  std::uint32_t blocks, sections;
  std::uint32_t table_sum;  // of what lies between data and foot
  std::uint32_t sum;        // of the foot before it
};
static_assert(sizeof(Foot) == 32);

std::uint32_t sum_of(const Foot& foot) {
  return crc32c({reinterpret_cast<const char*>(&foot), sizeof foot - sizeof foot.sum});
}

tl::unexpected<Error> damage(const std::string& path, std::string_view what) {
  return fail(ErrorCode::kDataCorrupt, fmt::format("{}: {}", path, what));
}

}  // namespace

Result<std::unique_ptr<BlockFileWriter>> BlockFileWriter::create(FileSystem& files, const std::string& path) {
  PANDORA_TRY(file, files.open(path, OpenMode::kCreateNew));
  return std::unique_ptr<BlockFileWriter>(new BlockFileWriter(std::move(file)));
}

Status BlockFileWriter::begin(std::uint32_t kind, std::uint32_t number) {
  const std::uint64_t aligned = (size_ + kSectionAlignment - 1) / kSectionAlignment * kSectionAlignment;
  PANDORA_CHECK(write(std::string(aligned - size_, '\0')));
  sections_.push_back({kind, number, size_, 0});
  return {};
}

Status BlockFileWriter::append(std::string_view bytes) {
  PANDORA_CHECK(write(bytes));
  sections_.back().bytes = size_ - sections_.back().offset;
  return {};
}

Status BlockFileWriter::write(std::string_view bytes) {
  size_ += bytes.size();
  while (!bytes.empty()) {
    const std::size_t count = std::min(bytes.size(), kWriteBytes - pending_.size());
    pending_ += bytes.substr(0, count);
    bytes.remove_prefix(count);
    if (pending_.size() < kWriteBytes) continue;
    PANDORA_CHECK(flush(false));
    std::this_thread::yield();  // nobody waits for this: searches beside it first
  }
  return {};
}

Status BlockFileWriter::flush(bool all) {
  const std::size_t whole = all ? pending_.size() : pending_.size() / kBlockBytes * kBlockBytes;
  for (std::size_t at = 0; at < whole; at += kBlockBytes)
    sums_.push_back(crc32c(std::string_view(pending_).substr(at, std::min(kBlockBytes, whole - at))));
  PANDORA_CHECK(file_->append(std::string_view(pending_).substr(0, whole)));
  pending_.erase(0, whole);
  return {};
}

Result<BlockFileWriter::Written> BlockFileWriter::finish() {
  PANDORA_CHECK(flush(true));
  std::string table(reinterpret_cast<const char*>(sums_.data()), sums_.size() * sizeof(std::uint32_t));
  for (const Section& section : sections_) table.append(reinterpret_cast<const char*>(&section), sizeof section);
  Foot foot{};
  std::copy(std::begin(kMagic), std::end(kMagic), foot.magic);
  foot.version = kVersion;
  foot.data_bytes = size_;
  foot.blocks = static_cast<std::uint32_t>(sums_.size());
  foot.sections = static_cast<std::uint32_t>(sections_.size());
  foot.table_sum = crc32c(table);
  foot.sum = sum_of(foot);
  table.append(reinterpret_cast<const char*>(&foot), sizeof foot);
  PANDORA_CHECK(file_->append(table));
  PANDORA_CHECK(file_->sync());
  return Written{size_ + table.size(), foot.sum};
}

Result<std::unique_ptr<BlockFile>> BlockFile::open(FileSystem& files, const std::string& path,
                                                   const BlockFileWriter::Written& written) {
  std::unique_ptr<BlockFile> file(new BlockFile());
  PANDORA_TRY(mapping, files.map(path));
  file->mapping_ = std::move(mapping);
  const std::string_view bytes = file->mapping_->bytes();
  if (bytes.size() != written.bytes || bytes.size() < sizeof(Foot))
    return damage(path, fmt::format("{} bytes, {} were written", bytes.size(), written.bytes));
  Foot foot{};
  std::memcpy(&foot, bytes.data() + bytes.size() - sizeof foot, sizeof foot);
  if (!std::equal(std::begin(kMagic), std::end(kMagic), foot.magic) || foot.sum != sum_of(foot))
    return damage(path, "its foot is damaged");
  if (foot.version != kVersion) return fail(ErrorCode::kIncompatible, path + ": of another version");
  if (foot.sum != written.sum) return damage(path, "it is another file");
  const std::uint64_t sums = std::uint64_t{foot.blocks} * sizeof(std::uint32_t);
  const std::uint64_t table = sums + foot.sections * sizeof(Section);
  if (foot.sections > kMaxSections || foot.blocks != (foot.data_bytes + kBlockBytes - 1) / kBlockBytes ||
      foot.data_bytes + table + sizeof foot != bytes.size())
    return damage(path, "its parts do not fit");
  const std::string_view table_bytes = bytes.substr(foot.data_bytes, table);
  if (crc32c(table_bytes) != foot.table_sum) return damage(path, "its table is damaged");
  file->data_bytes_ = foot.data_bytes;
  file->sums_.resize(foot.blocks);
  file->sections_.resize(foot.sections);
  if (foot.blocks > 0) std::memcpy(file->sums_.data(), table_bytes.data(), sums);
  if (foot.sections > 0) std::memcpy(file->sections_.data(), table_bytes.data() + sums, table - sums);
  for (const Section& section : file->sections_)
    if (section.offset > foot.data_bytes || section.bytes > foot.data_bytes - section.offset)
      return damage(path, "a section lies outside");
  file->checked_ = std::make_unique<std::atomic<std::uint64_t>[]>(foot.blocks / kBitsOfWord + 1);
  return file;
}

const Section* BlockFile::section(std::uint32_t kind, std::uint32_t number) const {
  const auto found = std::ranges::find_if(
      sections_, [&](const Section& section) { return section.kind == kind && section.number == number; });
  return found == sections_.end() ? nullptr : &*found;
}

const char* BlockFile::bytes_at(const Section& section, std::uint64_t first, std::uint64_t count,
                                std::size_t size) const {
  const std::uint64_t all = section.bytes / size;
  if (first > all || count > all - first) {
    set_damaged();
    return nullptr;
  }
  const char* memory = mapping_->bytes().data() + section.offset + first * size;
  if (count == 0) return memory;
  const std::uint64_t begin = section.offset + first * size, end = begin + count * size;
  if (check(begin / kBlockBytes, (end + kBlockBytes - 1) / kBlockBytes)) return memory;
  set_damaged();
  return nullptr;
}

bool BlockFile::check(std::uint64_t first_block, std::uint64_t end_block) const {
  for (std::uint64_t block = first_block; block < end_block; ++block) {
    std::atomic<std::uint64_t>& word = checked_[block / kBitsOfWord];
    const std::uint64_t bit = std::uint64_t{1} << block % kBitsOfWord;
    if (word.load(std::memory_order_relaxed) & bit) continue;
    const std::uint64_t at = block * kBlockBytes;
    const auto bytes = mapping_->bytes().substr(at, std::min<std::uint64_t>(kBlockBytes, data_bytes_ - at));
    if (crc32c(bytes) != sums_[block]) return false;
    word.fetch_or(bit, std::memory_order_relaxed);
  }
  return true;
}

}  // namespace pandora
