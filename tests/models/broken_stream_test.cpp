// Model servers that stall, slice, cut and mumble, and callers that leave.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model_upstream.h"

namespace pandora {
namespace {

using ::testing::HasSubstr;
using namespace testing;  // our doubles
using namespace std::chrono_literals;

using BrokenStreamTest = ModelCase;

std::string whole_answer(const std::string& events) {
  return "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" + events;
}
// Reads a request with its body.
void read_request(RawConnection& peer) {
  const std::string head = peer.receive_until("\r\n\r\n");
  const std::size_t at = head.find("Content-Length: ");
  if (at != std::string::npos) peer.receive(static_cast<std::size_t>(std::atoll(head.c_str() + at + 16)));
}

TEST_F(BrokenStreamTest, EventsAndCharactersMayBeCutAnywhere) {
  const std::string panda = "caf\xC3\xA9 \xF0\x9F\x90\xBC";
  RawServer server([&](RawConnection& peer, int) {
    read_request(peer);
    peer.send_sliced(whole_answer(": thinking\r\n\r\n" + sse_event(words(panda)) +
                                  sse_event(R"({"choices":[{"index":0,"delta":{"content":")" + panda + "\"}}]}") +
                                  sse_event(kStop) + std::string(kSseDone)));
  });
  model({server.url() + "/v1"});
  const auto result = ask();
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_EQ(said_, panda + panda);
}

TEST_F(BrokenStreamTest, ACharacterCutBetweenTwoEventsIsWhole) {
  ModelUpstream upstream(threads_, random_);
  upstream.then(stream({chunk("\"content\":\"\xF0\x9F\""), chunk("\"content\":\"\x90\xBC!\""), kStop}));
  model({upstream.url()});
  ASSERT_TRUE(ask());
  EXPECT_EQ(said_, "\xF0\x9F\x90\xBC!");
}

TEST_F(BrokenStreamTest, AServerThatHangsBeforeTheFirstByteIsReplacedByTheNext) {
  ModelUpstream second(threads_, random_);
  second.then(stream({words("second"), kStop})).then(stream({words("second"), kStop}));
  for (const bool sends_head : {false, true}) {
    RawServer hangs([=](RawConnection& peer, int) {
      read_request(peer);
      if (sends_head) peer.send(whole_answer(""));
      peer.receive_all();
    });
    ModelSettings made = settings({hangs.url() + "/v1", second.url()});
    made.timeouts.first_byte = 10s;
    model(made);
    Listener listener;
    const auto handle = model_->start(asking(), Deadline::never(), listener);
    const std::size_t asked = second.requests().size();
    ASSERT_TRUE(passes_until(200ms, [&] { return second.requests().size() > asked; }));
    const auto result = listener.wait();
    ASSERT_TRUE(result) << result.error().to_line();
    EXPECT_EQ(listener.text(), "second");
  }
}

TEST_F(BrokenStreamTest, WhatHangsOrBreaksOffInTheMiddleIsAnErrorAndNotTriedAgain) {
  struct Case {
    const char* name;
    std::string events;
    bool hangs;
    ErrorCode code;
    const char* says;
  };
  const std::string begun = sse_event(words("It is "));
  for (const auto& [name, events, hangs, code, says] :
       {Case{"hangs", begun, true, ErrorCode::kDeadlineExceeded, "stalled"},
        Case{"cut between events", begun, false, ErrorCode::kUnavailable, "broke off in the middle"},
        Case{"cut in an event", begun + "data: {\"choi", false, ErrorCode::kUnavailable, "broke off in the middle"},
        Case{"no JSON", begun + "data: oops\n\n", false, ErrorCode::kUnavailable, "no part of a chat"},
        Case{"of another kind", begun + "data: [1,2]\n\n", false, ErrorCode::kUnavailable, "no part of a chat"},
        Case{"an error", begun + sse_event(R"({"error":{"message":"CUDA out of memory"}})"), false,
             ErrorCode::kUnavailable, "CUDA out of memory"}}) {
    const std::string bytes = whole_answer(events);
    const bool stays = hangs;
    RawServer server([bytes, stays](RawConnection& peer, int) {
      read_request(peer);
      peer.send(bytes);
      if (stays) peer.receive_all();
    });
    ModelSettings made = settings({server.url() + "/v1"});
    if (hangs) made.timeouts.idle = 60s;
    model(made);
    Listener listener;
    const auto handle = model_->start(asking(), Deadline::never(), listener);
    ASSERT_TRUE(eventually([&] { return listener.text() == "It is "; })) << name;
    const auto result = passes(200ms, listener);
    ASSERT_FALSE(result) << name;
    EXPECT_EQ(result.error().code, code) << name << result.error().to_line();
    EXPECT_THAT(result.error().message, HasSubstr(says)) << name;
    EXPECT_EQ(said_, "It is ") << name;
    EXPECT_EQ(server.connections(), 1) << name;
  }
}

TEST_F(BrokenStreamTest, WhatIsBrokenBeforeTheFirstWordIsTriedAgain) {
  for (const char* events : {"data: oops\n\n", "", "event: ping\n\n", ": comment\n\n",
                             "data: {\"error\":{\"message\":\"overloaded\",\"code\":429}}\n\n"}) {
    RawServer server([&](RawConnection& peer, int which) {
      read_request(peer);
      peer.send(whole_answer(which == 0 ? events : sse_event(words("second")) + sse_event(kStop)));
    });
    model({server.url() + "/v1"});
    const auto result = ask_and_wait();
    ASSERT_TRUE(result) << events << result.error().to_line();
    EXPECT_EQ(said_, "second");
    model_.reset();
  }
}

TEST_F(BrokenStreamTest, AnEndlessEventAndAnEndlessReplyAreBounded) {
  RawServer event([](RawConnection& peer, int) {
    read_request(peer);
    peer.send(whole_answer(sse_event(words("x")) + "data: "));
    const std::string piece(64 * 1024, 'x');
    while (peer.send(piece)) {
    }
  });
  model({event.url() + "/v1"});
  EXPECT_EQ(ask().error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(said_, "x");
  model_.reset();
  RawServer reply([](RawConnection& peer, int) {
    read_request(peer);
    peer.send(whole_answer(""));
    const std::string piece = sse_event(words(std::string(64 * 1024, 'x')));
    while (peer.send(piece)) {
    }
  });
  model({reply.url() + "/v1"});
  EXPECT_EQ(ask().error().code, ErrorCode::kTooLarge);
}

TEST_F(BrokenStreamTest, CancelReachesTheServerAndIsTheLastWord) {
  ModelUpstream upstream(threads_, random_);
  std::promise<void> gone;
  upstream.then([&](const Json&, const Writer& writer) {
    writer->start(200, {{"Content-Type", "text/event-stream"}});
    writer->write(sse_event(words("It ")));
    writer->when_gone([&, writer] { gone.set_value(); });
  });
  model({upstream.url()});
  Listener listener;
  const auto handle = model_->start(asking(), Deadline::never(), listener);
  ASSERT_TRUE(eventually([&] { return listener.text() == "It "; }));
  handle->cancel();
  handle->cancel();
  EXPECT_EQ(listener.wait().error().code, ErrorCode::kCancelled);
  gone.get_future().wait();
  EXPECT_EQ(listener.ends(), 1);
}

TEST_F(BrokenStreamTest, CancelAlsoEndsAPauseBetweenTwoAttempts) {
  ModelUpstream upstream(threads_, random_);
  upstream.then(status(429, "", {{"Retry-After", "10"}}));
  model({upstream.url()});
  Listener listener;
  const auto handle = model_->start(asking(), Deadline::never(), listener);
  ASSERT_TRUE(eventually([&] { return upstream.requests().size() == 1 && upstream.server().stats().in_flight == 0; }));
  handle->cancel();
  EXPECT_EQ(listener.wait().error().code, ErrorCode::kCancelled);
}

TEST_F(BrokenStreamTest, TheCallersDeadlineCounts) {
  ModelUpstream upstream(threads_, random_);
  std::vector<Writer> kept;
  upstream.then([&](const Json&, const Writer& writer) { kept.push_back(writer); });
  model({upstream.url()});
  Listener listener;
  const auto handle = model_->start(asking(), Deadline::after(clock_, 2s), listener);
  ASSERT_TRUE(eventually([&] { return upstream.requests().size() == 1; }));
  const auto result = passes(100ms, listener);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(upstream.requests().size(), 1u);
  // No pause is begun that it would not outlast.
  upstream.then(status(503, "busy", {{"Retry-After", "10"}}));
  Listener late;
  const auto other = model_->start(asking(), Deadline::after(clock_, 2s), late);
  EXPECT_EQ(late.wait().error().code, ErrorCode::kUnavailable);
  kept.clear();
}

TEST_F(BrokenStreamTest, AfterItsHandleIsGoneNothingIsSaid) {
  RawServer server([](RawConnection& peer, int) {
    read_request(peer);
    peer.send(whole_answer(""));
    while (peer.send(sse_event(words("drip")))) {
    }
  });
  model({server.url() + "/v1"});
  for (int i = 0; i < 20; ++i) {
    auto listener = std::make_unique<Listener>();
    auto handle = model_->start(asking(), Deadline::never(), *listener);
    ASSERT_TRUE(eventually([&] { return i % 2 == 1 || !listener->text().empty(); }));
    handle.reset();
    EXPECT_EQ(listener->ends(), 0);
    listener.reset();  // a sanitizer would see a late word
  }
  // From within a word.
  Listener listener;
  std::unique_ptr<ChatHandle> handle;
  std::promise<void> ready, dropped;
  auto is_ready = ready.get_future().share();
  bool once = false;
  listener.while_speaking = [&] {
    is_ready.wait();
    if (std::exchange(once, true)) return;
    handle.reset();
    dropped.set_value();
  };
  handle = model_->start(asking(), Deadline::never(), listener);
  ready.set_value();
  dropped.get_future().wait();
  EXPECT_TRUE(eventually([&] { return client_->stats().calls == 0; }));
  EXPECT_EQ(listener.ends(), 0);
}

TEST_F(BrokenStreamTest, ManyCallsAtOnceAreEachAnswered) {
  ModelUpstream upstream(threads_, random_);
  constexpr int kCalls = 64;
  for (int i = 0; i < kCalls; ++i)
    upstream.then([](const Json& request, const Writer& writer) {
      const std::string text = request["messages"][0]["content"].get<std::string>();
      writer->start(200, {{"Content-Type", "text/event-stream"}});
      for (const char c : text) writer->write(sse_event(words(std::string(1, c))));
      writer->write(sse_event(kStop) + std::string(kSseDone));
      writer->finish();
    });
  model({upstream.url()});
  std::vector<std::unique_ptr<Listener>> listeners;
  std::vector<std::unique_ptr<ChatHandle>> handles;
  for (int i = 0; i < kCalls; ++i) {
    listeners.push_back(std::make_unique<Listener>());
    handles.push_back(model_->start(asking("call number " + std::to_string(i)), Deadline::never(), *listeners.back()));
  }
  for (int i = 0; i < kCalls; ++i) {
    const auto result = listeners[static_cast<std::size_t>(i)]->wait();
    ASSERT_TRUE(result) << result.error().to_line();
    EXPECT_EQ(result->content, "call number " + std::to_string(i));
  }
}

}  // namespace
}  // namespace pandora
