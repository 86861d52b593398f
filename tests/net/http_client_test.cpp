#include "net/http_client.h"

#include <atomic>
#include <future>
#include <latch>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client_world.h"
#include "net/event_loop.h"
#include "net/http_server.h"
#include "support/http_routes.h"
#include "support/raw_tcp.h"

namespace pandora {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using namespace testing;  // our doubles
using namespace std::chrono_literals;
using Writer = std::shared_ptr<ResponseWriter>;

TEST_F(HttpClientTest, FetchesAndUsesItsConnectionAgain) {
  RawServer server([](RawConnection& peer, int) {
    for (int i = 0; i < 3; ++i) {
      const std::string head = peer.receive_until("\r\n\r\n");
      EXPECT_THAT(head, StartsWith("GET /v1/models?x=1 HTTP/1.1\r\nHost: 127.0.0.1:"));
      EXPECT_THAT(head, HasSubstr("Authorization: Bearer key\r\n"));
      peer.send(answer("body " + std::to_string(i)));
    }
    peer.receive_all();
  });
  for (int i = 0; i < 3; ++i) {
    const auto response = client().fetch(
        {"GET", server.url() + "/v1/models?x=1", {{"Authorization", "Bearer key"}}, "", {}}, Deadline::never());
    ASSERT_TRUE(response) << response.error().to_line();
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(response->body, "body " + std::to_string(i));
  }
  EXPECT_EQ(server.connections(), 1);
  EXPECT_EQ(client().stats().connected, 1u);
  EXPECT_EQ(client().stats().idle_connections, 1u);
}

TEST_F(HttpClientTest, ReadsEveryFramingHoweverItIsCut) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {answer("plain"), "plain"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nchu\r\n4\r\nnked\r\n0\r\n\r\n", "chunked"},
      {"HTTP/1.1 200 OK\r\n\r\nuntil the end", "until the end"},
      {"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold", "old"},
      {"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + answer("at last"), "at last"},
      {"HTTP/1.1 204 No Content\r\n\r\n", ""},
      {answer(""), ""},
  };
  for (const auto& [bytes, body] : cases) {
    RawServer server([&](RawConnection& peer, int) {
      peer.receive_until("\r\n\r\n");
      peer.send_sliced(bytes);
      peer.end_sending();
      peer.receive_all();
    });
    const auto response = get(server.url());
    ASSERT_TRUE(response) << bytes << response.error().to_line();
    EXPECT_EQ(response->body, body);
  }
}

TEST_F(HttpClientTest, WhatBreaksOffIsAnErrorNotAShorterBody) {
  for (const char* bytes :
       {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "HTTP/1.1 200 OK\r\nContent-",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"}) {
    RawServer server([&](RawConnection& peer, int) {
      peer.receive_until("\r\n\r\n");
      peer.send(bytes);
    });
    const auto response = get(server.url());
    ASSERT_FALSE(response) << bytes;
    EXPECT_EQ(response.error().code, ErrorCode::kUnavailable);
    EXPECT_THAT(response.error().message, HasSubstr("middle of its answer"));
    EXPECT_EQ(server.connections(), 1);  // a byte had come: not again
  }
}

TEST_F(HttpClientTest, RefusesWhatIsNoHttpOrCanBeReadTwoWays) {
  for (const char* bytes :
       {"SSH-2.0-OpenSSH_9.2\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 0\n\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello\r\n"}) {
    RawServer server([&](RawConnection& peer, int) {
      peer.receive_until("\r\n\r\n");
      peer.send(bytes);
      peer.receive_all();
    });
    const auto response = get(server.url());
    ASSERT_FALSE(response) << bytes;
    EXPECT_EQ(response.error().code, ErrorCode::kUnavailable) << bytes;
  }
  RawServer endless([](RawConnection& peer, int) {
    while (peer.send("HTTP/1.1 100 Continue\r\n\r\n")) {
    }
  });
  EXPECT_EQ(get(endless.url()).error().code, ErrorCode::kUnavailable);
}

TEST_F(HttpClientTest, WhatFollowsAnAnswerUnaskedEndsTheConnection) {
  RawServer server([](RawConnection& peer, int) {
    peer.receive_until("\r\n\r\n");
    peer.send(answer("one") + answer("poison"));
    peer.receive_all();
  });
  for (int i = 0; i < 3; ++i) EXPECT_EQ(get(server.url())->body, "one");
  EXPECT_EQ(server.connections(), 3);
}

TEST_F(HttpClientTest, TheAnswersHeadAndBodyAreBounded) {
  HttpCallOptions options;
  options.max_body_bytes = 10;
  options.max_head_bytes = 1024;
  for (const bool chunked : {false, true})
    for (const std::size_t size : {10u, 11u}) {
      RawServer server([&](RawConnection& peer, int) {
        peer.receive_until("\r\n\r\n");
        peer.send(chunked
                      ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n" +
                            std::string(size == 10 ? "5" : "6") + "\r\n" + std::string(size - 5, 'x') + "\r\n0\r\n\r\n"
                      : answer(std::string(size, 'x')));
        peer.receive_all();
      });
      const auto response = get(server.url(), options);
      EXPECT_EQ(response ? ErrorCode::kInternal : response.error().code,
                size == 10 ? ErrorCode::kInternal : ErrorCode::kTooLarge)
          << chunked << size;
    }
  RawServer heads([&](RawConnection& peer, int) {
    peer.receive_until("\r\n\r\n");
    peer.send("HTTP/1.1 200 OK\r\n");
    while (peer.send("X-Endless: header\r\n")) {
    }
  });
  EXPECT_EQ(get(heads.url(), options).error().code, ErrorCode::kTooLarge);
}

TEST_F(HttpClientTest, RepeatsOnlyWhatMayBeRepeatedAndOnlyBeforeTheFirstByte) {
  RawServer server([](RawConnection& peer, int which) {
    const std::string head = peer.receive_until("\r\n\r\n");
    if (which % 2 == 0) return;  // closes without a byte
    peer.send(answer("second time"));
    peer.receive_all();
  });
  EXPECT_EQ(get(server.url())->body, "second time");
  EXPECT_EQ(server.connections(), 2);
  EXPECT_EQ(client().stats().retried, 1u);
  client_.reset();
  const auto post = [&](Repeatable repeatable) {
    HttpCallOptions options;
    options.repeatable = repeatable;
    return client().fetch({"POST", server.url(), {}, "once", options}, Deadline::never());
  };
  const auto once = post(Repeatable::kByMethod);
  ASSERT_FALSE(once);
  EXPECT_THAT(once.error().message, HasSubstr("without an answer"));
  EXPECT_EQ(server.connections(), 3);
  EXPECT_EQ(post(Repeatable::kYes)->body, "second time");  // the fourth connection answers
}

TEST_F(HttpClientTest, AConnectionThatItsServerClosedIsNotUsedAgain) {
  RawServer server([&](RawConnection& peer, int which) {
    peer.receive_until("\r\n\r\n");
    peer.send(answer("x"));
    if (which > 0) peer.receive_all();
  });
  EXPECT_TRUE(get(server.url()));
  ASSERT_TRUE(eventually([&] { return client().stats().idle_connections == 0; }));
  const auto post = client().fetch({"POST", server.url(), {}, "body", {}}, Deadline::never());
  EXPECT_TRUE(post);
  EXPECT_EQ(client().stats().retried, 0u);
}

// The next call finds it before the loop hears of its end. A sanitizer would see what was left of its server looked at.
TEST_F(HttpClientTest, AConnectionThatItsServerClosedUnheardIsNotUsedAgain) {
  std::latch held(1), close(1), closed(1), release(1);
  RawServer server([&](RawConnection& peer, int which) {
    peer.receive_until("\r\n\r\n");
    peer.send(answer("x"));
    if (which == 0) {
      close.wait();
      peer.end_sending();
      closed.count_down();
    }
    peer.receive_all();
  });
  EXPECT_TRUE(get(server.url()));
  EXPECT_EQ(client().stats().idle_connections, 1u);
  threads_.loop(0)->post([&] {
    held.count_down();
    release.wait();
  });
  held.wait();
  close.count_down();
  closed.wait();
  Recorder recorder;
  const auto call = client().start({"POST", server.url(), {}, "body", {}}, Deadline::never(), recorder);
  release.count_down();
  EXPECT_TRUE(recorder.wait());
  EXPECT_EQ(server.connections(), 2);
  EXPECT_EQ(client().stats().connections, 1u);
}

TEST_F(HttpClientTest, AnIdleConnectionIsClosedInTime) {
  RawServer server([](RawConnection& peer, int) {
    peer.receive_until("\r\n\r\n");
    peer.send(answer("x"));
    peer.receive_all();
  });
  EXPECT_TRUE(get(server.url()));
  ASSERT_EQ(client().stats().idle_connections, 1u);
  clock_.advance(30s);
  EXPECT_TRUE(eventually([&] { return client().stats().connections == 0; }));
}

TEST_F(HttpClientTest, EachLimitOfTimeNamesItself) {
  std::atomic<int> asked = 0;
  RawServer server([&](RawConnection& peer, int) {
    const std::string head = peer.receive_until("\r\n\r\n");
    if (head.ends_with("\r\n\r\n")) ++asked;
    if (head.find("/half") != std::string::npos) peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    peer.receive_all();
  });
  struct Case {
    std::string url;
    const char* says;
    Duration total;
  };
  for (const auto& [url, says, total] :
       {Case{server.url() + "/silent", "no answer in time", 1h}, Case{server.url() + "/half", "the answer stalled", 1h},
        Case{"https://127.0.0.1:" + std::to_string(server.port()), "no connection in time",
             1h},  // TLS is never answered
        Case{server.url() + "/silent", "waiting for", 1s}}) {
    Recorder recorder;
    const auto call = client().start({"GET", url, {}, "", {}}, Deadline::after(clock_, total), recorder);
    // No other limit's time passes before.
    if (url.ends_with("/silent")) {
      ASSERT_TRUE(eventually([&] { return asked == 1; }));
    } else if (url.ends_with("/half")) {
      ASSERT_TRUE(eventually([&] { return recorder.body() == "half"; }));
    }
    asked = 0;
    const Status ended = passes(100ms, recorder);
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code, ErrorCode::kDeadlineExceeded) << url;
    EXPECT_THAT(ended.error().message, HasSubstr(says));
  }
  EXPECT_TRUE(eventually([&] { return client().stats().connections == 0; }));
}

TEST_F(HttpClientTest, NobodyThereIsSaidClearly) {
  std::uint16_t port = 0;
  {
    RawServer gone([](RawConnection&, int) {});
    port = gone.port();
  }
  const auto refused = get("http://127.0.0.1:" + std::to_string(port) + "/v1");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(refused.error().to_line(), HasSubstr("http://127.0.0.1:" + std::to_string(port)));
  EXPECT_THAT(refused.error().to_line(), HasSubstr("is the server running"));
  EXPECT_EQ(get("http://no-such-name.invalid/").error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(get("gopher://example.org/").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(client().fetch({"GE T", "http://127.0.0.1:1/", {}, "", {}}, Deadline::never()).error().code,
            ErrorCode::kInvalidArgument);
}

TEST_F(HttpClientTest, ABodyIsStreamedAndAPauseHoldsTheServerBack) {
  std::atomic<std::size_t> sent = 0;
  constexpr std::size_t kTotal = 64 * 1024 * 1024;
  RawServer server([&](RawConnection& peer, int) {
    peer.receive_until("\r\n\r\n");
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(kTotal) + "\r\n\r\n");
    const std::string piece(64 * 1024, 'p');
    while (sent < kTotal && peer.send(piece)) sent += piece.size();
    peer.receive_all();
  });
  Recorder recorder;
  std::atomic<bool> paused = true;
  std::atomic<std::size_t> got = 0;
  std::latch first(1);
  recorder.on_piece = [&](std::string_view bytes) {
    if (got.fetch_add(bytes.size()) == 0) first.count_down();
    return paused ? Flow::kPause : Flow::kMore;
  };
  const auto call = client().start({"GET", server.url(), {}, "", {}}, Deadline::never(), recorder);
  first.wait();
  std::size_t before = 0;
  ASSERT_TRUE(eventually([&] { return std::exchange(before, sent.load()) == sent && sent > 0; }));
  EXPECT_LE(got, kScratchBytes);
  EXPECT_LT(sent, kTotal);
  clock_.advance(1h);  // a pause is no stall
  paused = false;
  call->resume();
  EXPECT_TRUE(recorder.wait());
  EXPECT_EQ(got, kTotal);
}

TEST_F(HttpClientTest, PausesInTheMiddleOfWhatHasCome) {
  RawServer server([](RawConnection& peer, int) {
    peer.receive_until("\r\n\r\n");
    std::string all = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (int i = 0; i < 100; ++i) all += "3\r\nabc\r\n";
    peer.send(all + "0\r\n\r\n");
    peer.receive_all();
  });
  Recorder recorder;
  std::promise<HttpCall*> call_promise;
  auto call_future = call_promise.get_future().share();
  recorder.on_piece = [&](std::string_view) {
    call_future.get()->resume();  // from within: the pause that follows is over already
    return Flow::kPause;
  };
  const auto call = client().start({"GET", server.url(), {}, "", {}}, Deadline::never(), recorder);
  call_promise.set_value(call.get());
  EXPECT_TRUE(recorder.wait());
  EXPECT_EQ(recorder.body().size(), 300u);
}

TEST_F(HttpClientTest, CancelEndsTheCallOnceAndTheServerSeesIt) {
  std::promise<void> left;
  RawServer server([&](RawConnection& peer, int) {
    peer.receive_until("\r\n\r\n");
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome");
    peer.receive_all();
    left.set_value();
  });
  Recorder recorder;
  const auto call = client().start({"GET", server.url(), {}, "", {}}, Deadline::never(), recorder);
  ASSERT_TRUE(eventually([&] { return recorder.body() == "some"; }));
  call->cancel();
  call->cancel();
  EXPECT_EQ(recorder.wait().error().code, ErrorCode::kCancelled);
  left.get_future().wait();
  EXPECT_EQ(recorder.ends(), 1);
}

TEST_F(HttpClientTest, AfterItsHandleIsGoneNothingIsTold) {
  RawServer server([&](RawConnection& peer, int) {
    peer.receive_until("\r\n\r\n");
    peer.send("HTTP/1.1 200 OK\r\n\r\n");
    while (peer.send("drip")) {
    }
  });
  for (int i = 0; i < 20; ++i) {
    auto recorder = std::make_unique<Recorder>();
    auto call = client().start({"GET", server.url(), {}, "", {}}, Deadline::never(), *recorder);
    ASSERT_TRUE(eventually([&] { return i % 2 == 1 || !recorder->body().empty(); }));
    call.reset();
    EXPECT_EQ(recorder->ends(), 0);
    recorder.reset();  // a sanitizer would see a late call
  }
  // From within a call of the sink.
  Recorder recorder;
  std::unique_ptr<HttpCall> call;
  std::promise<void> dropped;
  std::latch started(1);
  bool once = false;
  recorder.on_piece = [&](std::string_view) {
    started.wait();
    if (!std::exchange(once, true)) {
      call.reset();
      dropped.set_value();
    }
    return Flow::kMore;
  };
  call = client().start({"GET", server.url(), {}, "", {}}, Deadline::never(), recorder);
  started.count_down();
  dropped.get_future().wait();
  EXPECT_TRUE(eventually([&] { return client().stats().calls == 0; }));
}

TEST_F(HttpClientTest, CallsWaitForAFreeConnectionWithinALimit) {
  HttpClientOptions options;
  options.limits.connections_per_server = 2;
  std::atomic<int> serving = 0;
  std::latch release(1);
  RawServer server([&](RawConnection& peer, int) {
    while (!peer.receive_until("\r\n\r\n").empty()) {
      ++serving;
      release.wait();
      peer.send(answer("served"));
    }
  });
  client(options);
  std::vector<std::unique_ptr<Recorder>> recorders;
  std::vector<std::unique_ptr<HttpCall>> calls;
  for (int i = 0; i < 6; ++i) {
    recorders.push_back(std::make_unique<Recorder>());
    calls.push_back(client().start({"GET", server.url(), {}, "", {}}, Deadline::never(), *recorders.back()));
  }
  ASSERT_TRUE(eventually([&] { return serving == 2 && client().stats().calls == 6; }));
  calls[3]->cancel();  // one in line leaves it
  EXPECT_EQ(recorders[3]->wait().error().code, ErrorCode::kCancelled);
  release.count_down();
  for (int i : {0, 1, 2, 4, 5}) EXPECT_TRUE(recorders[static_cast<std::size_t>(i)]->wait());
  EXPECT_EQ(server.connections(), 2);
}

TEST_F(HttpClientTest, OneCallTooManyIsRefused) {
  HttpClientOptions options;
  options.limits.calls = 2;
  RawServer server([](RawConnection& peer, int) { peer.receive_all(); });
  client(options);
  Recorder first, second, third;
  const auto a = client().start({"GET", server.url(), {}, "", {}}, Deadline::never(), first);
  const auto b = client().start({"GET", server.url(), {}, "", {}}, Deadline::never(), second);
  const auto c = client().start({"GET", server.url(), {}, "", {}}, Deadline::never(), third);
  EXPECT_EQ(third.wait().error().code, ErrorCode::kResourceExhausted);
  client_.reset();
  EXPECT_EQ(first.wait().error().code, ErrorCode::kCancelled);
  EXPECT_EQ(second.wait().error().code, ErrorCode::kCancelled);
}

TEST_F(HttpClientTest, FollowsRedirectsWhenAskedAndKeepsCredentialsAtHome) {
  RawServer other([](RawConnection& peer, int) {
    const std::string head = peer.receive_until("\r\n\r\n");
    EXPECT_THAT(head, Not(HasSubstr("Authorization")));
    peer.send(answer("moved here"));
    peer.receive_all();
  });
  RawServer server([&](RawConnection& peer, int) {
    for (std::string head = peer.receive_until("\r\n\r\n"); !head.empty(); head = peer.receive_until("\r\n\r\n")) {
      EXPECT_THAT(head, HasSubstr("Authorization: Bearer key\r\n"));
      const std::string to = head.starts_with("GET /loop")    ? "/loop"
                             : head.starts_with("GET /first") ? "second"
                                                              : other.url() + "/there";
      peer.send("HTTP/1.1 302 Found\r\nLocation: " + to + "\r\nContent-Length: 0\r\n\r\n");
    }
  });
  const auto fetch = [&](const std::string& path, int most) {
    HttpCallOptions options;
    options.max_redirects = most;
    return client().fetch({"GET", server.url() + path, {{"Authorization", "Bearer key"}}, "", options},
                          Deadline::never());
  };
  EXPECT_EQ(fetch("/first", 0)->status, 302);
  EXPECT_EQ(fetch("/first", 1)->status, 302);
  EXPECT_EQ(fetch("/first", 2)->body, "moved here");
  EXPECT_EQ(fetch("/loop", 5)->status, 302);
}

TEST_F(HttpClientTest, ReachesPublicAddressesOnlyWhenToldSo) {
  RawServer server([](RawConnection& peer, int) { peer.send(answer("private")); });
  HttpCallOptions options;
  options.reach = Reach::kPublicOnly;
  for (const std::string host : {"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"}) {
    const auto response = get("http://" + host + ":" + std::to_string(server.port()), options);
    ASSERT_FALSE(response) << host;
    EXPECT_EQ(response.error().code, ErrorCode::kPermissionDenied) << host << response.error().to_line();
  }
  EXPECT_EQ(server.connections(), 0);
}

TEST(SocketAddressTest, KnowsWhatIsPublic) {
  for (const char* special :
       {"0.0.0.0",         "10.1.2.3",       "100.64.0.1",    "100.127.255.255", "127.0.0.1",   "169.254.169.254",
        "172.16.0.1",      "172.31.255.255", "192.168.1.1",   "192.0.2.1",       "198.18.0.1",  "198.19.255.255",
        "203.0.113.1",     "224.0.0.1",      "240.0.0.1",     "255.255.255.255", "::",          "::1",
        "fe80::1",         "fc00::1",        "fd12::1",       "ff02::1",         "2001:db8::1", "2001::1",
        "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::", "2001:1ff::1",     "3fff:fff::1", "::127.0.0.1",
        "64:ff9b:1::1"})
    EXPECT_FALSE(is_public(*parse_address(special, 1))) << special;
  for (const char* open : {"1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.0", "172.15.0.1", "172.32.0.1",
                           "198.17.0.1", "198.20.0.1", "223.255.255.255", "2606:4700::1111", "::ffff:8.8.8.8",
                           "64:ff9b::808:808", "2002:808:808::", "2001:200::1", "3fff:1000::1"})
    EXPECT_TRUE(is_public(*parse_address(open, 1))) << open;
}

TEST_F(HttpClientTest, AServerThatRefusesALongBodyEarlyIsHeard) {
  RawServer server([](RawConnection& peer, int) {
    peer.receive_until("\r\n\r\n");
    peer.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
    peer.end_sending();
    peer.receive(1'000'000);
  });
  const auto response = client().fetch({"POST", server.url(), {}, std::string(8'000'000, 'x'), {}}, Deadline::never());
  ASSERT_TRUE(response) << response.error().to_line();
  EXPECT_EQ(response->status, 413);
}

TEST_F(HttpClientTest, StreamsThroughFromAServerOfOursAndCancelsIt) {
  Routes routes;
  std::promise<Writer> streaming;
  std::promise<void> gone;
  routes.on("/stream", [&](HttpRequest, const Writer& writer) {
    writer->start(200, {{"Content-Type", "text/event-stream"}});
    writer->when_gone([&] { gone.set_value(); });
    streaming.set_value(writer);
  });
  const auto server = HttpServer::listen({}, threads_, routes, random_);
  ASSERT_TRUE(server);
  Recorder recorder;
  auto call = client().start({"GET", (*server)->url() + "/stream", {}, "", {}}, Deadline::never(), recorder);
  const Writer writer = streaming.get_future().get();
  for (const char* piece : {"one", "two"}) {
    const std::size_t before = recorder.body().size();
    writer->write(piece);
    ASSERT_TRUE(eventually([&] { return recorder.body().size() == before + 3; }));
  }
  call.reset();
  gone.get_future().wait();
}

}  // namespace
}  // namespace pandora
