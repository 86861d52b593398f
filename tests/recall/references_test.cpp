#include "recall/references.h"

#include <gmock/gmock.h>

namespace pandora {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(References, TurnsAreNamedByNumber) {
  EXPECT_THAT(referenced_turns("What did I say in turn 12?"), ElementsAre(TurnNumber{12}));
  EXPECT_THAT(referenced_turns("Compare turns 3, 4 and 17."),
              ElementsAre(TurnNumber{3}, TurnNumber{4}, TurnNumber{17}));
  EXPECT_THAT(referenced_turns("see #5 and turn number 6, TURN 5"), ElementsAre(TurnNumber{5}, TurnNumber{6}));
}

TEST(References, OtherNumbersAreNot) {
  EXPECT_THAT(referenced_turns("I have 12 eggs; turn left after 200 metres"), IsEmpty());
  EXPECT_THAT(referenced_turns("turn 0, turn 99999999999999999999"), IsEmpty());
  EXPECT_THAT(referenced_turns(""), IsEmpty());
}

TEST(References, AtMostEight) {
  EXPECT_EQ(referenced_turns("turns 1 2 3 4 5 6 7 8").size(), kMaxReferences);
  EXPECT_EQ(referenced_turns("turns 1 2 3 4 5 6 7 8 9").size(), kMaxReferences);
}

}  // namespace
}  // namespace pandora
