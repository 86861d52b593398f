#include "vecdb/block_file.h"

#include <set>

#include <gtest/gtest.h>

#include "base/random.h"
#include "support/fault_file_system.h"
#include "vecdb/id_slots.h"
#include "vectors.h"

namespace pandora {
namespace {

struct Written {
  testing::FaultFileSystem files;
  BlockFileWriter::Written written;
  std::string bytes;
  explicit Written(std::size_t values) {
    auto out = BlockFileWriter::create(files, "/file").value();
    std::vector<std::uint32_t> numbers;
    for (std::uint32_t i = 0; i < values; ++i) numbers.push_back(i * 7);
    EXPECT_TRUE(out->add(1, 0, std::vector<char>{'a', 'b', 'c'}));
    EXPECT_TRUE(out->add(2, 5, numbers));
    EXPECT_TRUE(out->add(3, 0, std::vector<double>{}));
    written = out->finish().value();
    bytes = files.read_file("/file", 1U << 30).value();
  }
  // Opens what `changed` is, and reads all.
  bool is_read(const std::string& changed) {
    EXPECT_TRUE(files.write_atomic("/file", changed, Durability::kNow));
    const auto file = BlockFile::open(files, "/file", written);
    if (!file) return false;
    const auto* letters = (*file)->section(1, 0);
    const auto* numbers = (*file)->section(2, 5);
    if (!letters || !numbers) return false;
    const std::size_t count = numbers->bytes / sizeof(std::uint32_t);
    const bool read = (*file)->at<char>(*letters, 0, 3) && (*file)->at<std::uint32_t>(*numbers, 0, count);
    EXPECT_EQ(read, !(*file)->damaged());
    return read;
  }
};

TEST(BlockFile, sections_are_found_and_hold_what_was_written) {
  Written one(20'000);
  const auto file = BlockFile::open(one.files, "/file", one.written).value();
  EXPECT_EQ(std::string(file->at<char>(*file->section(1, 0), 0, 3), 3), "abc");
  const auto* numbers = file->section(2, 5);
  ASSERT_TRUE(numbers);
  EXPECT_EQ(numbers->offset % kSectionAlignment, 0U);
  EXPECT_EQ(numbers->bytes, 80'000U);
  for (const std::uint64_t i : {0U, 4'095U, 4'096U, 19'999U})
    EXPECT_EQ(*file->at<std::uint32_t>(*numbers, i, 1), i * 7);
  EXPECT_EQ(file->section(3, 0)->bytes, 0U);
  EXPECT_FALSE(file->section(2, 4));
}

TEST(BlockFile, nothing_is_read_beyond_a_section) {
  Written one(100);
  const auto file = BlockFile::open(one.files, "/file", one.written).value();
  EXPECT_TRUE(file->at<std::uint32_t>(*file->section(2, 5), 99, 1));
  EXPECT_TRUE(file->at<std::uint32_t>(*file->section(2, 5), 100, 0));
  EXPECT_FALSE(file->damaged());
  EXPECT_FALSE(file->at<std::uint32_t>(*file->section(2, 5), 99, 2));
  EXPECT_TRUE(file->damaged());
}

TEST(BlockFile, every_byte_that_is_changed_cut_or_added_is_found) {
  Written one(9'000);  // three blocks
  ASSERT_TRUE(one.is_read(one.bytes));
  for (std::size_t at = 0; at < one.bytes.size(); at += at < 200 || at + 200 > one.bytes.size() ? 1 : 37) {
    std::string changed = one.bytes;
    changed[at] = static_cast<char>(changed[at] ^ 1 << at % 8);
    ASSERT_FALSE(one.is_read(changed)) << at;
    ASSERT_FALSE(one.is_read(one.bytes.substr(0, at))) << at;
  }
  EXPECT_FALSE(one.is_read(one.bytes + '\0'));
  EXPECT_FALSE(one.is_read('\0' + one.bytes));
  EXPECT_TRUE(one.is_read(one.bytes));
}

TEST(BlockFile, a_file_that_was_written_at_another_time_is_another_file) {
  Written one(100), other(101);
  EXPECT_FALSE(one.is_read(other.bytes));
}

TEST(BlockFile, a_block_is_checked_once_it_is_read_and_not_before) {
  Written one(20'000);
  std::string changed = one.bytes;
  changed[changed.size() / 2] ^= 1;
  ASSERT_TRUE(one.files.write_atomic("/file", changed, Durability::kNow));
  const auto file = BlockFile::open(one.files, "/file", one.written).value();
  EXPECT_TRUE(file->at<std::uint32_t>(*file->section(2, 5), 0, 100));
  EXPECT_FALSE(file->damaged());
  EXPECT_FALSE(file->at<std::uint32_t>(*file->section(2, 5), 0, 20'000));
  EXPECT_TRUE(file->damaged());
}

TEST(IdSlots, finds_what_a_map_finds) {
  const unsigned seed = 23;
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  const auto ids = slots_of(3'000);
  IdSlots slots;
  std::set<Slot> in;
  EXPECT_FALSE(slots.find(id_of(0), ids));
  for (int step = 0; step < 40'000; ++step) {
    const auto slot = static_cast<Slot>(random() % 3'000);
    ASSERT_EQ(slots.find(ids.id(slot), ids), in.contains(slot) ? std::optional(slot) : std::nullopt);
    if (in.erase(slot) > 0)
      slots.erase(slot, ids);
    else if (random() % 3 != 0)
      slots.insert(slot, ids), in.insert(slot);
    ASSERT_EQ(slots.size(), in.size());
  }
}

}  // namespace
}  // namespace pandora
