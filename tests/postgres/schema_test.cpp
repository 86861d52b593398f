#include <thread>

#include <gmock/gmock.h>

#include "postgres/postgres_case.h"
#include "postgres/postgres_schema.h"

namespace pandora::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const auto kNobodyWaits = [](const std::string& holder) { ADD_FAILURE() << "waited for " << holder; };
constexpr Duration kPatience = std::chrono::seconds(20);

class PostgresSchemaCase : public PostgresCase {
 protected:
  std::unique_ptr<PostgresConnection> connection = connect();
  PostgresSchema schema(std::vector<Migration> known = embedded_migrations("postgres")) {
    return PostgresSchema(*connection, clock, std::move(known));
  }
  Result<int> migrate(std::vector<Migration> known = embedded_migrations("postgres")) {
    return schema(std::move(known)).migrate(kPatience, kNobodyWaits);
  }
  std::int64_t count(const std::string& sql) { return must(connection->query(sql)).integer(0, 0); }
  std::int64_t tables() { return count("SELECT count(*) FROM pg_tables WHERE schemaname = 'pandora'"); }
};

const std::vector<Migration> kThree = {
    {1, "0001_first", "CREATE TABLE a (x integer);\nCREATE TABLE b (y integer);\nINSERT INTO a VALUES (1);\n"},
    {2, "0002_second", "ALTER TABLE a ADD COLUMN z text;\nUPDATE a SET z = 'filled';\n"},
    {3, "0003_index", "-- pandora: without a transaction\nCREATE UNIQUE INDEX CONCURRENTLY b_by_y ON b (y);\n"}};
std::vector<Migration> first(std::size_t count) {
  return {kThree.begin(), kThree.begin() + static_cast<std::ptrdiff_t>(count)};
}

TEST_F(PostgresSchemaCase, AnEmptyDatabaseGetsTheSchemaOnceAndItIsAsItShouldBe) {
  const int all = static_cast<int>(embedded_migrations("postgres").size());
  EXPECT_FAILS(kIncompatible, check_postgres_schema(*connection));
  EXPECT_EQ(must(migrate()), all);
  EXPECT_EQ(must(migrate()), 0);
  EXPECT_THAT(must(schema().verify()), IsEmpty());
  must(check_postgres_schema(*connection));
  const SchemaStatus status = must(schema().status());
  EXPECT_EQ(status.applied.size(), static_cast<std::size_t>(all));
  EXPECT_TRUE(status.pending.empty());
  EXPECT_FALSE(status.fault);
  EXPECT_EQ(status.holder, "");
  EXPECT_TRUE(connection->usable());
}

TEST_F(PostgresSchemaCase, FromEachEarlierVersionItGoesOn) {
  for (std::size_t from = 0; from <= kThree.size(); ++from) {
    must(connection->script("DROP SCHEMA IF EXISTS pandora CASCADE"));
    EXPECT_EQ(must(migrate(first(from))), static_cast<int>(from));
    EXPECT_EQ(must(schema(kThree).status()).pending.size(), kThree.size() - from);
    EXPECT_EQ(must(migrate(kThree)), static_cast<int>(kThree.size() - from));
    EXPECT_EQ(count("SELECT count(*) FROM pandora.a WHERE z = 'filled'"), 1) << "from version " << from;
    EXPECT_THAT(must(schema(kThree).verify()), IsEmpty());
  }
}

TEST_F(PostgresSchemaCase, APlanRunsAndLeavesNothing) {
  const auto planned = must(schema(kThree).plan());
  EXPECT_EQ(planned.size(), kThree.size());
  EXPECT_EQ(count("SELECT count(*) FROM pg_namespace WHERE nspname = 'pandora'"), 0);
  must(migrate(first(1)));
  std::vector<Migration> broken = first(1);
  broken.push_back({2, "0002_broken", "ALTER TABLE a ADD COLUMN q integer;\nALTER TABLE nowhere ADD COLUMN z text;\n"});
  const auto failed = schema(broken).plan();
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message, HasSubstr("0002_broken"));
  EXPECT_THAT(must(schema(first(1)).verify()), IsEmpty());
}

