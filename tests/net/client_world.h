// A client of HTTP whose clock a test ticks, and what remembers what it was told.
#pragma once
#include <atomic>
#include <future>
#include <mutex>
#include <string>

#include <gtest/gtest.h>

#include "base/random.h"
#include "net/http_client.h"
#include "support/raw_tcp.h"

namespace pandora::testing {

// Remembers what it was told.
class Recorder final : public HttpCallSink {
 public:
  std::function<Flow(std::string_view)> on_piece;

  void on_head(const ResponseHead& head) override {
    const std::lock_guard lock(mutex_);
    status_ = head.status;
  }
  Flow on_body(std::string_view bytes) override {
    {
      const std::lock_guard lock(mutex_);
      body_ += bytes;
    }
    return on_piece ? on_piece(bytes) : Flow::kMore;
  }
  void on_done() override { end({}); }
  void on_error(Error error) override { end(fail(std::move(error))); }

  Status wait() {
    auto future = ended_.get_future();
    if (future.wait_for(kPatience) != std::future_status::ready) return fail(ErrorCode::kInternal, "it never ended");
    return future.get();
  }
  std::string body() {
    const std::lock_guard lock(mutex_);
    return body_;
  }
  int status() {
    const std::lock_guard lock(mutex_);
    return status_;
  }
  int ends() const { return ends_; }

 private:
  void end(Status status) {
    if (++ends_ == 1) ended_.set_value(std::move(status));
  }
  std::mutex mutex_;
  std::string body_;
  int status_ = 0;
  std::atomic<int> ends_ = 0;
  std::promise<Status> ended_;
};

inline std::string answer(std::string_view body, std::string_view more = "") {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + std::string(more) + "\r\n" +
         std::string(body);
}

class HttpClientTest : public ::testing::Test {
 protected:
  HttpClient& client(HttpClientOptions options = {}) {
    if (!client_) {
      auto made = HttpClient::create(std::move(options), threads_);
      EXPECT_TRUE(made) << made.error().to_line();
      client_ = *std::move(made);
    }
    return *client_;
  }
  Result<HttpResponse> get(const std::string& url, HttpCallOptions options = {}) {
    return client().fetch({"GET", url, {}, "", options}, Deadline::never());
  }
  // Lets time pass until the call has ended.
  Status passes(Duration step, Recorder& recorder) {
    EXPECT_TRUE(eventually([&] {
      clock_.advance(step);
      return recorder.ends() > 0;
    }));
    return recorder.wait();
  }

  ManualClock clock_;
  SeededRandom random_{11};
  IoThreads threads_{clock_};
  std::unique_ptr<HttpClient> client_;
};

}  // namespace pandora::testing
