// A server on a free port, for the tests of what it does and of what it refuses.
#pragma once
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "net/http_server.h"
#include "support/http_routes.h"
#include "support/raw_tcp.h"

namespace pandora::testing {

using Writer = std::shared_ptr<ResponseWriter>;

// A server on a free port whose time stands still until a test moves it.
class ServerCase : public ::testing::Test {
 protected:
  ServerCase() {
    routes_.on("/hello", [](HttpRequest, const Writer& writer) { writer->respond(text_response("hello")); });
    routes_.on(
        "/echo",
        [](const HttpRequest& request, const Writer& writer) {
          writer->respond(text_response(request.method + " " + request.body));
        },
        RunOn::kLoop, 1000);
    routes_.on(
        "/pool",
        [](const HttpRequest& request, const Writer& writer) {
          writer->respond(text_response("pool " + request.body));
        },
        RunOn::kPool);
    // Keeps its writer for the test.
    routes_.on("/held", [this](HttpRequest, const Writer& writer) { hold(writer); });
  }
  ~ServerCase() override { held_.clear(); }

  HttpServer& listen(HttpServerOptions options = {}) {
    auto server = HttpServer::listen(std::move(options), threads_, routes_, random_);
    EXPECT_TRUE(server) << server.error().to_line();
    server_ = *std::move(server);
    return *server_;
  }
  std::unique_ptr<RawConnection> connect(int receive_buffer = 0) {
    return connect_raw(server_->port(), receive_buffer);
  }
  std::string ask(const std::string& request) {
    const auto client = connect();
    EXPECT_TRUE(client->send(request));
    return client->receive_response();
  }
  static std::string get(const std::string& path, const std::string& more = "") {
    return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + more + "\r\n";
  }
  static std::string post(const std::string& path, const std::string& body) {
    return "POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + body;
  }

  void hold(const Writer& writer) {
    const std::lock_guard lock(mutex_);
    held_.push_back(writer);
  }
  std::size_t held() {
    const std::lock_guard lock(mutex_);
    return held_.size();
  }
  Writer take_held() {
    EXPECT_TRUE(eventually([&] { return held() > 0; }));
    const std::lock_guard lock(mutex_);
    Writer writer = held_.front();
    held_.erase(held_.begin());
    return writer;
  }
  // Lets so much time pass; the server notices at its next sweep.
  bool passes(Duration step, const std::function<bool()>& holds) {
    clock_.advance(step);
    return eventually(holds);
  }
  // Every connection rests until it is closed. An answer arrives before its server has begun to count: hence the loop.
  bool turns_idle() {
    return eventually([&] {
      clock_.advance(std::chrono::seconds(75));
      return server_->stats().connections == 0;
    });
  }

  ManualClock clock_;
  SeededRandom random_{7};
  IoThreads threads_{clock_};
  Routes routes_;
  std::mutex mutex_;
  std::vector<Writer> held_;
  std::unique_ptr<HttpServer> server_;  // ends before what its handlers use
};

}  // namespace pandora::testing
