// A model server that says what its script says, and a sink that remembers what it was told.
#pragma once
#include <atomic>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "models/openai_chat_model.h"
#include "net/event_loop.h"
#include "support/http_routes.h"
#include "support/raw_tcp.h"
#include "wire/json_reader.h"
#include "wire/sse.h"

namespace pandora::testing {

using Writer = std::shared_ptr<ResponseWriter>;
using Answer = std::function<void(const Json& request, Writer writer)>;

inline std::string chunk(const std::string& delta, const std::string& finish = "null") {
  return R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"upstream-model","choices":[{"index":0,"delta":{)" +
         delta + R"(},"finish_reason":)" + finish + "}]}";
}
inline std::string words(const std::string& text) { return chunk("\"content\":" + dump_json(Json(text))); }
inline const std::string kStop = chunk("", "\"stop\"");
inline const std::string kUsage =
    R"({"id":"c","model":"upstream-model","choices":[],"usage":{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14}})";

inline Answer stream(std::vector<std::string> chunks, bool done = true) {
  return [=](const Json&, const Writer& writer) {
    writer->start(200, {{"Content-Type", "text/event-stream"}});
    for (const auto& one : chunks) writer->write(sse_event(one));
    if (done) writer->write(kSseDone);
    writer->finish();
  };
}
inline Answer status(int code, std::string body, HttpHeaders headers = {{"Content-Type", "application/json"}}) {
  return [=](const Json&, const Writer& writer) { writer->respond({code, headers, body}); };
}
inline std::string error_body(const std::string& message) {
  return dump_json({{"error", {{"message", message}, {"type", "invalid_request_error"}}}});
}

class ModelUpstream {
 public:
  ModelUpstream(IoThreads& threads, Random& random) {
    routes_.on("/v1/models", [this](const HttpRequest&, const Writer& writer) {
      ++model_lists_;
      writer->respond({200, {{"Content-Type", "application/json"}}, models});
    });
    routes_.on("/v1/chat/completions", [this](const HttpRequest& request, const Writer& writer) {
      Answer answer;
      const Json json = Json::parse(request.body, nullptr, false);
      {
        const std::lock_guard lock(mutex_);
        requests_.push_back(json);
        authorizations_.emplace_back(request.headers.get("Authorization"));
        if (!answers_.empty()) {
          answer = std::move(answers_.front());
          answers_.pop_front();
        }
      }
      if (answer)
        answer(json, writer);
      else
        writer->respond({500, {}, "nothing more is scripted"});
    });
    auto server = HttpServer::listen({}, threads, routes_, random);
    EXPECT_TRUE(server) << server.error().to_line();
    server_ = *std::move(server);
  }
  ModelUpstream& then(Answer answer) {
    const std::lock_guard lock(mutex_);
    answers_.push_back(std::move(answer));
    return *this;
  }
  std::string url() const { return server_->url() + "/v1"; }
  std::vector<Json> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  std::vector<std::string> authorizations() {
    const std::lock_guard lock(mutex_);
    return authorizations_;
  }
  int model_lists() const { return model_lists_; }
  HttpServer& server() { return *server_; }
  std::string models = R"({"object":"list","data":[{"id":"first-model"},{"id":"second-model"}]})";

 private:
  std::mutex mutex_;
  std::deque<Answer> answers_;
  std::vector<Json> requests_;
  std::vector<std::string> authorizations_;
  std::atomic<int> model_lists_ = 0;
  Routes routes_;
  std::unique_ptr<HttpServer> server_;
};

class Listener final : public ChatSink {
 public:
  std::function<void()> while_speaking;
  void on_delta(std::string_view text) override {
    {
      const std::lock_guard lock(mutex_);
      text_ += text;
      ++deltas_;
    }
    if (while_speaking) while_speaking();
  }
  void on_done(ChatResult result) override { end(std::move(result)); }
  void on_error(Error error) override { end(fail(std::move(error))); }
  Result<ChatResult> wait() {
    auto future = ended_.get_future();
    if (future.wait_for(kPatience) != std::future_status::ready) return fail(ErrorCode::kInternal, "it never ended");
    return future.get();
  }
  std::string text() {
    const std::lock_guard lock(mutex_);
    return text_;
  }
  int ends() const { return ends_; }

 private:
  void end(Result<ChatResult> result) {
    if (++ends_ == 1) ended_.set_value(std::move(result));
  }
  std::mutex mutex_;
  std::string text_;
  int deltas_ = 0;
  std::atomic<int> ends_ = 0;
  std::promise<Result<ChatResult>> ended_;
};

// A model over upstreams of the test's; its time stands still until a test moves it. It moves by far more than passes
// for the other side, which may stand still meanwhile: no limit ends but that which a test sets.
class ModelCase : public ::testing::Test {
 protected:
  ModelCase() {
    auto client = HttpClient::create({}, threads_);
    EXPECT_TRUE(client);
    client_ = *std::move(client);
  }
  ~ModelCase() override { model_.reset(); }

  ModelSettings settings(std::vector<std::string> urls) {
    ModelSettings made;
    made.timeouts.connect = made.timeouts.first_byte = made.timeouts.idle = std::chrono::hours(1'000);
    for (auto& role : made.roles)
      for (const auto& url : urls) role.servers.push_back({url, "named-model", "key"});
    return made;
  }
  ChatModel& model(ModelSettings made) {
    model_ = make_openai_chat_model(std::move(made), *client_, clock_, random_);
    return *model_;
  }
  ChatModel& model(std::vector<std::string> urls) { return model(settings(std::move(urls))); }
  static ChatRequest asking(std::string text = "hello") {
    ChatRequest request;
    request.messages = {{ChatRole::kUser, std::move(text), {}, ""}};
    return request;
  }
  Result<ChatResult> ask(ChatRequest request = asking()) {
    Listener listener;
    const auto handle = model_->start(std::move(request), Deadline::never(), listener);
    auto result = listener.wait();
    said_ = listener.text();
    return result;
  }
  // Lets time pass until the call has ended.
  Result<ChatResult> passes(Duration step, Listener& listener) {
    EXPECT_TRUE(passes_until(step, [&] { return listener.ends() > 0; }));
    said_ = listener.text();
    return listener.wait();
  }
  // Time goes on when the loop, of the client and of every ModelUpstream, has taken up what had come by then.
  bool passes_until(Duration step, const std::function<bool()>& holds) {
    return eventually([&] {
      clock_.advance(step);
      std::promise<void> turned;
      threads_.loop(0)->post([&] { turned.set_value(); });
      turned.get_future().wait();
      return holds();
    });
  }
  Result<ChatResult> ask_and_wait(Duration step = std::chrono::milliseconds(50)) {
    Listener listener;
    const auto handle = model_->start(asking(), Deadline::never(), listener);
    return passes(step, listener);
  }

  ManualClock clock_;
  SeededRandom random_{5};
  IoThreads threads_{clock_};
  std::unique_ptr<HttpClient> client_;
  std::unique_ptr<ChatModel> model_;
  std::string said_;
};

}  // namespace pandora::testing
