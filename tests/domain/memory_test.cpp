#include "domain/memory.h"

#include <gtest/gtest.h>

namespace pandora {
namespace {

struct Pair {
  std::string_view newer, older;
};

constexpr Pair kContradictory[] = {
    {"My favourite colour is green", "My favourite colour is red"},
    {"My favorite colour is green.", "my favourite colour is red"},
    {"I live in Rome.", "I live in Paris."},
    {"I moved to Rome.", "I live in Paris."},
    {"I now live in Rome", "Remember that I live in Paris."},
    {"My name is Will.", "My name's Ann."},
    {"I work at Shell.", "I work at Siemens."},
    {"My daughter is 8.", "My daughter is 7."},
    {"My wife is not vegan.", "My wife is vegan."},
    {"I hate coffee.", "I like coffee."},
    {"I like coffee", "I don't like coffee"},
    {"Never use emojis.", "Always use emojis."},
    {"Always answer in French.", "Answer in English."},
    {"Call me Mel.", "Please call me Melanie."},
    {"I prefer long answers.", "I prefer short answers."},
};
constexpr Pair kCompatible[] = {
    {"My favourite colour is red", "My favourite colour is red"},
    {"My favourite colour is red!", "my favourite colour is RED"},
    {"My favourite colour is red", "My favourite band is Radiohead"},
    {"I live in Paris", "I work at Shell"},
    {"I live in Paris, France", "I live in Paris"},
    {"I like tea", "I like coffee"},
    {"I hate tea", "I like coffee"},
    {"I am allergic to nuts", "I am allergic to milk"},
    {"My dog is called Rex", "My dog is brown"},
    {"My sister lives in Rome", "My brother lives in Paris"},
    {"Never use emojis", "Always use metric units"},
    {"", ""},
    {"hello", "My name is Ann"},
};

TEST(Contradicts, AnotherThingSaidOfTheSameSubject) {
  for (const auto& [newer, older] : kContradictory) {
    EXPECT_TRUE(contradicts(newer, older)) << newer << " / " << older;
    EXPECT_TRUE(contradicts(older, newer)) << older << " / " << newer;
  }
}

TEST(Contradicts, NotTheSameAgainNorAnotherSubject) {
  for (const auto& [newer, older] : kCompatible) {
    EXPECT_FALSE(contradicts(newer, older)) << newer << " / " << older;
    EXPECT_FALSE(contradicts(older, newer)) << older << " / " << newer;
  }
}

}  // namespace
}  // namespace pandora
