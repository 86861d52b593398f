// One connection: how a server is named, signed in to, looked at, and every way in which it is not as it should be.
#include <gmock/gmock.h>

#include "contract/expect.h"
#include "redis/redis_connection.h"
#include "support/raw_tcp.h"
#include "support/redis_process.h"
#include "support/slow_names.h"
#include "support/tcp_gate.h"

namespace pandora {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::RedisProcess;
using namespace std::chrono_literals;

class RedisConnectionTest : public ::testing::Test {
 protected:
  static RedisOptions at(const std::string& url) {
    RedisOptions options;
    options.url = url;
    return options;
  }
  static RedisOptions at(std::uint16_t port) { return at("redis://127.0.0.1:" + std::to_string(port)); }
  Result<std::unique_ptr<RedisConnection>> connect(const RedisOptions& options, Duration patience = 20s) {
    PANDORA_TRY(server, RedisServer::create(options));
    return server->connect(Deadline::after(clock_, patience));
  }
  static std::vector<RedisReply> run(RedisConnection& connection, const std::vector<RedisCommand>& commands) {
    return must(connection.run(commands, kNever));
  }
  const SystemClock clock_;
};

std::string place(const std::string& url) {
  RedisOptions options;
  options.url = url;
  return must(RedisServer::create(options))->place();
}

TEST_F(RedisConnectionTest, AUrlSaysWhereItIsAndAsWhom) {
  EXPECT_EQ(place("redis://cache"), "cache:6379/0 as default");
  EXPECT_EQ(place("redis://cache:7000/3"), "cache:7000/3 as default");
  EXPECT_EQ(place("redis://pandora:a%40b%2Fc@cache/"), "cache:6379/0 as pandora");
  EXPECT_EQ(place("redis://:secret@[::1]:7000"), "[::1]:7000/0 as default");
  const auto server = must(RedisServer::create(at("rediss://me:a%40b%3A@cache:1/2")));
  EXPECT_TRUE(server->options().tls);
  EXPECT_EQ(server->options().password, "a@b:");
  EXPECT_EQ(server->options().database, 2);
  RedisOptions parts;
  parts.host = "elsewhere", parts.user = "u";
  EXPECT_EQ(must(RedisServer::create(parts))->place(), "elsewhere:6379/0 as u");
}

TEST_F(RedisConnectionTest, AUrlThatIsNoneIsRefusedAndNotRepeated) {
  for (const std::string url :
       {"http://secret@h", "redis:/secret", "redis://", "redis://:secret@", "redis://secret@h:0",
        "redis://secret@h:65536", "redis://secret@h:x", "redis://h/secret", "redis://h/65536", "redis://h?secret=1",
        "redis://secret%zz@h", "redis://[::1secret", "redis://h secret"}) {
    const auto server = RedisServer::create(at(url));
    EXPECT_FAILS(kInvalidArgument, server) << url;
    if (server) continue;
    EXPECT_THAT(server.error().to_line(), Not(HasSubstr("secret"))) << url;
  }
  must(RedisServer::create(at("redis://h:65535/65535")));
}

TEST_F(RedisConnectionTest, ANameThatIsNotFoundInTimeHoldsNobodyPastHisDeadline) {
  const RedisProcess server;
  testing::SlowNames slow(clock_);
  RedisOptions options = at("redis://cache.test:" + std::to_string(server.port()));
  options.names = slow.names();
  slow.hang(true);
  const auto late = connect(options, 100ms);
  EXPECT_FAILS(kDeadlineExceeded, late);
  EXPECT_THAT(late.error().message, HasSubstr("the address of cache.test was not found in time"));
  slow.hang(false);
  EXPECT_EQ(run(*must(connect(options)), {{"ECHO", "a"}}).at(0).text, "a");
  options.url = "redis://nobody.test";
  const auto unknown = connect(options);
  EXPECT_FAILS(kUnavailable, unknown);
  EXPECT_THAT(unknown.error().message, HasSubstr("no address is known for nobody.test"));
  EXPECT_THAT(unknown.error().remedy, HasSubstr("REDIS_HOST"));
}

TEST_F(RedisConnectionTest, CommandsAreAnsweredInOrderInOneRoundTrip) {
  const RedisProcess server;
  const auto connection = must(connect(at(server.url() + "/1")));
  EXPECT_THAT(connection->version(), HasSubstr("."));
  const std::string bytes("a\0\r\n\xff", 5);
  const auto replies = run(*connection, {{"SET", "k", bytes},
                                         {"GET", "k"},
                                         {"GET", "none"},
                                         {"INCR", "k"},
                                         {"RPUSH", "l", "1"},
                                         {"LRANGE", "l", "0", "-1"}});
  using enum RedisReply::Kind;
  EXPECT_EQ(replies[0].text, "OK");
  EXPECT_EQ(replies[1].text, bytes);
  EXPECT_EQ(replies[2].kind, kNothing);
  EXPECT_EQ(replies[3].kind, kError);
  EXPECT_EQ(replies[4].integer, 1);
  EXPECT_EQ(replies[5].list.at(0).text, "1");
  EXPECT_EQ(server.ask({"-n", "1", "EXISTS", "k"}), "1") << "it is in the database that was named";
}

TEST_F(RedisConnectionTest, AnAnswerMayBeAsLongAsItMayAndNoLonger) {
  const RedisProcess server;
  const auto connection = must(connect(at(server.url())));
  const std::string most(kMaxRedisReplyBytes - 64, 'x'), more(kMaxRedisReplyBytes, 'x');
  EXPECT_EQ(run(*connection, {{"ECHO", most}, {"ECHO", most}})[1].text, most);
  const RedisCommand one = {"ECHO", more};
  EXPECT_FAILS(kTooLarge, connection->run({&one, 1}, kNever));
}

TEST_F(RedisConnectionTest, WhoMayNotComeInIsToldWhichSettingHelps) {
  const RedisProcess server(
      {.settings = {"requirepass right", "user pandora on >secret ~pandora:* &pandora:* +@all -@admin -info"},
       .tls_files = ""});
  const std::string host = "127.0.0.1:" + std::to_string(server.port());
  must(connect(at("redis://:right@" + host)));
  for (const std::string who : {"", ":wrong@", "nobody:right@", "pandora:wrong@"}) {
    const auto refused = connect(at("redis://" + who + host));
    EXPECT_FAILS(kUnauthenticated, refused) << who;
    EXPECT_THAT(refused.error().remedy, HasSubstr("REDIS_PASSWORD"));
    EXPECT_THAT(refused.error().to_line(), Not(HasSubstr("wrong")));
  }
  const auto lacks = connect(at("redis://pandora:secret@" + host));
  EXPECT_FAILS(kPermissionDenied, lacks) << "its version cannot be looked at";
  EXPECT_THAT(lacks.error().remedy, HasSubstr("ACL"));
  const RedisProcess open;
  EXPECT_FAILS(kUnauthenticated, connect(at("redis://:a@127.0.0.1:" + std::to_string(open.port()))));
  EXPECT_FAILS(kInvalidArgument, connect(at(open.url() + "/999")));
}

TEST_F(RedisConnectionTest, ACrowdedServerSaysSo) {
  const RedisProcess server({.settings = {"maxclients 1"}, .tls_files = ""});
  const auto one = must(connect(at(server.url())));
  EXPECT_FAILS(kResourceExhausted, connect(at(server.url())));
}

TEST_F(RedisConnectionTest, OverTlsItsCertificateMustBeOfWhomWeTrust) {
  const RedisProcess server({.settings = {}, .tls_files = PANDORA_TLS_FILES});
  RedisOptions options = at("rediss://localhost:" + std::to_string(server.port()));
  options.tls_root = std::string(PANDORA_TLS_FILES) + "/ca.pem";
  {
    const auto connection = must(connect(options));
    EXPECT_TRUE(connection->is_encrypted());
    const std::string long_text(1 << 20, 't');
    EXPECT_EQ(run(*connection, {{"ECHO", long_text}, {"PING"}})[0].text, long_text);
  }
  RedisOptions untrusting = options;
  untrusting.tls_root = "";
  const auto refused = connect(untrusting);
  EXPECT_FAILS(kUnavailable, refused);
  EXPECT_THAT(refused.error().to_line(), HasSubstr("REDIS_TLS_CA"));
  EXPECT_FALSE(connect(at(server.port()))) << "without TLS";
  const RedisProcess plain;
  options.url = "rediss://localhost:" + std::to_string(plain.port());
  const auto mute = connect(options, 200ms);
  EXPECT_FAILS(kDeadlineExceeded, mute) << "it waits for the end of a line";
  EXPECT_THAT(mute.error().remedy, HasSubstr("speak TLS"));
  options.tls_root = "/nonexistent.pem";
  EXPECT_FAILS(kInvalidArgument, RedisServer::create(options));
}

// A server that says these lines to whatever it is asked.
class Scripted {
 public:
  explicit Scripted(std::string info) : info_("$" + std::to_string(info.size()) + "\r\n" + info + "\r\n") {}
  std::uint16_t port() const { return server_.port(); }

