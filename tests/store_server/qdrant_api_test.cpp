// One server and how it is asked: versions, keys, connections, repeats, and what is no answer.
#include "store_server/scripted_qdrant.h"
#include "support/raw_tcp.h"

namespace pandora::testing {
namespace {

class QdrantApiTest : public ScriptedQdrant {
 protected:
  QdrantApi& api() {
    if (!api_) api_ = must(QdrantApi::create(options_.server, *client_));
    return *api_;
  }
  Result<QdrantAnswer> get() { return api().get("/collections", kNever); }
  void answer_to_all(HttpResponse response) {
    script = [=](const Asked& one) { return one.target == "/" ? version("1.18.3") : response; };
  }

 private:
  std::unique_ptr<QdrantApi> api_;
};

TEST_F(QdrantApiTest, the_version_is_asked_for_once_and_the_key_goes_with_every_request) {
  must(get());
  must(get());
  EXPECT_EQ(lines(), (std::vector<std::string>{"GET /", "GET /collections", "GET /collections"}));
  for (const auto& one : asked()) EXPECT_EQ(one.key, "a-secret");
}

TEST_F(QdrantApiTest, versions_below_the_oldest_are_refused_by_name_and_newer_ones_are_taken) {
  for (const char* old : {"1.17.9", "0.11.1", "1.9.0", "1", "", "one.two", "-1.18"}) {
    script = [&](const Asked&) { return version(old); };
    const auto refused = must(QdrantApi::create(options_.server, *client_))->get("/collections", kNever);
    EXPECT_FAILS(kIncompatible, refused) << old;
    EXPECT_NE(refused.error().message.find(std::string("version ") + old), std::string::npos);
    EXPECT_NE(refused.error().message.find("1.18"), std::string::npos);
  }
  for (const char* good : {"1.18.0", "1.18.3-dev", "1.19.0", "1.20", "2.0.0"}) {
    script = [&](const Asked& one) { return one.target == "/" ? version(good) : answer(Json::object()); };
    EXPECT_TRUE(must(QdrantApi::create(options_.server, *client_))->get("/collections", kNever)) << good;
  }
}

TEST_F(QdrantApiTest, whatever_is_no_answer_of_the_api_is_said_to_be_none) {
  const HttpResponse html{200, {{"Content-Type", "text/html"}}, "<html>It works!</html>"};
  script = [&](const Asked&) { return html; };
  EXPECT_FAILS(kUnavailable, get());
  script = [&](const Asked&) { return HttpResponse{200, {}, R"({"title": "another"})"}; };
  EXPECT_FAILS(kUnavailable, get());
  for (const HttpResponse& bad :
       {html, HttpResponse{200, {}, ""}, HttpResponse{200, {}, "[]"}, HttpResponse{200, {}, R"({"status":"ok"})"},
        HttpResponse{204, {}, ""}, HttpResponse{404, {}, ""}, HttpResponse{404, {}, "<html>Not Found</html>"},
        HttpResponse{302, {{"Location", "/elsewhere"}}, ""}, HttpResponse{502, {}, "Bad Gateway"}}) {
    answer_to_all(bad);
    const auto got = get();
    EXPECT_FAILS(kUnavailable, got) << bad.status << bad.body;
    EXPECT_NE(got.error().message.find(options_.server.url), std::string::npos) << got.error().message;
    EXPECT_FALSE(got.error().remedy.empty());
  }
}

TEST_F(QdrantApiTest, every_status_has_its_code_and_a_remedy_and_no_message_holds_the_key) {
  using enum ErrorCode;
  const std::vector<std::pair<int, ErrorCode>> codes = {
      {400, kInvalidArgument}, {401, kUnauthenticated},   {403, kPermissionDenied}, {404, kNotFound},
      {405, kIncompatible},    {408, kDeadlineExceeded},  {409, kConflict},         {413, kTooLarge},
      {422, kInvalidArgument}, {429, kResourceExhausted}, {500, kUnavailable},      {501, kIncompatible},
      {503, kUnavailable},     {507, kStorageFull}};
  for (const auto& [status, code] : codes)
    for (const HttpResponse& response :
         {refusal(status, "what it\nsays"), HttpResponse{status, {{"Content-Type", "text/plain"}}, "what it\nsays"}}) {
      answer_to_all(response);
      const auto got = get();
      ASSERT_FALSE(got);
      const bool plain = response.body[0] != '{';
      const bool needs_form = status == 400 || status == 404 || status == 409 || status == 422;
      EXPECT_EQ(got.error().code, plain && needs_form ? kUnavailable : code) << status << response.body;
      EXPECT_NE(got.error().message.find("what it says"), std::string::npos) << got.error().message;
      EXPECT_FALSE(got.error().remedy.empty());
      EXPECT_EQ(got.error().to_line().find("a-secret"), std::string::npos);
    }
  answer_to_all(refusal(400, std::string(100'000, 'x')));
  EXPECT_LT(get().error().message.size(), 600U);
}

TEST_F(QdrantApiTest, what_may_be_done_twice_is_sent_again_when_the_connection_ends_and_nothing_else) {
  const std::string good = R"({"result":{},"status":"ok","time":0})";
  const auto respond = [](const std::string& body) {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  };
  // Each connection answers one request and ends with the next one.
  std::atomic<int> requests = 0;
  RawServer server([&](RawConnection& connection, int) {
    const std::string first = connection.receive_until("\r\n\r\n");
    ++requests;
    connection.send(respond(first.starts_with("GET / ") ? version("1.19.0").body : good));
    if (!connection.receive_until("\r\n\r\n").empty()) ++requests;
  });
  const auto api = must(QdrantApi::create({server.url(), "", {}}, *client_));
  must(api->check_version(kNever));
  EXPECT_TRUE(api->get("/collections", kNever));  // sent again on a second connection
  EXPECT_EQ(requests, 3);
  EXPECT_EQ(server.connections(), 2);
  EXPECT_TRUE(api->ask("/collections/c/points/query", "{}", kNever));
  EXPECT_EQ(requests, 5);
  EXPECT_FAILS(kUnavailable, api->send("PUT", "/collections/c", "{}", Repeatable::kNo, kNever));
  EXPECT_EQ(requests, 6);
  EXPECT_EQ(server.connections(), 3);
}

TEST_F(QdrantApiTest, connections_are_kept_and_a_server_that_was_away_is_asked_for_its_version_again) {
  for (int i = 0; i < 20; ++i) must(get());
  EXPECT_EQ(client_->stats().connected, 1U);
  const std::string good =
      "HTTP/1.1 200 OK\r\nContent-Length: 36\r\n\r\n"
      R"({"result":{},"status":"ok","time":0})";
  std::mutex mutex;
  std::vector<std::string> first_lines;
  RawServer server([&](RawConnection& connection, int which) {
    const std::string head = connection.receive_until("\r\n\r\n");
    {
      const std::lock_guard lock(mutex);
      first_lines.push_back(head.substr(0, head.find(" HTTP")));
    }
    if (which == 1 || which == 2) return;  // it ends without a word, twice: it is away
    const std::string body = version("1.18.3").body;
    connection.send(head.starts_with("GET / ") ? "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " +
                                                     std::to_string(body.size()) + "\r\n\r\n" + body
                                               : good);
  });
  const auto api = must(QdrantApi::create({server.url(), "", {}}, *client_));
  EXPECT_FAILS(kUnavailable, api->get("/a", kNever));
  EXPECT_TRUE(api->get("/b", kNever));
  EXPECT_EQ(first_lines, (std::vector<std::string>{"GET /", "GET /a", "GET /a", "GET /", "GET /b"}));
}

TEST_F(QdrantApiTest, an_answer_that_does_not_come_ends_with_the_deadline_or_the_time_it_may_take) {
  RawServer mute([](RawConnection& connection, int) { connection.receive_all(); });
  QdrantServer server{mute.url(), "", {}};
  server.timeouts.first_byte = std::chrono::milliseconds(50);
  EXPECT_FAILS(kDeadlineExceeded, must(QdrantApi::create(server, *client_))->get("/a", kNever));
  server.timeouts.first_byte = std::chrono::seconds(20);
  EXPECT_FAILS(
      kDeadlineExceeded,
      must(QdrantApi::create(server, *client_))->get("/a", Deadline::after(clock_, std::chrono::milliseconds(50))));
}

TEST_F(QdrantApiTest, a_url_keeps_its_path_and_a_bad_one_is_refused) {
  options_.server.url += "/behind/a/proxy/";
  script = [](const Asked& one) {
    return one.target == "/behind/a/proxy/" ? version("1.18.3") : answer(Json::object());
  };
  must(get());
  EXPECT_EQ(lines(), (std::vector<std::string>{"GET /behind/a/proxy/", "GET /behind/a/proxy/collections"}));
  for (const char* bad : {"", "qdrant:6333", "ftp://x", "http://user:secret@host"}) {
    const auto refused = QdrantApi::create({bad, "", {}}, *client_);
    EXPECT_FAILS(kInvalidArgument, refused) << bad;
    EXPECT_EQ(refused.error().to_line().find("secret"), std::string::npos);
  }
}

TEST(PathSegment, what_is_no_plain_character_is_escaped) {
  EXPECT_EQ(path_segment("Plain-1_2~"), "Plain-1_2~");
  EXPECT_EQ(path_segment("a b/..?é"), "a%20b%2F%2E%2E%3F%C3%A9");
}

}  // namespace
}  // namespace pandora::testing
