// One row of a file of before, as what it becomes.
#include "legacy/legacy_rows.h"

#include <filesystem>
#include <fstream>
#include <set>

#include <gtest/gtest.h>

#include "ports/row_checks.h"
#include "support/temporary_directory.h"

namespace pandora {
namespace {

using std::chrono::hours;

class LegacyRowsTest : public ::testing::Test {
 protected:
  // Turn 7, whose context.md says this.
  LegacyOutcome turn(const std::string& context, const std::string& keywords = "[]") {
    const std::string place = folder_.path() + "/turns/turn_000007";
    std::filesystem::create_directories(place);
    std::ofstream(place + "/context.md") << context;
    LegacyRows rows(UserId::parse("ana").value(), folder_.path(), {});
    return rows.convert(legacy_tables()[0], {"turn_number", "session_id", "timestamp", "topic", "keywords", "turn_dir"},
                        {std::int64_t{7}, "s", std::int64_t{1767607200}, "a topic", keywords, "turns/turn_000007"});
  }
  static std::string message(const LegacyOutcome& outcome) {
    return Json::parse(outcome.line)["turn"]["message"]["text"];
  }
  testing::TemporaryDirectory folder_;
};

TEST_F(LegacyRowsTest, AMessageGoesFromSectionZeroToSectionOne) {
  for (const char* end : {"\n\n---\n\n## 1. Reflection\n\nPROCEED\n", "\n\n## 1. Reflection\n", "\n\n# §1\n",
                          "\n---\n\n## 2. Context\n", "\n", ""}) {
    for (const char* begin : {"# Context\n\n## 0. User Query\n\n", "# §0\n", "## 0: x\n"}) {
      const auto outcome = turn(std::string(begin) + "Where do the\nzinnias grow?" + end);
      ASSERT_FALSE(outcome.fault) << outcome.fault->reason;
      EXPECT_EQ(message(outcome), "Where do the\nzinnias grow?") << begin << end;
      EXPECT_TRUE(outcome.notes.empty()) << begin << end;
    }
  }
  EXPECT_EQ(message(turn("# Context\n\nNo sections.\n")), "a topic");
}

TEST_F(LegacyRowsTest, HeadingsAndRulesOfAMessageAreKeptAndNoted) {
  const std::string said = "Fix this:\n# config\nport=1\n---\nhost=a\n#!/bin/sh\n## 2. steps";
  const auto outcome = turn("## 0. User Query\n\n" + said + "\n\n---\n\n## 1. Reflection\n\nPROCEED\n");
  EXPECT_EQ(message(outcome), said);
  ASSERT_EQ(outcome.notes.size(), 1u);
  EXPECT_EQ(outcome.notes[0].column, "turn_dir");
}

TEST_F(LegacyRowsTest, WhereAMessageHasASectionOneOfItsOwnItIsNoted) {
  const auto outcome =
      turn("## 0. User Query\n\nSummarise:\n## 1. Tea\nleaves\n\n---\n\n## 1. Reflection\n\nPROCEED\n");
  EXPECT_EQ(message(outcome), "Summarise:");
  EXPECT_EQ(outcome.notes.size(), 1u);
}

// Whatever zone is said to be meant, the same row is the same research.
TEST_F(LegacyRowsTest, AnIdFollowsFromTheRowAloneAlsoWhenOnlyItsEndNamesNoZone) {
  for (const char* created : {"2026-01-05T10:00:00Z", "1767607200", "2026-01-05T10:00:00"}) {
    std::set<std::string> ids;
    for (const int zone : {-5, 0, 2}) {
      LegacyRows rows(UserId::parse("ana").value(), folder_.path(), hours(zone));
      const auto outcome = rows.convert(legacy_tables()[1], {"id", "primary_topic", "created_at", "expires_at"},
                                        {std::int64_t{3}, "espresso", created, "2026-01-06T10:00:00"});
      ASSERT_FALSE(outcome.fault) << outcome.fault->reason;
      ids.insert(outcome.id);
    }
    EXPECT_EQ(ids.size(), 1u) << created;
  }
}

TEST_F(LegacyRowsTest, AKeywordThatNoRowMayHoldIsAFaultOfItsColumn) {
  const auto with = [&](std::size_t bytes) { return turn("", "[\"" + std::string(bytes, 'k') + "\"]"); };
  EXPECT_FALSE(with(kMaxKeywordBytes).fault);
  const auto outcome = with(kMaxKeywordBytes + 1);
  ASSERT_TRUE(outcome.fault);
  EXPECT_EQ(outcome.fault->column, "keywords");
}

}  // namespace
}  // namespace pandora
