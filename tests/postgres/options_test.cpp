#include <gtest/gtest.h>

#include "contract/expect.h"
#include "postgres/postgres_error.h"
#include "postgres/postgres_options.h"

namespace pandora {
namespace {

TEST(PostgresOptions, TheNamesOfTheSpecificationBecomeWhatLibpqReads) {
  PostgresOptions options;
  options.host = "db.example.com", options.port = 6000, options.database = "memory", options.user = "ana";
  options.password = "s3cret", options.tls_mode = "verify-full", options.tls_root = "/ca.pem";
  const auto parameters = must(connection_parameters(options));
  EXPECT_EQ(parameters.at("host"), "db.example.com");
  EXPECT_EQ(parameters.at("port"), "6000");
  EXPECT_EQ(parameters.at("dbname"), "memory");
  EXPECT_EQ(parameters.at("user"), "ana");
  EXPECT_EQ(parameters.at("password"), "s3cret");
  EXPECT_EQ(parameters.at("sslmode"), "verify-full");
  EXPECT_EQ(parameters.at("sslrootcert"), "/ca.pem");
  EXPECT_EQ(place_of(parameters), "db.example.com:6000/memory as ana");
}

TEST(PostgresOptions, AUrlBeatsTheOthersAndWhatItLeavesOutIsOurDefault) {
  PostgresOptions options;
  options.host = "elsewhere";
  options.url = "postgresql://ana:p%40ss@db/memory?sslmode=require";
  auto parameters = must(connection_parameters(options));
  EXPECT_EQ(place_of(parameters), "db:5432/memory as ana");
  EXPECT_EQ(parameters.at("password"), "p@ss");
  EXPECT_EQ(parameters.at("sslmode"), "require");
  options.url = "postgresql://";
  EXPECT_EQ(place_of(must(connection_parameters(options))), "localhost:5432/pandora as pandora");
}

TEST(PostgresOptions, AUrlThatIsNoneIsRefusedWithoutBeingQuoted) {
  for (const char* url : {"postgresql://ana:s3cret@[db", "mysql://ana:s3cret@db", "postgresql://ana:s3cret%@db"}) {
    PostgresOptions options;
    options.url = url;
    const auto refused = connection_parameters(options);
    ASSERT_FALSE(refused) << url;
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(refused.error().to_line().find("s3cret"), std::string::npos);
  }
}

TEST(PostgresErrors, EachConditionHasACodeAndItsRemedy) {
  struct Case {
    const char* state;
    ErrorCode code;
    const char* remedy;
  };
  for (const Case& one : {Case{"28P01", ErrorCode::kUnauthenticated, "POSTGRES_PASSWORD"},
                          Case{"28000", ErrorCode::kUnauthenticated, "pg_hba"},
                          Case{"3D000", ErrorCode::kNotFound, "createdb"},
                          Case{"53300", ErrorCode::kResourceExhausted, "max_connections"},
                          Case{"53100", ErrorCode::kStorageFull, "room"},
                          Case{"53200", ErrorCode::kUnavailable, "log"},
                          Case{"57014", ErrorCode::kDeadlineExceeded, ""},
                          Case{"57P01", ErrorCode::kUnavailable, "by itself"},
                          Case{"08006", ErrorCode::kUnavailable, "by itself"},
                          Case{"25006", ErrorCode::kPermissionDenied, "standby"},
                          Case{"42501", ErrorCode::kPermissionDenied, "grant"},
                          Case{"42P01", ErrorCode::kIncompatible, "db migrate"},
                          Case{"42601", ErrorCode::kInternal, ""},
                          Case{"26000", ErrorCode::kUnavailable, "pool_mode"},
                          Case{"23505", ErrorCode::kConflict, ""},
                          Case{"23514", ErrorCode::kInvalidArgument, ""},
                          Case{"22P02", ErrorCode::kInvalidArgument, ""},
                          Case{"2200H", ErrorCode::kResourceExhausted, ""},
                          Case{"40P01", ErrorCode::kUnavailable, "again"},
                          Case{"XX001", ErrorCode::kDataCorrupt, "backup"},
                          Case{"", ErrorCode::kUnavailable, "by itself"},
                          Case{"99999", ErrorCode::kUnavailable, ""}}) {
    const Error error = postgres_error(one.state, "it said so", "db:5432/x as y");
    EXPECT_EQ(error.code, one.code) << one.state;
    EXPECT_NE(error.remedy.find(one.remedy), std::string::npos) << one.state << ": " << error.remedy;
    EXPECT_NE(error.message.find("db:5432/x as y"), std::string::npos);
  }
}

// What libpq says of a connection that was refused; the word of its severity is in the server's language.
TEST(PostgresErrors, AConnectionThatIsRefusedIsReadInAnyLanguage) {
  struct Case {
    const char* said;
    ErrorCode code;
    const char* remedy;
  };
  for (const Case& one :
       {Case{"connection to server at \"db\", port 5432 failed: FATAL:  28P01: password authentication failed for user",
             ErrorCode::kUnauthenticated, "POSTGRES_PASSWORD"},
        Case{"connection to server at \"db\" failed: ВАЖНО:  28P01: пользователь не прошёл проверку\nLOCATION:  x, "
             "y.c:1",
             ErrorCode::kUnauthenticated, "POSTGRES_PASSWORD"},
        Case{"FATAL:  3D000: Datenbank »x« existiert nicht", ErrorCode::kNotFound, "createdb"},
        Case{"致命错误:  53300: 客户端已经太多了", ErrorCode::kResourceExhausted, "max_connections"},
        Case{"a host:  wrong: Connection refused\n\tIs the server running?", ErrorCode::kUnavailable, "running"},
        Case{"it says:  28P0", ErrorCode::kUnavailable, "running"}, Case{"", ErrorCode::kUnavailable, "running"}}) {
    const Error error = connect_error(one.said, "db:5432/x as y");
    EXPECT_EQ(error.code, one.code) << one.said;
    EXPECT_NE(error.remedy.find(one.remedy), std::string::npos) << one.said << ": " << error.remedy;
    EXPECT_EQ(error.message.find("LOCATION"), std::string::npos);
  }
}

}  // namespace
}  // namespace pandora
