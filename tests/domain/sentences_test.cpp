#include "domain/sentences.h"

#include <gmock/gmock.h>

namespace pandora {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Sentences, EndAtAMarkFollowedBySpaceOrAtALinesEnd) {
  EXPECT_THAT(sentences("One. Two! Three? Four"), ElementsAre("One.", "Two!", "Three?", "Four"));
  EXPECT_THAT(sentences("One\n\n two\r\nthree"), ElementsAre("One", "two", "three"));
  EXPECT_THAT(sentences("Well… I don't know. 3.14 is near"), ElementsAre("Well…", "I don't know.", "3.14 is near"));
  EXPECT_THAT(sentences("猫が好き。犬も好き！"), ElementsAre("猫が好き。", "犬も好き！"));
  EXPECT_THAT(sentences("He said \"go.\" Then he went."), ElementsAre("He said \"go.\"", "Then he went."));
  EXPECT_THAT(sentences("“Stop.” He stopped."), ElementsAre("“Stop.”", "He stopped."));
}

TEST(Sentences, AnAbbreviationEndsNone) {
  EXPECT_THAT(sentences("Ask Dr. Brown, e.g. on Monday. J. Smith knows."),
              ElementsAre("Ask Dr. Brown, e.g. on Monday.", "J. Smith knows."));
  EXPECT_THAT(sentences("So do I. And you?"), ElementsAre("So do I.", "And you?"));
}

TEST(Sentences, NothingHasNone) {
  EXPECT_THAT(sentences(""), IsEmpty());
  EXPECT_THAT(sentences(" \n\t\r\n "), IsEmpty());
}

}  // namespace
}  // namespace pandora
