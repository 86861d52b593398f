#include "net/http_server.h"

#include <fstream>
#include <future>
#include <mutex>
#include <set>
#include <stdexcept>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/server_case.h"

namespace pandora {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using namespace testing;  // our doubles
using namespace std::chrono_literals;

using HttpServerTest = ServerCase;

TEST_F(HttpServerTest, AnswersOneRequestAfterTheOtherOnOneConnection) {
  listen();
  const auto client = connect();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client->send(get("/hello")));
    const std::string answer = client->receive_response();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(answer, EndsWith("\r\n\r\nhello"));
  }
  ASSERT_TRUE(client->send(post("/pool", "work")));
  EXPECT_THAT(client->receive_response(), EndsWith("\r\n\r\npool work"));
  ASSERT_TRUE(client->send(get("/hello", "Connection: close\r\n")));
  EXPECT_THAT(client->receive_all(), HasSubstr("Connection: close"));
  EXPECT_EQ(server_->stats().accepted, 1u);
  EXPECT_EQ(server_->stats().requests, 5u);
}

TEST_F(HttpServerTest, ReadsARequestHoweverItIsCut) {
  listen();
  const auto client = connect();
  ASSERT_TRUE(client->send_sliced(post("/echo", "sliced")));
  EXPECT_THAT(client->receive_response(), EndsWith("POST sliced"));
  ASSERT_TRUE(
      client->send_sliced("POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
                          "chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"));
  EXPECT_THAT(client->receive_response(), EndsWith("POST abcdefg"));
}

TEST_F(HttpServerTest, RequestsThatAreSentAheadAreAnsweredInOrder) {
  listen();
  const auto client = connect();
  std::string all = "\r\n";  // an empty line before a request is forgiven
  for (int i = 0; i < 200; ++i) all += post(i % 2 == 0 ? "/echo" : "/pool", std::to_string(i));
  ASSERT_TRUE(client->send(all));
  for (int i = 0; i < 200; ++i)
    ASSERT_THAT(client->receive_response(), EndsWith((i % 2 == 0 ? "POST " : "pool ") + std::to_string(i))) << i;
}