TEST_F(PostgresSchemaCase, KilledAtEveryStatementItIsAsBeforeAndTheNextRunDoesAll) {
  // The server itself ends the session there: the same as a migrator, or a server, that dies at that moment.
  std::vector<Migration> before;
  for (const Migration& version : embedded_migrations("postgres")) {
    std::vector<std::size_t> ends;
    const std::string text(version.sql);
    if (text.find("without a transaction") != std::string::npos) {  // has a test of its own below
      before.push_back(version);
      EXPECT_EQ(must(migrate(before)), 1);
      continue;
    }
    for (std::size_t at = text.find(";\n"); at != std::string::npos; at = text.find(";\n", at + 1))
      ends.push_back(at + 2);
    ASSERT_GT(ends.size(), version.version == 1 ? 20u : 0u);
    for (const std::size_t end : ends) {
      std::string killed = text;
      killed.insert(end, "SELECT pg_terminate_backend(pg_backend_pid());\n");
      std::vector<Migration> all = before;
      all.push_back({version.version, version.name, killed});
      EXPECT_FAILS(kUnavailable, migrate(all));
      EXPECT_FALSE(connection->usable());
      connection = connect();
      if (before.empty())
        ASSERT_EQ(count("SELECT count(*) FROM pg_namespace WHERE nspname = 'pandora'"), 0) << "after byte " << end;
      else
        EXPECT_THAT(must(schema(before).verify()), IsEmpty()) << version.name << " after byte " << end;
    }
    before.push_back(version);
    EXPECT_EQ(must(migrate(before)), 1);
  }
  EXPECT_THAT(must(schema().verify()), IsEmpty());
}

TEST_F(PostgresSchemaCase, FromEachVersionOfOursItGoesOnWithWhatIsThere) {
  const std::vector<Migration> all = embedded_migrations("postgres");
  for (std::size_t from = 1; from < all.size(); ++from) {
    must(connection->script("DROP SCHEMA IF EXISTS pandora CASCADE"));
    must(migrate({all.begin(), all.begin() + static_cast<std::ptrdiff_t>(from)}));
    must(connection->script("INSERT INTO pandora.outbox (kind, key, version) VALUES ('turn_directory', 'x', 7)"));
    EXPECT_EQ(must(migrate()), static_cast<int>(all.size() - from));
    EXPECT_EQ(count("SELECT count(*) FROM pandora.outbox WHERE home = '' AND version = 7"), 1) << "anybody's";
    EXPECT_THAT(must(schema().verify()), IsEmpty());
  }
}

