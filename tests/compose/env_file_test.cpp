#include "compose/env_file.h"

#include <gtest/gtest.h>

namespace pandora {
namespace {

std::string value_of(const std::string& line) { return env_value(parse_env(line), "A").value_or("(none)"); }

TEST(EnvFile, AValueEndsWhereComposeEndsIt) {
  EXPECT_EQ(value_of("A=b"), "b");
  EXPECT_EQ(value_of("A = b "), "b");
  EXPECT_EQ(value_of("export A=b"), "b");
  EXPECT_EQ(value_of("A=b # said of it"), "b");
  EXPECT_EQ(value_of("A=b#c"), "b#c");
  EXPECT_EQ(value_of("A="), "");
  EXPECT_EQ(value_of("A=# nothing"), "");
  EXPECT_EQ(value_of("A='b # $c' # d"), "b # $c");
  EXPECT_EQ(value_of("A=\"b \\\"c\\\" \\$d\\\\\\x # e\" # f"), "b \"c\" $d\\\\x # e");
  EXPECT_EQ(value_of("A=b\r\n"), "b");
  EXPECT_EQ(value_of("A=b\nA=c"), "c");
}

TEST(EnvFile, WhatIsNoSettingIsKeptAsALine) {
  for (const std::string line : {"# A=b", "A", "1A=b", "a b=c", "=b", ""}) {
    const auto lines = parse_env(line + "\n");
    ASSERT_EQ(lines.size(), 1u) << line;
    EXPECT_EQ(lines[0].name, "") << line;
    EXPECT_EQ(lines[0].text, line);
  }
}

TEST(EnvFile, WhatIsWrittenIsReadAgain) {
  for (const std::string value : {"/home/ana/.config", "a b", "$x", "a#b", "", "\"", "日本"}) {
    const auto line = env_line("A", value);
    ASSERT_TRUE(line) << value;
    EXPECT_EQ(value_of(*line), value) << *line;
  }
  for (const std::string value : {"it's", "a\nb", "a\rb"})
    EXPECT_EQ(env_line("A", value).error().code, ErrorCode::kInvalidArgument) << value;
}

}  // namespace
}  // namespace pandora
