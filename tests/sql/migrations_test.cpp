#include "sql/migrations.h"

#include <gtest/gtest.h>

namespace pandora {
namespace {

const std::vector<Migration> kKnown = {{1, "0001_first", "CREATE TABLE a (x);\n"},
                                       {2, "0002_second", "CREATE TABLE b (y);\n"}};

AppliedMigration applied(const Migration& migration) {
  return {migration.version, std::string(migration.name), migration_checksum(migration.sql), kChecksumFormula};
}

// A database that remembers, and fails when told.
class Target final : public MigrationTarget {
 public:
  Result<std::vector<AppliedMigration>> applied() override { return done; }
  Status apply(const Migration& migration, const AppliedMigration& record) override {
    if (migration.version == failing) return fail(ErrorCode::kStorageFull, "no space");
    done.push_back(record);
    return {};
  }
  std::vector<AppliedMigration> done;
  int failing = 0;
};

TEST(Migrations, ANewDatabaseGetsAllInOrderAndASecondRunNothing) {
  Target target;
  EXPECT_EQ(migrate(kKnown, target).value(), 2);
  EXPECT_EQ(target.done.size(), 2u);
  EXPECT_EQ(target.done[1].version, 2);
  EXPECT_EQ(migrate(kKnown, target).value(), 0);
}

TEST(Migrations, WhatMustBeTrueBeforeIsReadOutOfTheTextALineForEach) {
  const Migration migration{
      3, "0003_third",
      "-- Words about it.\n-- require: SELECT count(*) = 0 FROM a -- a must be empty: run X\r\n"
      "CREATE TABLE c (z);\n  -- require:   SELECT 1  \n-- required: SELECT 0\n-- require: SELECT 2"};
  const auto found = requirements_of(migration);
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].query, "SELECT count(*) = 0 FROM a");
  EXPECT_EQ(found[0].otherwise, "a must be empty: run X");
  EXPECT_EQ(found[1].query, "SELECT 1");
  EXPECT_EQ(found[1].otherwise, "SELECT 1") << "without words it is its own";
  EXPECT_EQ(found[2].query, "SELECT 2");
  EXPECT_TRUE(requirements_of(kKnown[0]).empty());
}

TEST(Migrations, AFailureStopsAndTheNextRunGoesOnFromThere) {
  Target target;
  target.failing = 2;
  const auto failed = migrate(kKnown, target);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kStorageFull);
  EXPECT_NE(failed.error().message.find("0002_second"), std::string::npos);
  target.failing = 0;
  EXPECT_EQ(migrate(kKnown, target).value(), 1);
}

TEST(Migrations, ANewerDatabaseAnEditedTextAGapAndAnUnknownFormulaAreRefused) {
  auto newer =
      std::vector{applied(kKnown[0]), applied(kKnown[1]), AppliedMigration{3, "0003_future", "x", kChecksumFormula}};
  EXPECT_EQ(plan_migrations(kKnown, newer).error().code, ErrorCode::kIncompatible);
  auto edited = std::vector{applied(kKnown[0])};
  edited[0].checksum = migration_checksum("CREATE TABLE other (x);");
  EXPECT_EQ(plan_migrations(kKnown, edited).error().code, ErrorCode::kIncompatible);
  EXPECT_EQ(plan_migrations(kKnown, {applied(kKnown[1])}).error().code, ErrorCode::kIncompatible);
  auto formula = std::vector{applied(kKnown[0])};
  formula[0].formula = kChecksumFormula + 1;
  EXPECT_EQ(plan_migrations(kKnown, formula).error().code, ErrorCode::kIncompatible);
}

TEST(Migrations, LineEndsAndAByteOrderMarkDoNotChangeTheChecksum) {
  EXPECT_EQ(migration_checksum("a;\nb;\n"), migration_checksum("\xEF\xBB\xBF"
                                                               "a;\r\nb;\r\n"));
  EXPECT_NE(migration_checksum("a;\nb;\n"), migration_checksum("a;\nb; \n")) << "a trailing space is text";
}

TEST(Migrations, TheEmbeddedOnesAscendFromOneWithoutGaps) {
  for (const char* folder : {"sqlite", "vectors", "postgres"}) {
    const auto migrations = embedded_migrations(folder);
    ASSERT_FALSE(migrations.empty()) << folder;
    for (std::size_t i = 0; i < migrations.size(); ++i)
      EXPECT_EQ(migrations[i].version, static_cast<int>(i) + 1) << folder;
  }
  EXPECT_TRUE(embedded_migrations("nothing").empty());
}

}  // namespace
}  // namespace pandora