TEST_F(HttpServerTest, AnswersHeadWithoutABody) {
  listen();
  const auto client = connect();
  ASSERT_TRUE(client->send("HEAD /hello HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  EXPECT_THAT(client->receive_until("\r\n\r\n"), HasSubstr("Content-Length: 5\r\n"));
  ASSERT_TRUE(client->send(get("/hello", "Connection: close\r\n")));
  EXPECT_THAT(client->receive_all(), StartsWith("HTTP/1.1 200 OK"));  // no byte of the body was in between
}

TEST_F(HttpServerTest, EveryAnswerCarriesARequestId) {
  listen();
  EXPECT_THAT(ask(get("/hello", "X-Request-Id: my-id_1.2\r\n")), HasSubstr("X-Request-Id: my-id_1.2\r\n"));
  EXPECT_THAT(ask(get("/nowhere", "X-Request-Id: mine\r\n")), HasSubstr("X-Request-Id: mine\r\n"));
  for (const char* unfit : {"../../etc", "a b", "", "<script>"}) {
    const std::string answer = ask(get("/hello", std::string("X-Request-Id: ") + unfit + "\r\n"));
    EXPECT_THAT(answer, ::testing::ContainsRegex("X-Request-Id: [0-9a-f]{8}-[0-9a-f]{4}-7")) << unfit;
  }
  EXPECT_THAT(ask("nonsense\r\n\r\n"), HasSubstr("X-Request-Id: "));
}

TEST_F(HttpServerTest, AnErrorHasOpenAisShapeAlsoForWhatTheParserRefuses) {
  listen();
  EXPECT_THAT(
      ask(get("/nowhere")),
      EndsWith(
          R"({"error":{"message":"nothing is at /nowhere","type":"not_found_error","param":null,"code":"not_found"}})"));
  const std::string refused = ask("GET / HTTP/2.0\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 505 HTTP Version Not Supported\r\n"));
  EXPECT_THAT(refused, HasSubstr(R"({"error":{"message":")"));
  EXPECT_THAT(refused, HasSubstr("Connection: close"));
}

TEST_F(HttpServerTest, AStreamArrivesPieceByPiece) {
  listen();
  const auto client = connect();
  ASSERT_TRUE(client->send(get("/held")));
  const Writer writer = take_held();
  writer->start(200, {{"Content-Type", "text/event-stream"}});
  EXPECT_THAT(client->receive_until("\r\n\r\n"), HasSubstr("Transfer-Encoding: chunked\r\n"));
  for (const char* piece : {"one", "two", "three"}) {  // each is here before the next is written
    EXPECT_EQ(writer->write(piece), WriteState::kMore);
    EXPECT_THAT(client->receive_until(piece), HasSubstr(piece));
  }
  writer->finish();
  EXPECT_EQ(client->receive(7), "\r\n0\r\n\r\n");
  ASSERT_TRUE(client->send(get("/hello")));  // and the connection goes on
  EXPECT_THAT(client->receive_response(), EndsWith("hello"));
  EXPECT_EQ(writer->write("late"), WriteState::kGone);
}

TEST_F(HttpServerTest, AStreamMayPromiseItsLengthAndMustKeepIt) {
  listen();
  auto client = connect();
  ASSERT_TRUE(client->send(get("/held")));
  Writer writer = take_held();
  writer->start(200, {{"Content-Length", "6"}});
  writer->write("abc");
  writer->write("def");
  writer->finish();
  EXPECT_THAT(client->receive_response(), EndsWith("\r\n\r\nabcdef"));
  for (const char* wrong : {"ab", "abcdefg"}) {
    ASSERT_TRUE(client->send(get("/held")));
    writer = take_held();
    writer->start(200, {{"Content-Length", "6"}});
    writer->write(wrong);
    writer->finish();
    EXPECT_THAT(client->receive_all(), Not(HasSubstr("abcdefg")));  // cut: the client sees that something is wrong
    client = connect();
  }
}

TEST_F(HttpServerTest, AnOldClientGetsAStreamThatEndsWithTheConnection) {
  listen();
  const auto client = connect();
  ASSERT_TRUE(client->send("GET /held HTTP/1.0\r\nHost: localhost\r\n\r\n"));
  const Writer writer = take_held();
  writer->start(200, {});
  writer->write("old");
  writer->finish();
  const std::string answer = client->receive_all();
  EXPECT_THAT(answer, Not(HasSubstr("chunked")));
  EXPECT_THAT(answer, EndsWith("\r\n\r\nold"));
}

TEST_F(HttpServerTest, AWriterThatIsDroppedIsAnErrorOrACut) {
  listen();
  const auto client = connect();
  ASSERT_TRUE(client->send(get("/held")));
  take_held().reset();
  EXPECT_THAT(client->receive_response(), StartsWith("HTTP/1.1 500"));
  ASSERT_TRUE(client->send(get("/held")));
  {
    const Writer writer = take_held();
    writer->start(200, {});
    writer->write("half");
  }
  EXPECT_THAT(client->receive_all(), EndsWith("4\r\nhalf\r\n"));  // no last chunk
}

TEST_F(HttpServerTest, AHandlerThatThrowsIsAnswered500) {
  routes_.on("/throws", [](HttpRequest, Writer) { throw std::runtime_error("secret detail"); });
  routes_.on("/throws-there", [](HttpRequest, Writer) { throw std::runtime_error("secret detail"); }, RunOn::kPool);
  listen();
  for (const char* path : {"/throws", "/throws-there"}) {
    const std::string answer = ask(get(path));
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 500"));
    EXPECT_THAT(answer, Not(HasSubstr("secret")));
  }
}

TEST_F(HttpServerTest, ASlowReaderPausesItsWriter) {
  listen();
  const auto client = connect(4096);
  ASSERT_TRUE(client->send(get("/held")));
  const Writer writer = take_held();
  writer->start(200, {{"Content-Type", "text/plain"}});
  const std::string piece(16 * 1024, 'p');
  std::size_t written = 0;
  ASSERT_TRUE(eventually([&] {
    written += piece.size();
    return writer->write(piece) == WriteState::kPause;
  }));
  EXPECT_EQ(writer->wait_writable(Deadline::after(clock_, -1us)).error().code, ErrorCode::kDeadlineExceeded);
  std::promise<void> writable;
  writer->when_writable([&] { writable.set_value(); });
  std::thread reader([&] { EXPECT_THAT(client->receive_until("\r\n0\r\n\r\n"), EndsWith("\r\n0\r\n\r\n")); });
  writable.get_future().wait();
  EXPECT_TRUE(writer->wait_writable(Deadline::never()));
  EXPECT_GE(written, HttpServerLimits().response_high_water);
  writer->finish();
  reader.join();  // until then time stands still: who reads is not to be cut off for one that stopped
  EXPECT_TRUE(turns_idle());
  EXPECT_EQ(client->receive_all(), "");
}

TEST_F(HttpServerTest, AClientThatLeavesIsSignalled) {
  std::promise<Status> waited;
  routes_.on(
      "/waits",
      [&](HttpRequest, const Writer& writer) {
        writer->start(200, {});
        Status status;
        while (status) {
          status = writer->write(std::string(16 * 1024, 'x')) == WriteState::kGone
                       ? Status(fail(ErrorCode::kCancelled, ""))
                       : writer->wait_writable(Deadline::never());
        }
        waited.set_value(status);
      },
      RunOn::kPool);
  listen();
  auto client = connect();
  ASSERT_TRUE(client->send(get("/held")));
  const Writer writer = take_held();
  std::promise<void> gone;
  writer->when_gone([&] { gone.set_value(); });
  EXPECT_FALSE(writer->gone());
  client.reset();  // before the first byte of an answer
  gone.get_future().wait();
  EXPECT_TRUE(writer->gone());
  std::promise<void> at_once;
  writer->when_gone([&] { at_once.set_value(); });
  at_once.get_future().wait();

  client = connect(4096);
  ASSERT_TRUE(client->send(get("/waits")));
  client->receive(1000);
  client->reset();
  EXPECT_EQ(waited.get_future().get().error().code, ErrorCode::kCancelled);
}

TEST_F(HttpServerTest, AClientThatClosedOnlyItsSendingSideStillGetsItsAnswer) {
  listen();
  const auto client = connect();
  ASSERT_TRUE(client->send(get("/held")));
  client->end_sending();
  const Writer writer = take_held();
  ASSERT_TRUE(eventually([&] { return writer->gone(); }));  // it may have left: whoever answers decides
  writer->respond(text_response("nevertheless"));
  EXPECT_THAT(client->receive_all(), EndsWith("nevertheless"));
  for (const char* part : {"GET / HT", "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nabc"}) {
    const auto half = connect();
    ASSERT_TRUE(half->send(part));
    half->end_sending();
    EXPECT_THAT(half->receive_all(), StartsWith("HTTP/1.1 400")) << part;
  }
  const auto silent = connect();
  silent->end_sending();
  EXPECT_EQ(silent->receive_all(), "");
}

TEST_F(HttpServerTest, DrainsWhatIsUnderWay) {
  listen();
  const std::uint16_t port = server_->port();
  auto idle = connect(), busy = connect();
  ASSERT_TRUE(idle->send(get("/hello")));
  idle->receive_response();
  ASSERT_TRUE(busy->send(get("/held")));
  const Writer writer = take_held();
  auto drained = std::async(std::launch::async, [&] { return server_->drain(Deadline::never()); });
  EXPECT_EQ(idle->receive_all(), "");
  ASSERT_TRUE(eventually([&] { return connect_raw(port) == nullptr; }));
  writer->respond(text_response("finished"));
  const std::string answer = busy->receive_all();
  EXPECT_THAT(answer, HasSubstr("Connection: close"));
  EXPECT_THAT(answer, EndsWith("finished"));
  busy.reset();
  EXPECT_TRUE(drained.get());
}

TEST_F(HttpServerTest, DrainingEndsAtItsDeadline) {
  listen();
  const auto busy = connect();
  ASSERT_TRUE(busy->send(get("/held")));
  const Writer writer = take_held();
  const Deadline deadline = Deadline::after(clock_, 5s);
  auto drained = std::async(std::launch::async, [&] { return server_->drain(deadline); });
  clock_.advance(6s);
  EXPECT_EQ(drained.get().error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(busy->receive_all(), "");
  EXPECT_TRUE(writer->gone());
}

TEST_F(HttpServerTest, EndsUnderLoad) {
  routes_.on(
      "/stream",
      [](HttpRequest, const Writer& writer) {
        writer->start(200, {});
        for (int i = 0; i < 1000 && writer->write("some text") != WriteState::kGone; ++i)
          if (!writer->wait_writable(Deadline::never())) return;
        writer->finish();
      },
      RunOn::kPool);
  listen();
  std::atomic<bool> stop = false;
  std::atomic<int> answered = 0;
  std::vector<std::thread> load;
  for (int i = 0; i < 8; ++i)
    load.emplace_back([&, port = server_->port(), path = i % 2 == 0 ? "/hello" : "/stream"] {
      while (!stop) {
        const auto client = connect_raw(port);
        if (!client) continue;
        client->send(get(path, "Connection: close\r\n"));
        if (!client->receive_all().empty()) ++answered;
      }
    });
  ASSERT_TRUE(eventually([&] { return answered > 100; }));
  server_.reset();
  stop = true;
  for (auto& thread : load) thread.join();
}

TEST_F(HttpServerTest, WriterOutlivesItsServer) {
  listen();
  const auto client = connect();
  ASSERT_TRUE(client->send(get("/held")));
  const Writer writer = take_held();
  writer->start(200, {});
  server_.reset();
  EXPECT_TRUE(writer->gone());
  EXPECT_EQ(writer->write("x"), WriteState::kGone);
  writer->finish();
}

TEST_F(HttpServerTest, ManyThreadsWriteAndOneLoopSends) {
  routes_.on(
      "/count",
      [](HttpRequest, const Writer& writer) {
        writer->start(200, {});
        for (int i = 0; i < 200; ++i) {
          if (writer->write(std::to_string(i) + ",") == WriteState::kGone) return;
          if (!writer->wait_writable(Deadline::never())) return;
        }
        writer->finish();
      },
      RunOn::kPool);
  listen();
  std::vector<std::future<std::string>> answers;
  for (int i = 0; i < 16; ++i)
    answers.push_back(std::async(std::launch::async, [&] {
      const auto client = connect();
      client->send(get("/count", "Connection: close\r\n"));
      return client->receive_all();
    }));
  for (auto& answer : answers) {
    const std::string text = answer.get();
    EXPECT_THAT(text, HasSubstr("199,"));
    EXPECT_THAT(text, EndsWith("\r\n0\r\n\r\n"));
  }
}

TEST_F(HttpServerTest, SaysThatAPortIsTakenAndThatAnAddressIsNone) {
  HttpServerOptions options;
  options.port = listen().port();
  const auto taken = HttpServer::listen(options, threads_, routes_, random_);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, ErrorCode::kConflict);
  EXPECT_THAT(taken.error().to_line(), HasSubstr(std::to_string(options.port)));
  options.address = "my-machine";
  EXPECT_EQ(HttpServer::listen(options, threads_, routes_, random_).error().code, ErrorCode::kInvalidArgument);
  options = {};
  options.tls = TlsFiles{"/nowhere/cert.pem", "/nowhere/key.pem"};
  EXPECT_EQ(HttpServer::listen(options, threads_, routes_, random_).error().code, ErrorCode::kInvalidArgument);
}

TEST(HttpServerThreads, SeveralThreadsShareTheConnections) {
  SystemClock clock;
  SeededRandom random(3);
  IoThreads threads(clock, 3);
  Routes routes;
  std::mutex mutex;
  std::set<std::thread::id> seen;
  routes.on("/", [&](HttpRequest, const Writer& writer) {
    {
      const std::lock_guard lock(mutex);
      seen.insert(std::this_thread::get_id());
    }
    writer->respond(text_response("x"));
  });
  const auto server = HttpServer::listen({}, threads, routes, random);
  ASSERT_TRUE(server);
  for (int i = 0; i < 6; ++i) {
    const auto client = connect_raw((*server)->port());
    ASSERT_TRUE(client->send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    EXPECT_THAT(client->receive_response(), EndsWith("x"));
  }
  EXPECT_EQ(seen.size(), 3u);
}

std::size_t resident_bytes() {
  std::ifstream status("/proc/self/statm");
  std::size_t total = 0, resident = 0;
  status >> total >> resident;
  return resident * 4096;
}

TEST_F(HttpServerTest, AThousandIdleStreamsAreCheapAndHoldNoThread) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers keep freed memory";
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  GTEST_SKIP() << "sanitizers keep freed memory";
#endif
#endif
  constexpr std::size_t kStreams = 1000, kBytesEach = 24 * 1024;
  if (allow_descriptors(2 * kStreams + 100) < 2 * kStreams + 100)
    GTEST_SKIP() << "this system allows too few descriptors";
  listen();
  {
    const std::lock_guard lock(mutex_);
    held_.reserve(kStreams);
  }
  std::vector<std::unique_ptr<RawConnection>> clients;
  clients.reserve(kStreams);
  const std::size_t before = resident_bytes();
  for (std::size_t i = 0; i < kStreams; ++i) {
    clients.push_back(connect());
    ASSERT_TRUE(clients.back()->send(get("/held")));
  }
  ASSERT_TRUE(eventually([&] { return held() == kStreams; }));
  for (const auto& writer : held_) {
    writer->start(200, {{"Content-Type", "text/event-stream"}});
    writer->write("data: " + std::string(2000, 'x') + "\n\n");
  }
  for (const auto& client : clients) client->receive_until("\n\n");
  const std::size_t grown = resident_bytes() - before;
  RecordProperty("bytes_a_stream", static_cast<int>(grown / kStreams));
  EXPECT_LE(grown / kStreams, kBytesEach);
  std::size_t thread_count = 0;
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("Threads:")) thread_count = std::stoul(line.substr(8));
  EXPECT_LE(thread_count, 16u);
}

}  // namespace
}  // namespace pandora