TEST_F(PostgresSchemaCase, WhatWasObservedBeforeItWasKeptByTurnsIsThereInItsOrder) {
  const std::vector<Migration> all = embedded_migrations("postgres");
  must(migrate({all.begin(), all.begin() + 7}));
  // Of each turn more than a row holds, the turns among each other, and one that belongs to nobody.
  must(connection->script(
      "INSERT INTO pandora.observability (turn_uid, user_id, kind, name, at, micros, tokens_in, tokens_out, ok, detail,"
      " confidence) SELECT ('00000000-0000-7000-8000-00000000000' || n % 3)::uuid, (ARRAY['', 'ana', 'ben'])[1 + n % "
      "3],"
      " 'phase', 'phase ' || n, '2026-11-26'::timestamptz - n * interval '1 s', n, 2 * n, 3 * n, n % 2 = 0,"
      " CASE WHEN n % 5 = 0 THEN 'say \"so, {NULL}\"' ELSE '' END, CASE WHEN n % 7 > 0 THEN 1.0 / n END"
      " FROM generate_series(1, 3005) AS n;"
      " CREATE TABLE public.before AS SELECT * FROM pandora.observability"));
  must(migrate());
  EXPECT_EQ(count("SELECT count(*) FROM pandora.observations"), 6);
  EXPECT_EQ(count("SELECT count(*) FROM pandora.observability"), 3005);
  // The same but for their numbers, which rise within each turn as they did.
  EXPECT_EQ(
      count("SELECT count(*) FROM (SELECT *, row_number() OVER (PARTITION BY turn_uid ORDER BY row) AS place FROM "
            "public.before)"
            " AS b JOIN (SELECT *, row_number() OVER (PARTITION BY turn_uid ORDER BY row) AS place FROM"
            " pandora.observability) AS a USING (turn_uid, place) WHERE (a.user_id, a.kind, a.name, a.at, a.micros,"
            " a.tokens_in, a.tokens_out, a.ok, a.detail) = (b.user_id, b.kind, b.name, b.at, b.micros, b.tokens_in,"
            " b.tokens_out, b.ok, b.detail) AND a.confidence IS NOT DISTINCT FROM b.confidence"),
      3005);
  EXPECT_EQ(count("SELECT count(DISTINCT row) FROM pandora.observability"), 3005);
  EXPECT_EQ(count("SELECT count(*) FROM pandora.observations WHERE last_at <> (SELECT max(t) FROM unnest(at) AS t)"),
            0);
  EXPECT_THAT(must(schema().verify()), IsEmpty());
}

TEST_F(PostgresSchemaCase, AMigrationThatFailsLeavesWhatWasBefore) {
  must(migrate(first(1)));
  std::vector<Migration> broken = first(1);
  broken.push_back({2, "0002_broken", "ALTER TABLE a ADD COLUMN z text;\nUPDATE a SET nothing = 1;\n"});
  const auto failed = migrate(broken);
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message, HasSubstr("schema version 2 (0002_broken)"));
  EXPECT_THAT(failed.error().message, HasSubstr("line 2"));
  EXPECT_THAT(must(schema(first(1)).verify()), IsEmpty());
  EXPECT_EQ(must(migrate(first(2))), 1) << "the lock was given back, and nothing is dirty";
}

TEST_F(PostgresSchemaCase, WhatAMigrationRequiresIsLookedAtBeforeAnythingOfItIsDone) {
  must(migrate(first(2)));
  for (const char* alone : {"", "-- pandora: without a transaction\n"}) {
    for (const char* query : {"SELECT NOT EXISTS (SELECT 1 FROM a)", "SELECT NULL::bool", "SELECT true FROM b"}) {
      std::vector<Migration> next = first(2);
      const std::string sql = std::string(alone) + "-- require: " + query + " -- a must be empty: empty it\n" +
                              (*alone ? "CREATE INDEX CONCURRENTLY a_by_z ON a (z);\n" : "DROP TABLE a;\n");
      next.push_back({3, "0003_third", sql});
      EXPECT_FAILS(kConflict, schema(next).plan());
      const auto failed = migrate(next);
      EXPECT_FAILS(kConflict, failed);
      EXPECT_THAT(failed.error().to_line(), ::testing::AllOf(HasSubstr("0003_third"), HasSubstr("a must be empty")));
      EXPECT_THAT(must(schema(first(2)).verify()), IsEmpty());
    }
  }
  std::vector<Migration> next = first(2);
  next.push_back({3, "0003_third", "-- require: SELECT count(*) = 1 FROM a\n-- require: SELECT true\nDROP TABLE a;\n"});
  must(schema(next).plan());
  EXPECT_EQ(must(migrate(next)), 1);
  EXPECT_EQ(tables(), 2) << "b and the versions";
}