 private:
  const std::string info_;
  testing::RawServer server_{[this](testing::RawConnection& connection, int) {
    connection.receive_until("INFO\r\n");
    connection.send_sliced(info_);
    connection.receive_all();
  }};
};

TEST_F(RedisConnectionTest, AVersionThatIsTooOldAClusterAndAReplicaAreNamed) {
  const auto refused = [&](const std::string& info) { return connect(at(Scripted(info).port())); };
  must(refused("redis_version:6.0.0\r\nredis_mode:standalone\r\nrole:master\r\n"));
  must(refused("redis_version:70.1\r\n"));
  EXPECT_FAILS(kIncompatible, refused("redis_version:5.0.14\r\nrole:master\r\n"));
  EXPECT_FAILS(kIncompatible, refused("redis_version:7.2.0\r\nredis_mode:cluster\r\n"));
  EXPECT_FAILS(kUnavailable, refused("redis_version:7.2.0\r\nrole:slave\r\n"));
  EXPECT_FAILS(kUnavailable, refused("some_version:7"));
  const RedisProcess primary,
      replica({.settings = {"replicaof 127.0.0.1 " + std::to_string(primary.port())}, .tls_files = ""});
  const auto of_replica = connect(at(replica.url()));
  EXPECT_FAILS(kUnavailable, of_replica);
  EXPECT_THAT(of_replica.error().remedy, HasSubstr("primary"));
}

TEST_F(RedisConnectionTest, WhatIsNoRedisIsToldFromOne) {
  testing::RawServer http([](testing::RawConnection& connection, int) {
    connection.receive_until("INFO\r\n");
    connection.send("HTTP/1.1 400 Bad Request\r\n\r\n");
  });
  const auto refused = connect(at(http.port()));
  EXPECT_FAILS(kUnavailable, refused);
  EXPECT_THAT(refused.error().message, HasSubstr("no Redis"));
  testing::RawServer silent([](testing::RawConnection& connection, int) { connection.receive_all(); });
  EXPECT_FAILS(kDeadlineExceeded, connect(at(silent.port()), 50ms));
  testing::RawServer closing([](testing::RawConnection&, int) {});
  EXPECT_FAILS(kUnavailable, connect(at(closing.port())));
  EXPECT_FAILS(kUnavailable, connect(at(testing::free_port()))) << "nobody listens";
  EXPECT_FAILS(kUnavailable, connect(at("redis://nowhere.invalid")));
}

TEST_F(RedisConnectionTest, ACutAtAnyByteIsAnErrorAndNeverAWrongAnswer) {
  const RedisProcess server;
  testing::TcpGate gate(server.port());
  const std::int64_t before = gate.passed();
  (void)run(*must(connect(at(gate.port()))), {{"ECHO", "hello"}});
  const std::int64_t whole = gate.passed() - before;
  ASSERT_GT(whole, 20);
  for (std::int64_t bytes = 1; bytes < whole; ++bytes) {
    gate.cut_after(bytes);
    const auto connection = connect(at(gate.port()));
    if (!connection) {
      EXPECT_EQ(connection.error().code, ErrorCode::kUnavailable) << bytes;
      continue;
    }
    const RedisCommand echo = {"ECHO", "hello"};
    EXPECT_FAILS(kUnavailable, (*connection)->run({&echo, 1}, kNever)) << bytes;
    EXPECT_TRUE((*connection)->has_ended());
  }
}

TEST_F(RedisConnectionTest, WhatAServerSaysBecomesAnErrorWithARemedy) {
  const auto code = [](std::string_view text) { return redis_error(text, "here").code; };
  EXPECT_EQ(code("OOM command not allowed when used memory > 'maxmemory'."), ErrorCode::kUnavailable);
  EXPECT_EQ(code("MISCONF Redis is configured to save RDB snapshots"), ErrorCode::kStorageFull);
  EXPECT_EQ(code("READONLY You can't write against a read only replica."), ErrorCode::kUnavailable);
  EXPECT_EQ(code("LOADING Redis is loading the dataset in memory"), ErrorCode::kUnavailable);
  EXPECT_EQ(code("WRONGTYPE Operation against a key holding the wrong kind of value"), ErrorCode::kDataCorrupt);
  // As Redis 6 words what goes wrong within a script.
  EXPECT_THAT(
      redis_error("ERR Error running script (call to f_12): @user_script:3: @user_script: 3: -OOM command not allowed",
                  "here")
          .remedy,
      HasSubstr("maxmemory"));
  EXPECT_EQ(code("ERR something new"), ErrorCode::kUnavailable);
  EXPECT_THAT(redis_error("ERR \x1b[31m\r\nred", "here").message, Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace pandora
