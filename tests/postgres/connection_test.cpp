#include <cmath>
#include <limits>

#include <gmock/gmock.h>

#include "postgres/postgres_case.h"
#include "postgres/postgres_connection.h"
#include "support/raw_tcp.h"
#include "support/tcp_gate.h"

namespace pandora::testing {
namespace {

using ::testing::HasSubstr;

class PostgresConnectionCase : public PostgresCase {};

TEST_F(PostgresConnectionCase, ValuesComeBackAsTheyWere) {
  const auto connection = connect();
  const std::string bytes("\0\xff\\'\"", 5);
  const Uuid id = must(Uuid::parse("01234567-89ab-cdef-0123-456789abcdef"));
  const auto rows = must(
      connection->query("SELECT $1::bigint, $2::text, $3::double precision, $4::bool, $5::uuid, $6::bytea, $7::text,"
                        " (extract(epoch FROM $8::timestamptz) * 1000000)::bigint",
                        INT64_MIN, "ä \"quoted\" \\ 🐼", 1.0 / 3, true, id, PostgresBytes{bytes},
                        std::optional<std::string>(), Timestamp{1'767'600'000'000'001}));
  ASSERT_EQ(rows.size(), 1);
  EXPECT_EQ(rows.integer(0, 0), INT64_MIN);
  EXPECT_EQ(rows.text(0, 1), "ä \"quoted\" \\ 🐼");
  EXPECT_EQ(rows.number(0, 2), 1.0 / 3);
  EXPECT_TRUE(rows.boolean(0, 3));
  EXPECT_EQ(must(rows.uuid(0, 4)), id);
  EXPECT_EQ(rows.bytes(0, 5), bytes);
  EXPECT_TRUE(rows.is_null(0, 6));
  EXPECT_EQ(rows.time(0, 7), Timestamp{1'767'600'000'000'001});
}

TEST_F(PostgresConnectionCase, ArraysBecomeRows) {
  const auto connection = connect();
  const std::vector<std::string> texts = {"plain", "with \"quotes\"", "back\\slash", "{braces}, comma", "", "NULL"};
  const auto rows = must(connection->query("SELECT unnest($1::text[])", texts));
  ASSERT_EQ(rows.size(), static_cast<int>(texts.size()));
  for (int i = 0; i < rows.size(); ++i) EXPECT_EQ(rows.text(i, 0), texts[static_cast<std::size_t>(i)]);
  EXPECT_TRUE(must(connection->query("SELECT unnest($1::text[])", std::vector<std::string>{})).empty());
}

TEST_F(PostgresConnectionCase, ArraysOfEachTypeComeWhole) {
  const auto connection = connect();
  const Uuid id = Uuid::parse("01900000-0000-7000-8000-0000000000ff").value();
  const std::string bytes("\0\xff{,}", 5);
  const auto rows = must(connection->query(
      "SELECT i, d, o IS NULL, o, b, (extract(epoch FROM t) * 1000000)::bigint, u, x, y FROM unnest($1::bigint[],"
      " $2::float8[], $3::float8[], $4::bool[], $5::timestamptz[], $6::uuid[], $7::text[], $8::bytea[])"
      " AS each (i, d, o, b, t, u, x, y)",
      std::vector<std::int64_t>{std::numeric_limits<std::int64_t>::min(), -1, std::numeric_limits<std::int64_t>::max()},
      std::vector<double>{0.1 + 0.2, -std::numeric_limits<double>::infinity(), 5e-324},
      std::vector<std::optional<double>>{std::nullopt, 1.0 / 3, std::nullopt}, std::vector<bool>{true, false, true},
      std::vector<Timestamp>{{-62'135'596'800'000'000}, {0}, {1'767'600'000'000'001}},
      std::vector<Uuid>{id, Uuid(), id},
      std::vector<std::string_view>{"Où \"est\"", "", std::string_view("a\0b\xff", 4)},
      std::vector<PostgresBytes>{{bytes}, {""}, {bytes}}));
  ASSERT_EQ(rows.size(), 3);
  EXPECT_EQ(rows.integer(0, 0), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(rows.integer(1, 0), -1);
  EXPECT_EQ(rows.integer(2, 0), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(rows.number(0, 1), 0.1 + 0.2);
  EXPECT_EQ(rows.text(1, 1), "-Infinity");
  EXPECT_EQ(rows.number(2, 1), 5e-324);
  EXPECT_TRUE(rows.boolean(0, 2));
  EXPECT_EQ(rows.number(1, 3), 1.0 / 3);
  EXPECT_TRUE(rows.boolean(2, 2));
  EXPECT_TRUE(rows.boolean(0, 4));
  EXPECT_FALSE(rows.boolean(1, 4));
  EXPECT_EQ(rows.integer(0, 5), -62'135'596'800'000'000) << "the first day of year 1";
  EXPECT_EQ(rows.integer(1, 5), 0);
  EXPECT_EQ(rows.integer(2, 5), 1'767'600'000'000'001);
  EXPECT_EQ(must(rows.uuid(0, 6)), id);
  EXPECT_EQ(must(rows.uuid(1, 6)), Uuid());
  EXPECT_EQ(rows.text(0, 7), "Où \"est\"");
  EXPECT_EQ(rows.text(1, 7), "");
  EXPECT_EQ(rows.text(2, 7), "a\uFFFDb\uFFFD");
  EXPECT_EQ(rows.bytes(0, 8), bytes);
  EXPECT_EQ(rows.bytes(1, 8), "");
  const auto empty = must(connection->query("SELECT cardinality($1::float8[]), cardinality($2::uuid[])",
                                            std::vector<std::optional<double>>(), std::vector<Uuid>()));
  EXPECT_EQ(empty.integer(0, 0), 0);
  EXPECT_EQ(empty.integer(0, 1), 0);
  EXPECT_FAILS(kInvalidArgument, connection->query("SELECT $1::timestamptz[]",
                                                   std::vector<Timestamp>{{std::numeric_limits<std::int64_t>::min()}}));
}

TEST_F(PostgresConnectionCase, WhatNoTextOfPostgresMayHoldBecomesAMark) {
  const auto connection = connect();
  EXPECT_EQ(must(connection->query("SELECT $1::text", std::string("a\0b\xff", 4))).text(0, 0), "a\uFFFDb\uFFFD");
}

TEST_F(PostgresConnectionCase, StatementsOfOneCallAreOneTransactionAndTheFirstErrorIsGiven) {
  const auto connection = connect();
  must(connection->script("CREATE TABLE t (x integer PRIMARY KEY)"));
  const std::vector<PostgresStatement> twice = {
      {"INSERT INTO t VALUES ($1)", {1}}, {"INSERT INTO t VALUES ($1)", {1}}, {"SELECT 1", {}}};
  EXPECT_FAILS(kConflict, connection->run(twice));
  EXPECT_EQ(connection->failed_with(), "23505");
  EXPECT_EQ(must(connection->query("SELECT count(*) FROM t")).integer(0, 0), 0);
  EXPECT_TRUE(connection->usable()) << "an error of a statement is none of the connection";
  const std::vector<PostgresStatement> both = {{"INSERT INTO t VALUES ($1)", {1}}, {"SELECT x FROM t", {}}};
  const auto rows = must(connection->run(both));
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].changed(), 1);
  EXPECT_EQ(rows[1].integer(0, 0), 1);
}

TEST_F(PostgresConnectionCase, ATransactionIsWholeOrUndone) {
  const auto connection = connect();
  must(connection->script("CREATE TABLE t (x integer)"));
  connection->begin();
  must(connection->query("INSERT INTO t VALUES (1)"));
  connection->rollback();
  EXPECT_EQ(must(connection->query("SELECT count(*) FROM t")).integer(0, 0), 0);
  connection->begin();
  must(connection->query("INSERT INTO t VALUES (1)"));
  const PostgresStatement last{"INSERT INTO t VALUES (2)", {}};
  must(connection->commit({&last, 1}));
  EXPECT_TRUE(connection->usable());
  EXPECT_EQ(must(connection->query("SELECT count(*) FROM t")).integer(0, 0), 2);
  connection->begin();
  must(connection->commit());
  EXPECT_TRUE(connection->usable()) << "nothing was asked, so nothing was begun";
}

TEST_F(PostgresConnectionCase, ThousandsOfStatementsInOnePipelineDoNotBlockEachOther) {
  const auto connection = connect();
  const std::string large(10'000, 'x');
  std::vector<PostgresStatement> many(2'000, {"SELECT $1::text", {large}});
  const auto rows = must(connection->run(many));
  ASSERT_EQ(rows.size(), many.size());
  EXPECT_EQ(rows.back().text(0, 0), large);
}

TEST_F(PostgresConnectionCase, MoreStatementsThanArePreparedStillRun) {
  const auto connection = connect();
  std::vector<std::string> texts;
  for (std::size_t i = 0; i <= kMaxPreparedStatements; ++i) texts.push_back("SELECT " + std::to_string(i));
  for (std::size_t i = 0; i < texts.size(); ++i)
    EXPECT_EQ(must(connection->query(texts[i])).integer(0, 0), static_cast<std::int64_t>(i));
  EXPECT_LE(must(connection->query("SELECT count(*) FROM pg_prepared_statements")).integer(0, 0),
            static_cast<std::int64_t>(kMaxPreparedStatements));
}

TEST_F(PostgresConnectionCase, AnErrorOfAScriptNamesItsLine) {
  const auto connection = connect();
  const auto failed = connection->script("SELECT 1;\n-- ä\nSELECT nonsense;\n");
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message, HasSubstr("line 3"));
}

TEST_F(PostgresConnectionCase, TheServerCancelsWhatTakesTooLongAndTheConnectionGoesOn) {
  const auto connection = connect();
  connection->set_deadline(within(std::chrono::milliseconds(100)));
  EXPECT_FAILS(kDeadlineExceeded, connection->query("SELECT pg_sleep(30)"));
  EXPECT_TRUE(connection->usable());
  connection->set_deadline(kNever);
  EXPECT_EQ(must(connection->query("SELECT current_setting('statement_timeout')")).text(0, 0), "1min")
      << "the limit was that call's";
}

// An index of millions of rows, a VACUUM, or a table that is written anew takes longer than any statement may.
TEST_F(PostgresConnectionCase, AScriptHasNoLimitAndWhatFollowsItHasTheSessions) {
  const auto connection = connect();
  const auto limit = [&] {
    return std::string(must(connection->query("SELECT current_setting('statement_timeout')")).text(0, 0));
  };
  must(connection->script(
      "CREATE TABLE seen (what text); INSERT INTO seen SELECT current_setting('statement_timeout')"));
  EXPECT_EQ(limit(), "1min");
  must(connection->script("BEGIN"));
  EXPECT_EQ(limit(), "0") << "of a transaction that a script began";
  connection->set_deadline(within(std::chrono::seconds(30)));
  EXPECT_EQ(limit(), "0") << "a deadline of one statement is not that of the rest";
  connection->set_deadline(kNever);
  must(connection->script("INSERT INTO seen SELECT current_setting('statement_timeout')"));
  must(connection->script("COMMIT"));
  EXPECT_EQ(limit(), "1min");
  EXPECT_EQ(must(connection->query("SELECT count(*) FROM seen WHERE what = '0'")).integer(0, 0), 2);
  EXPECT_FALSE(connection->script("SELECT nonsense"));
  EXPECT_EQ(connection->failed_with(), "42703");
  EXPECT_EQ(limit(), "1min");
  must(connection->script("BEGIN"));
  EXPECT_FALSE(connection->script("SELECT nonsense"));
  must(connection->script("ROLLBACK"));
  EXPECT_EQ(limit(), "1min");
  must(connection->script("VACUUM seen"));  // which no transaction may hold
}

TEST_F(PostgresConnectionCase, AServerThatSaysNothingIsLeftWhenTheDeadlineHasPassed) {
  TcpGate gate(shared_server().port());
  PostgresOptions through = options();
  through.url = "postgresql://pandora@127.0.0.1:" + std::to_string(gate.port()) + "/" + database;
  const auto connection = must(PostgresConnection::open(through, kNever));
  gate.hold();
  connection->set_deadline(within(std::chrono::milliseconds(50)));
  EXPECT_FAILS(kDeadlineExceeded, connection->query("SELECT 1"));
  EXPECT_FALSE(connection->usable()) << "its answer could come at any time";
  EXPECT_FAILS(kDeadlineExceeded, PostgresConnection::open(through, within(std::chrono::milliseconds(50))));
  through.connect_patience = std::chrono::milliseconds(50);
  EXPECT_FAILS(kUnavailable, PostgresConnection::open(through, kNever));
  gate.release();
}

TEST_F(PostgresConnectionCase, AServerThatIsReadAFewBytesAtATimeIsHeardOutAndLeftWhenTheDeadlineHasPassed) {
  TcpGate gate(shared_server().port());
  PostgresOptions through = options();
  through.url = "postgresql://pandora@127.0.0.1:" + std::to_string(gate.port()) + "/" + database;
  gate.trickle(64);
  const auto connection = must(PostgresConnection::open(through, kNever));
  must(connection->query("CREATE TABLE t (x text)"));
  EXPECT_EQ(must(connection->query("SELECT repeat('x', 2000)")).text(0, 0).size(), 2'000u);
  connection->set_deadline(within(std::chrono::milliseconds(200)));
  EXPECT_FAILS(kDeadlineExceeded, connection->query("SELECT repeat('x', 1000000)"));
  EXPECT_FALSE(connection->usable()) << "the rest of its answer is still to come";
  const auto writer = must(PostgresConnection::open(through, kNever));
  writer->set_deadline(within(std::chrono::milliseconds(200)));
  EXPECT_FAILS(kDeadlineExceeded, writer->query("INSERT INTO t VALUES ($1)", std::string(1'000'000, 'x')));
  EXPECT_FALSE(writer->usable());
  gate.cut();
  gate.trickle(0);
  EXPECT_EQ(must(must(PostgresConnection::open(through, kNever))->query("SELECT count(*) FROM t")).integer(0, 0), 0);
}

// A thread that only wants to give its connection back must not stand there for ever.
TEST_F(PostgresConnectionCase, ARollbackThatIsNotAnsweredEndsAndSoDoesItsConnection) {
  TcpGate gate(shared_server().port());
  PostgresOptions through = options();
  through.url = "postgresql://pandora@127.0.0.1:" + std::to_string(gate.port()) + "/" + database;
  const auto connection = must(PostgresConnection::open(through, kNever));
  connection->begin();
  must(connection->query("SELECT 1"));
  gate.hold();
  connection->rollback();
  EXPECT_FALSE(connection->usable()) << "its answer could come at any time";
  gate.release();

  const auto other = must(PostgresConnection::open(through, kNever));
  other->begin();
  must(other->query("SELECT 1"));
  other->set_deadline(past());
  other->rollback();
  EXPECT_TRUE(other->usable()) << "a deadline that has passed is no reason to close it";
}

TEST_F(PostgresConnectionCase, AConnectionThatIsCutSaysSo) {
  TcpGate gate(shared_server().port());
  PostgresOptions through = options();
  through.url = "postgresql://pandora@127.0.0.1:" + std::to_string(gate.port()) + "/" + database;
  const auto connection = must(PostgresConnection::open(through, kNever));
  EXPECT_FALSE(connection->has_ended());
  gate.cut();
  EXPECT_FAILS(kUnavailable, connection->query("SELECT 1"));
  EXPECT_FALSE(connection->usable());
  gate.refuse(true);
  EXPECT_FAILS(kUnavailable, PostgresConnection::open(through, kNever));
}

TEST_F(PostgresConnectionCase, ACallWhoseDeadlineHasPassedDoesNothing) {
  const auto connection = connect();
  connection->set_deadline(past());
  EXPECT_FAILS(kDeadlineExceeded, connection->query("SELECT 1"));
  EXPECT_TRUE(connection->usable());
  EXPECT_FAILS(kDeadlineExceeded, PostgresConnection::open(options(), past()));
}

TEST_F(PostgresConnectionCase, NobodyListens) {
  PostgresOptions nobody;
  nobody.host = "127.0.0.1", nobody.port = 1;
  const auto refused = PostgresConnection::open(nobody, kNever);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(refused.error().to_line(), HasSubstr("127.0.0.1:1/pandora as pandora"));
}

TEST_F(PostgresConnectionCase, ADatabaseThatIsNotThereAndOneOfAnotherEncoding) {
  PostgresOptions missing = options();
  missing.url = shared_server().url("nowhere");
  EXPECT_FAILS(kNotFound, PostgresConnection::open(missing, kNever));
  shared_server().sql("postgres", "CREATE DATABASE latin OWNER pandora ENCODING 'SQL_ASCII' TEMPLATE template0");
  missing.url = shared_server().url("latin");
  const auto refused = PostgresConnection::open(missing, kNever);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kIncompatible);
  EXPECT_THAT(refused.error().to_line(), HasSubstr("SQL_ASCII"));
}

// It says who it is before anything is asked of it.
TEST(PostgresConnection, AServerThatIsTooOldIsRefusedWithWhatHelps) {
  const auto message = [](char kind, const std::string& body) {
    const auto length = static_cast<std::uint32_t>(body.size() + 4);
    std::string bytes(1, kind);
    for (const int shift : {24, 16, 8, 0}) bytes += static_cast<char>(length >> shift);
    return bytes + body;
  };
  const auto parameter = [&](const std::string& name, const std::string& value) {
    return message('S', name + '\0' + value + '\0');
  };
  RawServer server([&](RawConnection& peer, int) {
    const std::string head = peer.receive(4);
    if (head.size() < 4) return;
    const auto byte = [&](std::size_t at) { return static_cast<std::size_t>(static_cast<unsigned char>(head[at])); };
    (void)peer.receive((byte(2) << 8 | byte(3)) - 4);
    peer.send(message('R', std::string(4, '\0')) + parameter("server_version", "14.19") +
              parameter("server_encoding", "UTF8") + message('Z', "I"));
    (void)peer.receive_all();
  });
  PostgresOptions options;
  options.url =
      "postgresql://pandora@127.0.0.1:" + std::to_string(server.port()) + "/pandora?sslmode=disable&gssencmode=disable";
  const auto refused = PostgresConnection::open(options, kNever);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kIncompatible);
  EXPECT_THAT(refused.error().message, HasSubstr("is version 14"));
  EXPECT_THAT(refused.error().remedy, HasSubstr(std::to_string(kOldestPostgres) + " or newer"));
}

TEST_F(PostgresConnectionCase, AWrongPasswordIsNamedAndNotShown) {
  PostgresServer guarded({.programs = {}, .settings = {}, .durable = false, .password = "the right one"});
  PostgresOptions given;
  given.host = "127.0.0.1", given.port = guarded.port(), given.password = "a wrong one";
  const auto refused = PostgresConnection::open(given, kNever);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnauthenticated);
  EXPECT_THAT(refused.error().to_line(), HasSubstr("POSTGRES_PASSWORD"));
  EXPECT_EQ(refused.error().to_line().find("a wrong one"), std::string::npos);
  given.password = "the right one";
  EXPECT_TRUE(PostgresConnection::open(given, kNever));
}

TEST_F(PostgresConnectionCase, AServerWithoutAFreeConnectionOrThatIsReadOnlySaysSo) {
  shared_server().sql("postgres", "ALTER DATABASE " + database + " CONNECTION LIMIT 1");
  const auto only = connect();
  EXPECT_FAILS(kResourceExhausted, PostgresConnection::open(options(), kNever));
  EXPECT_FALSE(only->is_read_only());
  shared_server().sql("postgres", "ALTER DATABASE " + database + " CONNECTION LIMIT 9");
  shared_server().sql("postgres", "ALTER DATABASE " + database + " SET default_transaction_read_only = on");
  const auto reader = connect();
  EXPECT_TRUE(reader->is_read_only());
  const auto refused = reader->script("CREATE TABLE t ()");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kPermissionDenied);
  EXPECT_THAT(refused.error().remedy, HasSubstr("primary"));
}

TEST_F(PostgresConnectionCase, CommitsWaitForTheDiskWhateverTheServersDefault) {
  shared_server().sql("postgres", "ALTER DATABASE " + database + " SET synchronous_commit = off");
  EXPECT_EQ(must(connect()->query("SELECT current_setting('synchronous_commit')")).text(0, 0), "on");
}

}  // namespace
}  // namespace pandora::testing
