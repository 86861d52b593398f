// A file of sections that is written once, and of which every byte is checked before it is used.
//
// Data lie in blocks of kBlockBytes with a checksum each, behind them a table of checksums and sections, then a foot
// (docs/formats.md). Opening checks the foot and the table; a block is checked when something is first read from it, in
// about a microsecond. So a file of gigabytes opens at once, and none of its bytes is believed unchecked. Internal to
// vecdb.
#pragma once
#include <atomic>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/file_system.h"

namespace pandora {

inline constexpr std::size_t kBlockBytes = 16'384;
inline constexpr std::size_t kSectionAlignment = 64;

struct Section {
  std::uint32_t kind = 0, number = 0;  // of which field or vector
  std::uint64_t offset = 0, bytes = 0;
};

class BlockFileWriter {
 public:
  // A new file; kConflict when it exists.
  static Result<std::unique_ptr<BlockFileWriter>> create(FileSystem& files, const std::string& path);
  // The section's bytes are what is appended until the next one begins.
  Status begin(std::uint32_t kind, std::uint32_t number);
  Status append(std::string_view bytes);  // of the section that was begun
  template <class T>
  Status append_array(std::span<const T> values) {
    return append({reinterpret_cast<const char*>(values.data()), values.size_bytes()});
  }
  template <class T>
  Status add(std::uint32_t kind, std::uint32_t number, const std::vector<T>& values) {
    PANDORA_CHECK(begin(kind, number));
    return append_array(std::span<const T>(values));
  }
  struct Written {
    std::uint64_t bytes = 0;
    std::uint32_t sum = 0;  // of the foot: no other file has it
  };
  Result<Written> finish();  // synced; its name is not

 private:
  explicit BlockFileWriter(std::unique_ptr<File> file) : file_(std::move(file)) {}
  Status write(std::string_view bytes);
  Status flush(bool all);
  std::unique_ptr<File> file_;
  std::string pending_;  // not written yet; begins at a block
  std::uint64_t size_ = 0;
  std::vector<std::uint32_t> sums_;
  std::vector<Section> sections_;
};

class BlockFile {
 public:
  // kDataCorrupt when foot or table are damaged, or it is not the file of `written`; kIncompatible: another version.
  static Result<std::unique_ptr<BlockFile>> open(FileSystem& files, const std::string& path,
                                                 const BlockFileWriter::Written& written);
  // Null when there is none.
  const Section* section(std::uint32_t kind, std::uint32_t number) const;
  // `count` values from `first`; null when they do not lie in the section or a block of theirs is damaged: then
  // `damaged` says so from now on. Aligned for T when the section is of T's.
  template <class T>
  const T* at(const Section& section, std::uint64_t first, std::uint64_t count) const {
    return reinterpret_cast<const T*>(bytes_at(section, first, count, sizeof(T)));
  }
  bool damaged() const { return damaged_.load(std::memory_order_relaxed); }
  void set_damaged() const { damaged_.store(true, std::memory_order_relaxed); }
  // Will not be read soon.
  void release(const Section& section) const { mapping_->release(section.offset, section.bytes); }
  std::uint64_t bytes() const { return mapping_->bytes().size(); }

 private:
  BlockFile() = default;
  const char* bytes_at(const Section& section, std::uint64_t first, std::uint64_t count, std::size_t size) const;
  bool check(std::uint64_t first_block, std::uint64_t end_block) const;

  std::unique_ptr<FileMapping> mapping_;
  std::uint64_t data_bytes_ = 0;
  std::vector<std::uint32_t> sums_;
  std::vector<Section> sections_;
  std::unique_ptr<std::atomic<std::uint64_t>[]> checked_;  // a bit a block
  mutable std::atomic<bool> damaged_ = false;
};

}  // namespace pandora
