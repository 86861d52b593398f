#include <set>

#include <gtest/gtest.h>

#include "domain/context_document.h"
#include "domain/loop_guard.h"
#include "domain/memory.h"
#include "domain/observation.h"
#include "domain/research.h"
#include "domain/source.h"

namespace pandora {
namespace {

template <class E>
void round_trip(E last, Result<E> (*parse)(std::string_view)) {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(last); ++i) {
    const auto value = static_cast<E>(i);
    EXPECT_FALSE(to_string(value).empty());
    names.insert(to_string(value));
    const auto parsed = parse(to_string(value));
    ASSERT_TRUE(parsed) << to_string(value);
    EXPECT_EQ(*parsed, value);
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(last) + 1);
  const auto unknown = parse("no such thing");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(unknown.error().remedy.find(to_string(last)), std::string::npos);  // the remedy names what there is
  EXPECT_FALSE(parse(""));
}

TEST(Names, EveryValueOfEveryEnumerationIsReadBack) {
  round_trip(Scope::kGlobal, parse_scope);
  round_trip(Role::kAssistant, parse_role);
  round_trip(Trust::kUser, parse_trust);
  round_trip(Intent::kOther, parse_intent);
  round_trip(TurnStatus::kCancelled, parse_turn_status);
  round_trip(MemoryKind::kNote, parse_memory_kind);
  round_trip(ResearchKind::kInformational, parse_research_kind);
  round_trip(ContentType::kOther, parse_content_type);
  round_trip(SourceOverride::kBlock, parse_source_override);
  round_trip(ObservationKind::kSource, parse_observation_kind);
  round_trip(Reflection::kClarify, parse_reflection);
  round_trip(GatheredKind::kSource, parse_gathered_kind);
  round_trip(RecallMode::kNone, parse_recall_mode);
  round_trip(Route::kTools, parse_route);
  round_trip(ToolStatus::kCancelled, parse_tool_status);
  round_trip(Verdict::kFail, parse_verdict);
}

TEST(Names, AnAdmissionSaysWhy) {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(Admission::kNearDuplicate); ++i)
    names.insert(to_string(static_cast<Admission>(i)));
  EXPECT_EQ(names.size(), 6U);
  EXPECT_FALSE(names.contains(""));
}

TEST(Principal, SeesItsOwnAndTheSystemSeesAll) {
  const UserId ann = *UserId::parse("ann"), bob = *UserId::parse("bob");
  EXPECT_TRUE(Principal::of(ann).may_see(ann));
  EXPECT_FALSE(Principal::of(ann).may_see(bob));
  EXPECT_TRUE(Principal::system().may_see(bob));
}

}  // namespace
}  // namespace pandora
