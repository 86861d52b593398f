#include "contract/chat_model_contract.h"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace pandora {
namespace {

using testing::ChatScript;

// What a model said, and whether it said it as it should.
class Listener final : public ChatSink {
 public:
  void on_delta(std::string_view text) override {
    enter();
    deltas_.emplace_back(text);
    leave();
    if (at_delta) at_delta();
    --under_way_;
  }
  void on_done(ChatResult result) override {
    enter();
    result_ = std::move(result);
    last_word();
  }
  void on_error(Error error) override {
    enter();
    error_ = std::move(error);
    last_word();
  }

  // Until the last word was said; false when that takes over ten seconds.
  bool wait() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return last_words_ > 0; });
  }
  bool wait_for_deltas(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return deltas_.size() >= count; });
  }
  std::vector<std::string> deltas() { return locked(deltas_); }
  std::optional<ChatResult> result() { return locked(result_); }
  std::optional<ErrorCode> error() {
    const std::lock_guard lock(mutex_);
    return error_ ? std::optional(error_->code) : std::nullopt;
  }
  int last_words() { return locked(last_words_); }
  // Nothing twice, nothing after the last word, never two calls at once, never on the caller's own thread.
  bool well_behaved() { return locked(well_behaved_); }

  std::function<void()> at_delta;

 private:
  template <class T>
  T locked(const T& value) {
    const std::lock_guard lock(mutex_);
    return value;
  }
  void enter() {
    const bool alone = under_way_++ == 0;
    mutex_.lock();
    well_behaved_ = well_behaved_ && alone && last_words_ == 0 && std::this_thread::get_id() != caller_;
  }
  void leave() {
    mutex_.unlock();
    changed_.notify_all();
  }
  void last_word() {
    ++last_words_;
    --under_way_;
    leave();
  }

  const std::thread::id caller_ = std::this_thread::get_id();
  std::atomic<int> under_way_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> deltas_;
  std::optional<ChatResult> result_;
  std::optional<Error> error_;
  int last_words_ = 0;
  bool well_behaved_ = true;
};

ChatRequest question() {
  ChatRequest request;
  request.messages = {{ChatRole::kSystem, "Be short.", {}, ""}, {ChatRole::kUser, "What time is it?", {}, ""}};
  return request;
}

class ChatModelContract : public ::testing::TestWithParam<Implementation<ChatModelSetup>> {
 protected:
  std::unique_ptr<ChatHandle> start(ChatSink& sink, const Deadline& deadline = kNever) {
    return setup_->model().start(question(), deadline, sink);
  }
  void then(ChatScript script) { setup_->then(std::move(script)); }
  static void expect_one_last_word(Listener& heard) {
    EXPECT_EQ(heard.last_words(), 1);
    EXPECT_NE(heard.result().has_value(), heard.error().has_value());
    EXPECT_TRUE(heard.well_behaved());
  }

  const SystemClock clock_;
  std::unique_ptr<ChatModelSetup> setup_ = GetParam().make();
};

TEST_P(ChatModelContract, AReplyStreamsAndEndsWithOneResultOfAllItsParts) {
  auto script = ChatScript().say("It is ").say("noon").say(", I think: 日本 😀.");
  script.tokens_in = 12;
  script.tokens_out = 8;
  then(script);
  Listener heard;
  const auto handle = start(heard);
  ASSERT_TRUE(heard.wait());
  const ChatResult result = heard.result().value();
  std::string together;
  for (const auto& delta : heard.deltas()) together += delta;
  EXPECT_EQ(together, "It is noon, I think: 日本 😀.");
  EXPECT_EQ(result.content, together);
  EXPECT_EQ(result.finish_reason, "stop");
  EXPECT_FALSE(result.model.empty());
  EXPECT_EQ(result.tokens_in, 12);
  EXPECT_EQ(result.tokens_out, 8);
  EXPECT_TRUE(result.tool_calls.empty());
  expect_one_last_word(heard);
}

TEST_P(ChatModelContract, AReplyMayBeToolCallsAlone) {
  const ToolCall clock{"call_1", "clock", "{}"}, search{"call_2", "search", R"({"text": "peanuts"})"};
  then(ChatScript().call(clock).call(search));
  Listener heard;
  const auto handle = start(heard);
  ASSERT_TRUE(heard.wait());
  EXPECT_TRUE(heard.deltas().empty());
  EXPECT_EQ(heard.result().value().tool_calls, (std::vector<ToolCall>{clock, search}));
  EXPECT_EQ(heard.result().value().finish_reason, "tool_calls");
  EXPECT_EQ(heard.result().value().content, "");
  expect_one_last_word(heard);
}

TEST_P(ChatModelContract, AFailureIsTheLastWordAfterWhatWasSaid) {
  then(ChatScript().say("It ").say("is").fail(ErrorCode::kUnavailable, "the line went dead"));
  Listener heard;
  const auto handle = start(heard);
  ASSERT_TRUE(heard.wait());
  EXPECT_EQ(heard.error(), ErrorCode::kUnavailable);
  EXPECT_FALSE(heard.deltas().empty());
  expect_one_last_word(heard);
}