TEST_F(PostgresSchemaCase, AConcurrentIndexThatWasInterruptedIsMadeAgain) {
  must(migrate(first(2)));
  must(connection->script(
      "INSERT INTO pandora.b VALUES (1), (1)"));  // not unique: it stops half made, as when it is killed
  EXPECT_FALSE(migrate(kThree));
  EXPECT_EQ(count("SELECT count(*) FROM pg_index WHERE NOT indisvalid"), 1);
  EXPECT_THAT(must(schema(first(2)).verify()), Contains(HasSubstr("(not valid)")));
  EXPECT_EQ(must(schema(kThree).status()).applied.size(), 2u);
  must(connection->script("DELETE FROM pandora.b"));
  EXPECT_EQ(must(migrate(kThree)), 1);
  EXPECT_EQ(count("SELECT count(*) FROM pg_index WHERE NOT indisvalid"), 0);
  EXPECT_THAT(must(schema(kThree).verify()), IsEmpty());
}

TEST_F(PostgresSchemaCase, KilledBetweenAConcurrentIndexAndItsRowTheNextRunGoesOn) {
  must(migrate(first(2)));
  must(connection->script(
      "CREATE INDEX b_by ON pandora.b (y);"  // whose name is the beginning of the other's: it is not touched
      " CREATE FUNCTION public.die() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM"
      " pg_terminate_backend(pg_backend_pid()); RETURN new; END';"
      " CREATE TRIGGER dies BEFORE INSERT ON pandora.schema_migrations FOR EACH ROW EXECUTE FUNCTION public.die()"));
  EXPECT_FAILS(kUnavailable, migrate(kThree));
  connection = connect();
  EXPECT_EQ(count("SELECT count(*) FROM pg_index WHERE indexrelid = 'pandora.b_by_y'::regclass AND indisvalid"), 1);
  const auto oid = count("SELECT 'pandora.b_by'::regclass::oid::bigint");
  EXPECT_EQ(must(schema(kThree).status()).pending.size(), 1u);
  must(connection->script("DROP TRIGGER dies ON pandora.schema_migrations; DROP FUNCTION public.die()"));
  EXPECT_EQ(must(schema(kThree).plan()).size(), 1u);
  EXPECT_EQ(must(migrate(kThree)), 1);
  EXPECT_EQ(count("SELECT 'pandora.b_by'::regclass::oid::bigint"), oid);
  must(connection->script("DROP INDEX pandora.b_by"));
  EXPECT_THAT(must(schema(kThree).verify()), IsEmpty());
}

// What a big table takes: no limit of a statement may end it, or the same happens at every attempt.
TEST_F(PostgresSchemaCase, NoVersionHasALimitOfTime) {
  std::vector<Migration> all = first(1);
  all.push_back({2, "0002_second", "CREATE TABLE seen AS SELECT current_setting('statement_timeout') AS what;\n"});
  all.push_back(
      {3, "0003_function",
       "CREATE FUNCTION note(integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS 'BEGIN IF"
       " current_setting(''statement_timeout'') <> ''0'' THEN RAISE ''limited''; END IF; RETURN $1; END';\n"});
  all.push_back({4, "0004_index",
                 "-- pandora: without a transaction\nCREATE INDEX CONCURRENTLY a_by_note ON a (pandora.note(x));\n"});
  must(schema(all).plan());
  EXPECT_EQ(must(migrate(all)), 4);
  EXPECT_EQ(std::string(must(connection->query("SELECT what FROM pandora.seen")).text(0, 0)), "0");
  EXPECT_EQ(std::string(must(connection->query("SELECT current_setting('statement_timeout')")).text(0, 0)), "1min");
}

TEST_F(PostgresSchemaCase, TwoAtOnceDoNoHarm) {
  constexpr int kRunners = 4;
  std::vector<std::unique_ptr<PostgresConnection>> connections;
  for (int i = 0; i < kRunners; ++i) connections.push_back(connect());
  std::vector<Result<int>> done(kRunners, 0);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kRunners; ++i)
    threads.emplace_back(
        [&, i] { done[i] = PostgresSchema(*connections[i], clock, kThree).migrate(kPatience, [](const auto&) {}); });
  for (auto& thread : threads) thread.join();
  int sum = 0;
  for (auto& one : done) sum += must(one);
  EXPECT_EQ(sum, static_cast<int>(kThree.size()));
  EXPECT_THAT(must(schema(kThree).verify()), IsEmpty());
}

