#include "base/byte_reader.h"

#include <limits>

#include <gtest/gtest.h>

namespace pandora {
namespace {

TEST(ByteReader, takes_values_one_behind_the_other) {
  using namespace std::string_view_literals;
  ByteReader in("\x01\x02\x03\x04\x05\x00\x00\x00\x00\x00\x00\x00\x02hi\x01\x00\x02\x00rest"sv);
  EXPECT_EQ(in.take<std::uint8_t>(), 1);
  EXPECT_EQ(in.take<std::uint16_t>(), 0x0302);
  EXPECT_EQ(in.take<std::uint8_t>(), 4);
  EXPECT_EQ(in.take<std::uint64_t>(), 5U);
  EXPECT_EQ(in.take_sized<std::uint8_t>(), "hi");
  EXPECT_EQ(in.take_array<std::uint16_t>(2), (std::vector<std::uint16_t>{1, 2}));
  EXPECT_EQ(in.left(), 4U);
  EXPECT_FALSE(in.finished());
  EXPECT_EQ(in.take_bytes(4), "rest");
  EXPECT_TRUE(in.finished());
}

TEST(ByteReader, takes_all_that_there_is_and_not_one_byte_more) {
  ByteReader whole("1234");
  EXPECT_EQ(whole.take<std::uint32_t>(), 0x34333231U);
  EXPECT_TRUE(whole.finished());
  EXPECT_EQ(whole.take_bytes(0), "");
  EXPECT_TRUE(whole.take_array<float>(0).empty());
  EXPECT_TRUE(whole.finished());
  EXPECT_EQ(whole.take<std::uint8_t>(), 0);
  EXPECT_FALSE(whole.ok());
  ByteReader array("12345678");
  EXPECT_EQ(array.take_array<std::uint32_t>(2).size(), 2U);
  EXPECT_TRUE(array.finished());
  ByteReader past("12345678");
  EXPECT_TRUE(past.take_array<std::uint32_t>(3).empty());
  EXPECT_FALSE(past.ok());
  ByteReader text(
      "\x03"
      "ab");
  EXPECT_EQ(text.take_sized<std::uint8_t>(), "");
  EXPECT_FALSE(text.ok());
}

TEST(ByteReader, behind_what_was_missing_there_is_nothing) {
  ByteReader in("123");
  EXPECT_EQ(in.take<std::uint32_t>(), 0U);
  EXPECT_EQ(in.take<std::uint8_t>(), 0);  // though the byte is there
  EXPECT_EQ(in.left(), 0U);
  EXPECT_FALSE(in.ok());
  EXPECT_FALSE(in.finished());
}

TEST(ByteReader, a_count_beyond_all_memory_takes_none) {
  for (const std::size_t count :
       {std::numeric_limits<std::size_t>::max(), std::numeric_limits<std::size_t>::max() / 4, std::size_t{1} << 61}) {
    ByteReader in("12345678");
    EXPECT_TRUE(in.take_array<double>(count).empty());
    EXPECT_FALSE(in.ok());
    ByteReader same("12345678");
    EXPECT_TRUE(same.take_bytes(count).empty());
    EXPECT_FALSE(same.ok());
  }
}

}  // namespace
}  // namespace pandora
