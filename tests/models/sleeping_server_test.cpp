// A server that does not run until it is wanted.
#include <condition_variable>

#include <gmock/gmock.h>

#include "model_upstream.h"
#include "models/model_directory.h"

namespace pandora {
namespace {

using ::testing::HasSubstr;
using namespace testing;  // our doubles
using namespace std::chrono_literals;

class CountedLease final : public ServerLease {
 public:
  explicit CountedLease(std::atomic<int>& count) : count_(count) { ++count_; }
  ~CountedLease() override { --count_; }

 private:
  std::atomic<int>& count_;
};

// Wakes when the test says so.
class ScriptedWaker final : public ServerWaker {
 public:
  void wake(const std::string& url, Then then) override {
    {
      const std::lock_guard lock(mutex_);
      asked_.push_back(url);
      waiting_.push_back(std::move(then));
    }
    changed_.notify_all();
  }
  // Waits for the next one that wants it.
  Then next() {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, 30s, [&] { return !waiting_.empty(); }));
    Then then = std::move(waiting_.front());
    waiting_.erase(waiting_.begin());
    return then;
  }
  std::shared_ptr<ServerLease> lease() { return std::make_shared<CountedLease>(leases); }
  std::vector<std::string> asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }
  std::atomic<int> leases = 0;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> asked_;
  std::vector<Then> waiting_;
};

class SleepingServer : public ModelCase {
 protected:
  ~SleepingServer() override { model_.reset(); }
  void sleeping(std::vector<std::string> urls) {
    ModelSettings made = settings(std::move(urls));
    for (auto& role : made.roles) role.servers.front().sleeps = true;
    model_ = make_openai_chat_model(std::move(made), *client_, clock_, random_, &waker);
  }
  ScriptedWaker waker;
};

TEST_F(SleepingServer, is_woken_and_then_asked_and_stays_awake_meanwhile) {
  ModelUpstream upstream(threads_, random_);
  std::atomic<int> while_asked = -1;
  upstream.then([&](const Json& request, const Writer& writer) {
    while_asked = waker.leases.load();
    stream({words("I am awake."), kStop})(request, writer);
  });
  sleeping({upstream.url()});
  Listener listener;
  const auto handle = model_->start(asking(), Deadline::never(), listener);
  const auto then = waker.next();
  EXPECT_TRUE(upstream.requests().empty());
  then(waker.lease());
  const auto result = listener.wait();
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_EQ(result->content, "I am awake.");
  EXPECT_EQ(while_asked, 1);
  EXPECT_EQ(waker.leases, 0);
  EXPECT_EQ(waker.asked(), std::vector<std::string>{upstream.url()});
}

TEST_F(SleepingServer, that_cannot_wake_is_a_server_that_fails) {
  ModelUpstream asleep(threads_, random_), other(threads_, random_);
  other.then(stream({words("In its place."), kStop}));
  sleeping({asleep.url(), other.url()});
  Listener listener;
  const auto handle = model_->start(asking(), Deadline::never(), listener);
  waker.next()(fail(ErrorCode::kUnavailable, "it was given up after 3 times"));
  ASSERT_TRUE(listener.wait());
  EXPECT_EQ(listener.text(), "In its place.");
  EXPECT_TRUE(asleep.requests().empty());
  // Alone, its reason is the error's.
  ModelSettings made = settings({asleep.url()});
  for (auto& role : made.roles) role.servers.front().sleeps = true;
  made.attempts = 1;
  model_ = make_openai_chat_model(std::move(made), *client_, clock_, random_, &waker);
  Listener second;
  const auto again = model_->start(asking(), Deadline::never(), second);
  waker.next()(fail(ErrorCode::kUnavailable, "it was given up after 3 times"));
  EXPECT_THAT(second.wait().error().message, HasSubstr(asleep.url() + ": it was given up after 3 times"));
}

TEST_F(SleepingServer, is_not_waited_for_by_who_cancels) {
  ModelUpstream upstream(threads_, random_);
  sleeping({upstream.url()});
  Listener listener;
  const auto handle = model_->start(asking(), Deadline::never(), listener);
  const auto then = waker.next();
  handle->cancel();
  EXPECT_EQ(listener.wait().error().code, ErrorCode::kCancelled);
  then(waker.lease());  // too late: nobody is asked
  upstream.then(stream({words("x"), kStop}));
  Listener second;
  const auto other = model_->start(asking(), Deadline::never(), second);
  waker.next()(waker.lease());
  ASSERT_TRUE(second.wait());
  EXPECT_EQ(upstream.requests().size(), 1u);
  EXPECT_EQ(listener.ends(), 1);
}

TEST_F(SleepingServer, is_waited_for_until_the_deadline) {
  ModelUpstream upstream(threads_, random_);
  sleeping({upstream.url()});
  Listener listener;
  const auto handle = model_->start(asking(), Deadline::after(clock_, 5s), listener);
  const auto then = waker.next();
  clock_.advance(6s);
  const auto result = listener.wait();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_THAT(result.error().message, HasSubstr("took longer to start"));
}

TEST_F(SleepingServer, is_not_asked_for_its_list) {
  ModelUpstream upstream(threads_, random_);
  ModelSettings made = settings({upstream.url()});
  for (auto& role : made.roles) role.servers.front().sleeps = true;
  ModelDirectory directory(made, *client_, clock_);
  EXPECT_TRUE(directory.servers().empty());
  ASSERT_EQ(directory.all(Deadline::never()).size(), 1u);
  EXPECT_EQ(directory.find("named-model", Deadline::never())->server, upstream.url());
  EXPECT_EQ(upstream.model_lists(), 0);
}

}  // namespace
}  // namespace pandora