TEST_F(PostgresSchemaCase, WhoWaitsSaysForWhomAndALockGoesWithItsHolder) {
  auto holder = connect();
  must(holder->query("SELECT pg_advisory_lock($1::integer, $2::integer)", kPostgresLocks, kMigrationsLock));
  const std::string pid(must(holder->query("SELECT pg_backend_pid()")).text(0, 0));
  std::vector<std::string> told;
  const auto refused = schema(kThree).migrate(Duration(0), [&](const std::string& who) { told.push_back(who); });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_THAT(told[0], HasSubstr("process " + pid));
  EXPECT_THAT(refused.error().to_line(), HasSubstr("process " + pid));
  EXPECT_THAT(must(schema(kThree).status()).holder, HasSubstr(pid));
  holder.reset();  // killed while it holds it
  EXPECT_EQ(must(schema(kThree).migrate(kPatience, [](const auto&) {})), 3);
}

TEST_F(PostgresSchemaCase, AnEditedTextANewerSchemaAndAGapAreRefused) {
  must(migrate(kThree));
  std::vector<Migration> edited = kThree;
  edited[0].sql = "CREATE TABLE other (x integer);";
  EXPECT_FAILS(kIncompatible, migrate(edited));
  EXPECT_TRUE(must(schema(edited).status()).fault);
  EXPECT_FAILS(kIncompatible, migrate(first(2)));
  must(connection->script("DELETE FROM pandora.schema_migrations WHERE version = 2"));
  EXPECT_FAILS(kIncompatible, migrate(kThree));
  EXPECT_FAILS(kIncompatible, schema(kThree).verify());
}

TEST_F(PostgresSchemaCase, DriftIsNamed) {
  must(migrate());
  must(connection->script(
      "ALTER TABLE pandora.turns ADD COLUMN mine text; ALTER TABLE pandora.memories ALTER topic DROP NOT NULL;"
      " DROP INDEX pandora.turns_by_time; ALTER TABLE pandora.outbox SET (fillfactor = 90);"
      " CREATE VIEW pandora.look AS SELECT 1 AS x; ALTER TABLE pandora.turns DROP CONSTRAINT turns_quality_check"));
  const auto found = must(schema().verify());
  for (const char* line : {"unexpected: column turns.mine text", "missing: column memories.topic text not null",
                           "unexpected: column memories.topic text", "unexpected: view look"})
    EXPECT_THAT(found, Contains(HasSubstr(line)));
  EXPECT_THAT(found, Contains(::testing::AllOf(HasSubstr("missing: index"), HasSubstr("turns_by_time"))));
  EXPECT_THAT(found, Contains(::testing::AllOf(HasSubstr("missing: constraint turns"), HasSubstr("quality"))));
  EXPECT_THAT(found, Contains(HasSubstr("fillfactor=90")));
}

TEST_F(PostgresSchemaCase, ASchemaMadeByOtherMeansIsAdoptedWhenItIsProvenTheSame) {
  must(connection->script(
      "CREATE SCHEMA pandora; SET search_path = pandora; CREATE TABLE a (x integer); CREATE TABLE b (y integer)"));
  must(connection->script("RESET search_path"));
  EXPECT_FAILS(kIncompatible, migrate(kThree));
  EXPECT_THAT(must(schema(kThree).status()).strangers, ::testing::ElementsAre("a", "b"));
  auto holder = connect();
  must(holder->query("SELECT pg_advisory_lock($1::integer, $2::integer)", kPostgresLocks, kMigrationsLock));
  const auto refused = schema(kThree).baseline(1);
  EXPECT_FAILS(kUnavailable, refused);
  EXPECT_THAT(refused.error().to_line(),
              HasSubstr(std::string(must(holder->query("SELECT pg_backend_pid()")).text(0, 0))));
  must(holder->query("SELECT pg_advisory_unlock_all()"));
  EXPECT_FAILS(kConflict, schema(kThree).baseline(2));
  EXPECT_FAILS(kInvalidArgument, schema(kThree).baseline(4));
  EXPECT_EQ(must(schema(kThree).baseline(0)), 1);
  EXPECT_FAILS(kConflict, schema(kThree).baseline(0)) << "it has its versions now";
  EXPECT_EQ(must(migrate(kThree)), 2);
  EXPECT_THAT(must(schema(kThree).verify()), IsEmpty());
}