TEST_P(ChatModelContract, ACancelledReplyEndsWithThat) {
  then(ChatScript().say("It ").hold().say("never said"));
  Listener heard;
  const auto handle = start(heard);
  ASSERT_TRUE(heard.wait_for_deltas(1));
  ASSERT_TRUE(setup_->wait_for_holds(1));
  handle->cancel();
  handle->cancel();
  ASSERT_TRUE(heard.wait());
  EXPECT_EQ(heard.error(), ErrorCode::kCancelled);
  EXPECT_EQ(heard.deltas(), std::vector<std::string>{"It "});
  handle->cancel();
  expect_one_last_word(heard);
}

TEST_P(ChatModelContract, CancellingWhatHasEndedChangesNothing) {
  then(ChatScript().say("noon"));
  Listener heard;
  auto handle = start(heard);
  ASSERT_TRUE(heard.wait());
  handle->cancel();
  handle.reset();
  EXPECT_EQ(heard.result().value().content, "noon");
  expect_one_last_word(heard);
}

TEST_P(ChatModelContract, AReplyMayBeCancelledFromItsOwnSink) {
  then(ChatScript().say("It ").say("is ").hold().say("never said"));
  Listener heard;
  std::unique_ptr<ChatHandle> handle;
  std::mutex started;  // the first delta may come before `start` has returned
  heard.at_delta = [&] {
    const std::lock_guard lock(started);
    handle->cancel();
  };
  {
    const std::lock_guard lock(started);
    handle = start(heard);
  }
  ASSERT_TRUE(heard.wait());
  EXPECT_EQ(heard.error(), ErrorCode::kCancelled);
  expect_one_last_word(heard);
}

TEST_P(ChatModelContract, AtItsDeadlineAReplyEndsWithThat) {
  then(ChatScript().say("It ").hold().say("never said"));
  Listener heard;
  const auto handle = start(heard, Deadline::after(clock_, std::chrono::milliseconds(100)));
  ASSERT_TRUE(heard.wait());
  EXPECT_EQ(heard.error(), ErrorCode::kDeadlineExceeded);
  expect_one_last_word(heard);
}

TEST_P(ChatModelContract, AfterItsDeadlineAReplyDoesNotBegin) {
  then(ChatScript().say("too late"));
  Listener heard;
  const auto handle = start(heard, past());
  ASSERT_TRUE(heard.wait());
  EXPECT_EQ(heard.error(), ErrorCode::kDeadlineExceeded);
  EXPECT_TRUE(heard.deltas().empty());
  expect_one_last_word(heard);
}

TEST_P(ChatModelContract, DestroyingTheHandleCancelsAndWaitsForTheLastWord) {
  then(ChatScript().say("It ").hold().say("never said"));
  Listener heard;
  auto handle = start(heard);
  ASSERT_TRUE(setup_->wait_for_holds(1));
  handle.reset();
  EXPECT_EQ(heard.error(), ErrorCode::kCancelled) << "it had been said by then";
  expect_one_last_word(heard);
}

TEST_P(ChatModelContract, DestroyingTheHandleWaitsForTheCallUnderWay) {
  then(ChatScript().say("It ").hold().say("never said"));
  Listener heard;
  std::atomic<bool> in_sink = false, out_of_sink = false, go_on = false;
  heard.at_delta = [&] {
    in_sink = true;
    in_sink.notify_all();
    go_on.wait(false);
    out_of_sink = true;
  };
  auto handle = start(heard);
  in_sink.wait(false);
  std::thread releaser([&] {
    go_on = true;
    go_on.notify_all();
  });
  handle.reset();
  EXPECT_TRUE(out_of_sink);
  releaser.join();
  expect_one_last_word(heard);
}

TEST_P(ChatModelContract, DestroyedAtAnyMomentItSaysOneLastWord) {
  for (int round = 0; round < 100; ++round) {
    then(ChatScript().say("a").say("b").say("c"));
    Listener heard;
    auto handle = start(heard);
    if (round % 3 == 1) heard.wait_for_deltas(1);
    if (round % 3 == 2) heard.wait_for_deltas(3);
    handle.reset();
    ASSERT_EQ(heard.last_words(), 1) << "round " << round;
    ASSERT_TRUE(heard.well_behaved()) << "round " << round;
  }
}

TEST_P(ChatModelContract, ManyRepliesStreamSideBySide) {
  constexpr int kReplies = 8;
  std::vector<std::unique_ptr<Listener>> heard;
  std::vector<std::unique_ptr<ChatHandle>> handles;
  for (int i = 0; i < kReplies; ++i) {
    then(ChatScript().say("first ").hold().say(std::to_string(i)));
    heard.push_back(std::make_unique<Listener>());
    handles.push_back(start(*heard.back()));
  }
  ASSERT_TRUE(setup_->wait_for_holds(kReplies)) << "one waits for another";
  handles[3]->cancel();
  ASSERT_TRUE(heard[3]->wait());
  EXPECT_EQ(heard[3]->error(), ErrorCode::kCancelled);
  for (int i = 0; i + 1 < kReplies; ++i) setup_->release();
  for (int i = 0; i < kReplies; ++i) {
    ASSERT_TRUE(heard[static_cast<std::size_t>(i)]->wait()) << "reply " << i;
    EXPECT_TRUE(i == 3 || heard[static_cast<std::size_t>(i)]->result().value().content == "first " + std::to_string(i));
    expect_one_last_word(*heard[static_cast<std::size_t>(i)]);
  }
}

INSTANTIATE_TEST_SUITE_P(ChatModels, ChatModelContract, ::testing::ValuesIn(chat_model_implementations()),
                         kImplementationName);

}  // namespace
}  // namespace pandora
