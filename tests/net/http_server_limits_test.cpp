#include <atomic>
#include <future>
#include <latch>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/http_server.h"
#include "net/server_case.h"
#include "net/smuggling_corpus.h"

namespace pandora {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using namespace testing;  // our doubles
using namespace std::chrono_literals;

using HttpServerLimitsTest = ServerCase;

TEST_F(HttpServerLimitsTest, AWriterThatDoesNotPauseIsCutOffAtTheMaximum) {
  HttpServerOptions options;
  options.limits.response_high_water = 1000;
  options.limits.response_bytes = 100'000;
  listen(options);
  const auto client = connect(4096);
  ASSERT_TRUE(client->send(get("/held")));
  const Writer writer = take_held();
  writer->start(200, {});
  ASSERT_TRUE(eventually([&] { return writer->write(std::string(50'000, 'x')) == WriteState::kGone; }));
  ASSERT_TRUE(eventually([&] { return server_->stats().connections == 0; }));
  EXPECT_EQ(server_->stats().cut_off, 1u);
}

TEST_F(HttpServerLimitsTest, AReaderThatStopsIsCutOff) {
  listen();
  const auto client = connect(4096);
  ASSERT_TRUE(client->send(get("/held")));
  const Writer writer = take_held();
  std::promise<void> gone;
  writer->when_gone([&] { gone.set_value(); });
  writer->start(200, {});
  ASSERT_TRUE(eventually([&] { return writer->write(std::string(16 * 1024, 'x')) == WriteState::kPause; }));
  clock_.advance(29s);
  EXPECT_FALSE(writer->gone());
  // What was still on its way when the clock went on gives it another half minute, and the kernel may take all of it.
  ASSERT_TRUE(eventually([&] {
    if (writer->wait_writable(Deadline::after(clock_, -1us))) writer->write(std::string(16 * 1024, 'x'));
    clock_.advance(1s);
    return server_->stats().cut_off == 1;
  }));
  gone.get_future().wait();
  EXPECT_EQ(writer->wait_writable(Deadline::never()).error().code, ErrorCode::kCancelled);
}

TEST_F(HttpServerLimitsTest, RefusesTheSmugglingCorpusAndEndsTheConnection) {
  std::atomic<int> reached = 0;
  routes_.on("/", [&](HttpRequest, const Writer& writer) {
    ++reached;
    writer->respond(text_response("in"));
  });
  routes_.on("/secret", [&](HttpRequest, const Writer& writer) {
    ++reached;
    writer->respond(text_response("secret"));
  });
  listen();
  const std::string follower = get("/secret");
  for (const auto& [name, bytes] : kSmuggledHeads) {
    const auto client = connect();
    client->send(std::string(bytes) + "0\r\n\r\n" + follower);
    EXPECT_THAT(client->receive_all(), ::testing::MatchesRegex("HTTP/1.1 (4|5)[0-9][0-9] (.|\n|\r)*")) << name;
  }
  for (const auto& [name, bytes] : kSmuggledChunks) {
    const auto client = connect();
    client->send("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(bytes) +
                 follower);
    const std::string answer = client->receive_all();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 4")) << name;
    EXPECT_THAT(answer, Not(HasSubstr("secret"))) << name;
  }
  EXPECT_EQ(reached, 0);
}

TEST_F(HttpServerLimitsTest, ABodyMayBeAsLongAsTheRouteTakesAndNoLonger) {
  listen();
  EXPECT_THAT(ask(post("/echo", std::string(1000, 'b'))), StartsWith("HTTP/1.1 200"));
  const auto client = connect();
  ASSERT_TRUE(client->send(post("/echo", std::string(1001, 'b'))));
  const std::string answer = client->receive_all();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(answer, HasSubstr(R"("code":"too_large")"));
  const auto chunked = connect();
  ASSERT_TRUE(chunked->send("POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n" +
                            std::string(1000, 'b') + "\r\n1\r\nb\r\n0\r\n\r\n"));
  EXPECT_THAT(chunked->receive_all(), StartsWith("HTTP/1.1 413"));
  // A long body that is refused unread: the refusal arrives all the same.
  const auto large = connect();
  const std::string head = "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50000000\r\n\r\n";
  std::thread sender([&] { large->send(head + std::string(3'000'000, 'x')); });
  EXPECT_THAT(large->receive_all(), StartsWith("HTTP/1.1 413"));
  sender.join();
}

TEST_F(HttpServerLimitsTest, EndlessHeadersAreRefused) {
  listen();
  const auto client = connect();
  std::thread sender([&] {
    client->send("GET / HTTP/1.1\r\nHost: localhost\r\n");
    for (int i = 0; i < 100'000 && client->send("X-" + std::to_string(i) + ": y\r\n"); ++i) {
    }
  });
  EXPECT_THAT(client->receive_all(), StartsWith("HTTP/1.1 431"));
  sender.join();
}

TEST_F(HttpServerLimitsTest, ContinuesWhenAskedTo) {
  listen();
  const auto client = connect();
  ASSERT_TRUE(
      client->send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"));
  EXPECT_EQ(client->receive_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  ASSERT_TRUE(client->send("body"));
  EXPECT_THAT(client->receive_response(), EndsWith("POST body"));
  ASSERT_TRUE(
      client->send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n"));
  EXPECT_THAT(client->receive_all(), StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(ask("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nExpect: miracles\r\n\r\n"),
              StartsWith("HTTP/1.1 417"));
}

TEST_F(HttpServerLimitsTest, OneConnectionTooManyIsToldSo) {
  HttpServerOptions options;
  options.limits.connections = 3;
  listen(options);
  std::vector<std::unique_ptr<RawConnection>> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(connect());
  ASSERT_TRUE(eventually([&] { return server_->stats().connections == 3; }));
  const auto late = connect();
  EXPECT_THAT(late->receive_all(), StartsWith("HTTP/1.1 503"));
  ASSERT_TRUE(clients[1]->send(get("/hello")));
  EXPECT_THAT(clients[1]->receive_response(), EndsWith("hello"));
  clients.pop_back();
  ASSERT_TRUE(eventually([&] { return server_->stats().connections == 2; }));
  EXPECT_THAT(ask(get("/hello")), EndsWith("hello"));
}

TEST_F(HttpServerLimitsTest, OneRequestInFlightTooManyIsToldToComeAgain) {
  HttpServerOptions options;
  options.limits.requests_in_flight = 2;
  listen(options);
  const auto first = connect(), second = connect();
  ASSERT_TRUE(first->send(get("/held")) && second->send(get("/held")));
  ASSERT_TRUE(eventually([&] { return held() == 2; }));
  const std::string refused = ask(get("/hello"));
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 429"));
  EXPECT_THAT(refused, HasSubstr("Retry-After: 1\r\n"));
  take_held()->respond(text_response("done"));
  EXPECT_THAT(first->receive_response(), EndsWith("done"));
  ASSERT_TRUE(eventually([&] { return server_->stats().in_flight == 1; }));
  EXPECT_THAT(ask(get("/hello")), EndsWith("hello"));
}

TEST_F(HttpServerLimitsTest, AFullQueueIsToldToComeAgain) {
  std::latch release(1);
  routes_.on(
      "/blocks",
      [&](HttpRequest, const Writer& writer) {
        release.wait();
        writer->respond(text_response("late"));
      },
      RunOn::kPool);
  HttpServerOptions options;
  options.limits.pool_threads = 1;
  options.limits.queue = 2;
  listen(options);
  std::vector<std::unique_ptr<RawConnection>> clients;
  for (int i = 0; i < 3; ++i) {  // one runs, two wait
    clients.push_back(connect());
    ASSERT_TRUE(clients.back()->send(get("/blocks")));
    ASSERT_TRUE(eventually([&] {
      return server_->stats().in_flight == static_cast<std::size_t>(i) + 1 &&
             server_->stats().queued == static_cast<std::size_t>(i);
    }));
  }
  const auto full = connect();
  ASSERT_TRUE(full->send(get("/blocks")));
  EXPECT_THAT(full->receive_response(), StartsWith("HTTP/1.1 429"));
  release.count_down();
  for (const auto& client : clients) EXPECT_THAT(client->receive_response(), EndsWith("late"));
  ASSERT_TRUE(full->send(get("/pool")));  // the connection of the refused one goes on
  EXPECT_THAT(full->receive_response(), EndsWith("pool "));
}

TEST_F(HttpServerLimitsTest, BodiesOfAllRequestsTogetherAreBounded) {
  HttpServerOptions options;
  options.limits.buffered_body_bytes = 1500;
  listen(options);
  const auto first = connect();
  ASSERT_TRUE(
      first->send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n" + std::string(999, 'a')));
  ASSERT_TRUE(eventually([&] { return server_->stats().buffered_body_bytes == 999; }));
  EXPECT_THAT(ask(post("/echo", std::string(501, 'b'))), StartsWith("HTTP/1.1 200"));
  const auto second = connect();
  ASSERT_TRUE(second->send(post("/echo", std::string(502, 'b'))));
  EXPECT_THAT(second->receive_all(), StartsWith("HTTP/1.1 429"));
  ASSERT_TRUE(first->send("a"));
  EXPECT_THAT(first->receive_response(), StartsWith("HTTP/1.1 200"));
  ASSERT_TRUE(eventually([&] { return server_->stats().buffered_body_bytes == 0; }));
}

TEST_F(HttpServerLimitsTest, WhatSendsTooSlowlyIsCutOff) {
  listen();
  const auto silent = connect(), head = connect(), body = connect(), idle = connect();
  ASSERT_TRUE(head->send("GET / HTTP/1.1\r\nHos"));
  ASSERT_TRUE(body->send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc"));
  ASSERT_TRUE(idle->send(get("/hello")));
  EXPECT_THAT(idle->receive_response(), EndsWith("hello"));
  ASSERT_TRUE(
      eventually([&] { return server_->stats().buffered_body_bytes == 3 && server_->stats().connections == 4; }));
  EXPECT_TRUE(passes(10s, [&] { return server_->stats().connections <= 3; }));
  EXPECT_EQ(silent->receive_all(), "");
  EXPECT_THAT(head->receive_all(), StartsWith("HTTP/1.1 408"));
  EXPECT_TRUE(passes(50s, [&] { return server_->stats().cut_off == 2; }));
  EXPECT_THAT(body->receive_all(), StartsWith("HTTP/1.1 408"));
  ASSERT_TRUE(idle->send(get("/hello")));  // sixty seconds of silence are allowed between two requests
  EXPECT_THAT(idle->receive_response(), EndsWith("hello"));
  EXPECT_TRUE(turns_idle());
  EXPECT_EQ(idle->receive_all(), "");
}

TEST_F(HttpServerLimitsTest, HundredsThatSendAByteAtATimeDisturbNobodyAndAreCutOff) {
  const std::size_t count = std::min<std::size_t>(2000, (allow_descriptors(8192) - 100) / 2);
  listen();
  std::vector<std::unique_ptr<RawConnection>> slow;
  for (std::size_t i = 0; i < count; ++i) {
    slow.push_back(connect());
    ASSERT_TRUE(slow.back()->send("G"));
  }
  const std::string request = get("/hello");
  for (int second = 1; second < 9; ++second) {
    clock_.advance(1s);
    for (const auto& client : slow) client->send(request.substr(static_cast<std::size_t>(second), 1));
    EXPECT_THAT(ask(get("/hello")), EndsWith("hello"));
  }
  ASSERT_TRUE(eventually([&] { return server_->stats().connections >= count; }));
  EXPECT_TRUE(passes(3s, [&] { return server_->stats().cut_off == count; })) << server_->stats().cut_off;
  EXPECT_THAT(slow.front()->receive_all(), StartsWith("HTTP/1.1 408"));
}

TEST_F(HttpServerLimitsTest, NoWebPageDrivesIt) {
  listen();
  EXPECT_THAT(ask("GET /hello HTTP/1.1\r\nHost: evil.example\r\n\r\n"), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(ask("GET http://evil.example/hello HTTP/1.1\r\nHost: localhost\r\n\r\n"), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(ask(get("/hello", "Origin: https://evil.example\r\n")), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(ask(get("/hello", "Sec-Fetch-Site: cross-site\r\n")), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(ask(get("/hello", "Origin: http://localhost\r\n")), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerLimitsTest, ListensBeyondLoopbackOnlyWithKeys) {
  HttpServerOptions options;
  for (const char* address : {"0.0.0.0", "::"}) {
    options.address = address;
    const auto refused = HttpServer::listen(options, threads_, routes_, random_);
    ASSERT_FALSE(refused) << address;
    EXPECT_EQ(refused.error().code, ErrorCode::kPermissionDenied);
  }
  options.address = "0.0.0.0";
  options.beyond_loopback = BeyondLoopback::kKeysAreConfigured;
  listen(options);
  EXPECT_THAT(ask("GET /hello HTTP/1.1\r\nHost: pandora.example\r\n\r\n"), StartsWith("HTTP/1.1 200"));
}

}  // namespace
}  // namespace pandora