// The specification's own DDL (its §4.3), as somebody ran it.
constexpr const char* kSpecification =
    "CREATE TABLE turns (turn_number SERIAL PRIMARY KEY, session_id TEXT NOT NULL, timestamp TIMESTAMPTZ DEFAULT "
    "NOW(), topic TEXT,"
    " intent TEXT, keywords JSONB, quality FLOAT, turn_dir TEXT NOT NULL, embedding_id UUID);"
    "CREATE INDEX idx_turns_session ON turns(session_id, timestamp DESC);"
    "CREATE INDEX idx_turns_topic ON turns USING gin(to_tsvector('english', topic));"
    "CREATE TABLE research (id SERIAL PRIMARY KEY, turn_number INTEGER REFERENCES turns(turn_number), primary_topic "
    "TEXT NOT NULL,"
    " quality_overall FLOAT, confidence_current FLOAT, created_at TIMESTAMPTZ DEFAULT NOW(), expires_at TIMESTAMPTZ, "
    "scope TEXT,"
    " content_types JSONB, doc_path TEXT);"
    "CREATE TABLE sources (domain TEXT PRIMARY KEY, success_count INTEGER DEFAULT 0, failure_count INTEGER DEFAULT 0,"
    " last_success TIMESTAMPTZ, last_failure TIMESTAMPTZ, reliability_score FLOAT DEFAULT 0.5, notes JSONB)";

TEST_F(PostgresSchemaCase, TheSpecificationsOwnTablesAreSeenAndLeftAlone) {
  must(connection->script(kSpecification));
  must(connection->script("INSERT INTO turns (session_id, turn_dir) VALUES ('s', 'turns/turn_000001')"));
  EXPECT_THAT(must(schema().status()).specification, ::testing::ElementsAre("research", "sources", "turns"));
  must(migrate());
  EXPECT_THAT(must(schema().verify()), IsEmpty());
  EXPECT_EQ(count("SELECT count(*) FROM public.turns"), 1);
}

TEST_F(PostgresSchemaCase, TheSpecificationsTablesInOurSchemaAreNoVersionOfIt) {
  must(connection->script("CREATE SCHEMA pandora; SET search_path = pandora; " + std::string(kSpecification) +
                          "; RESET search_path"));
  EXPECT_FAILS(kIncompatible, migrate());
  const auto refused = schema().baseline(0);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kConflict);
  EXPECT_THAT(refused.error().message, HasSubstr("differences"));
  EXPECT_EQ(tables(), 3) << "nothing was touched";
}

TEST_F(PostgresSchemaCase, EveryColumnOfTheSpecificationIsThere) {
  must(migrate());
  const std::vector<std::pair<const char*, std::vector<const char*>>> wanted = {
      {"turns",
       {"turn_number", "session_id", "timestamp", "topic", "intent", "keywords", "quality", "turn_dir",
        "embedding_id"}},
      {"research",
       {"turn_number", "primary_topic", "quality_overall", "confidence_current", "created_at", "expires_at", "scope",
        "content_types", "doc_path"}},
      {"sources",
       {"domain", "success_count", "failure_count", "last_success", "last_failure", "reliability_score", "notes"}}};
  for (const auto& [table, columns] : wanted)
    for (const char* column : columns)
      EXPECT_EQ(
          must(connection->query(
                   "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'pandora' AND table_name = $1"
                   " AND column_name = $2",
                   table, column))
              .integer(0, 0),
          1)
          << table << "." << column;
}

}  // namespace
}  // namespace pandora::testing
