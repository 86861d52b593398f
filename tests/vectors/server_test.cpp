#include "vectors/server.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "net/io_threads.h"
#include "support/raw_tcp.h"
#include "support/temporary_directory.h"
#include "vectors/bodies.h"
#include "vectors/long_reader.h"

namespace pandora::qdrant {
namespace {

class Served : public ::testing::Test {
 protected:
  void SetUp() override {
    engine_ = Engine::open(directory_.path(), *files_, clock_, random_).value();
    VectorsOptions options;
    options.server.limits.body_time = std::chrono::milliseconds(200);
    server_ = VectorsServer::open(std::move(options), *engine_, threads_, random_).value();
  }
  // What is answered to these bytes, and no more.
  std::string answer_to(const std::string& request) const {
    const auto connection = testing::connect_raw(server_->http().port());
    connection->send(request);
    return connection->receive_response();
  }
  static void expect_fault(const std::string& response, int status, const std::string& part) {
    EXPECT_TRUE(response.starts_with("HTTP/1.1 " + std::to_string(status))) << response;
    const auto body = nlohmann::json::parse(response.substr(response.find("\r\n\r\n") + 4));
    EXPECT_NE(body.at("status").at("error").get<std::string>().find(part), std::string::npos) << response;
    EXPECT_TRUE(body.at("time").is_number());
  }

  const testing::TemporaryDirectory directory_;
  const std::unique_ptr<FileSystem> files_ = make_posix_file_system();
  SystemRandom random_;
  const SystemClock clock_;
  IoThreads threads_{clock_, 1};
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<VectorsServer> server_;
};

TEST_F(Served, a_point_that_has_to_wait_for_a_writer_behind_a_long_reader_holds_up_nobody_else) {
  ASSERT_TRUE(engine_->create("c", params_of(kPlain)));
  std::optional<WriterBehindReader> others(std::in_place, engine_->find("c").value()->memory().lock());
  const auto point = testing::connect_raw(server_->http().port());
  point->send("GET /collections/c/points/1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const auto query = testing::connect_raw(server_->http().port());
  const std::string body = R"({"query":[1,2]})";
  query->send("POST /collections/c/points/query HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
              std::to_string(body.size()) + "\r\n\r\n" + body);
  for (int i = 0; i < 3; ++i)  // the one loop has taken both up before the last of these
    EXPECT_TRUE(answer_to("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").starts_with("HTTP/1.1 200"));
  others.reset();
  EXPECT_TRUE(point->receive_response().starts_with("HTTP/1.1 404"));
  EXPECT_TRUE(query->receive_response().starts_with("HTTP/1.1 200"));
}

TEST_F(Served, a_body_that_does_not_come_is_refused_in_qdrants_form) {
  expect_fault(
      answer_to("POST /collections/c/points/count HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{\""), 408,
      "too long");
}

TEST_F(Served, a_body_beyond_the_limit_is_refused_in_qdrants_form_before_it_is_sent) {
  const std::string head = "POST /collections/c/points/count HTTP/1.1\r\nHost: localhost\r\nContent-Length: ";
  expect_fault(answer_to(head + std::to_string(kMaxBodyBytes + 1) + "\r\n\r\n"), 413, "");
}

TEST_F(Served, what_is_no_request_is_refused_in_qdrants_form) { expect_fault(answer_to("what?\r\n\r\n"), 400, ""); }

}  // namespace
}  // namespace pandora::qdrant
