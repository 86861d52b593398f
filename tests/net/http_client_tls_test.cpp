// The client over TLS: who is trusted, and that a cut connection is no end.
#include <gmock/gmock.h>

#include "client_world.h"
#include "net/http_server.h"
#include "support/http_routes.h"

namespace pandora {
namespace {

using ::testing::HasSubstr;

using namespace testing;  // our doubles
using Writer = std::shared_ptr<ResponseWriter>;

class TlsTest : public HttpClientTest {
 protected:
  static std::string file(const char* name) { return std::string(PANDORA_TLS_FILES) + "/" + name; }
  std::unique_ptr<HttpServer> serve(const char* certificate, const char* key) {
    routes_.on("/", [](const HttpRequest& request, const Writer& writer) {
      writer->respond(text_response("secret " + request.body));
    });
    routes_.on(
        "/stream",
        [](HttpRequest, const Writer& writer) {
          writer->start(200, {});
          for (int i = 0; i < 64; ++i) {
            if (!writer->wait_writable(Deadline::never())) return;
            writer->write(std::string(64 * 1024, 's'));
          }
          writer->finish();
        },
        RunOn::kPool);
    HttpServerOptions options;
    options.tls = TlsFiles{file(certificate), file(key)};
    auto server = HttpServer::listen(options, threads_, routes_, random_);
    EXPECT_TRUE(server) << server.error().to_line();
    return *std::move(server);
  }
  HttpClientOptions trusting() {
    HttpClientOptions options;
    options.ca_file = file("ca.pem");
    return options;
  }
  Routes routes_;
};

TEST_F(TlsTest, SpeaksOverTlsAndKeepsTheConnection) {
  const auto server = serve("server.pem", "server.key");
  client(trusting());
  for (const std::string host : {"127.0.0.1", "localhost"})
    for (int i = 0; i < 3; ++i) {
      const auto response = client().fetch(
          {"POST", "https://" + host + ":" + std::to_string(server->port()) + "/", {}, std::string(100'000, 'b'), {}},
          Deadline::never());
      ASSERT_TRUE(response) << response.error().to_line();
      EXPECT_EQ(response->body.size(), 100'007u);
    }
  EXPECT_EQ(server->stats().accepted, 2u);
  const auto stream = get("https://localhost:" + std::to_string(server->port()) + "/stream");
  ASSERT_TRUE(stream) << stream.error().to_line();
  EXPECT_EQ(stream->body.size(), 64u * 64 * 1024);
}

TEST_F(TlsTest, RefusesAnUnknownAuthorityAndAnotherName) {
  auto server = serve("server.pem", "server.key");
  const auto unknown = get("https://localhost:" + std::to_string(server->port()) + "/");
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().to_line(), HasSubstr("certificate"));
  client_.reset();
  client(trusting());
  EXPECT_TRUE(get("https://localhost:" + std::to_string(server->port()) + "/"));
  server = nullptr;
  server = serve("other.pem", "other.key");
  const auto other = get("https://localhost:" + std::to_string(server->port()) + "/");
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().to_line(), HasSubstr("mismatch"));
}

TEST_F(TlsTest, PlainAndTlsTellEachOtherApart) {
  const auto server = serve("server.pem", "server.key");
  EXPECT_FALSE(get("http://localhost:" + std::to_string(server->port()) + "/"));
  Routes plain;
  const auto open = HttpServer::listen({}, threads_, plain, random_);
  const auto response = get("https://localhost:" + std::to_string((*open)->port()) + "/");
  ASSERT_FALSE(response);
  EXPECT_THAT(response.error().to_line(), HasSubstr("no TLS"));
}

TEST_F(TlsTest, AConnectionThatIsCutUnderTlsIsNoEndOfABody) {
  // Without close_notify somebody in between may have cut it.
  const auto server = serve("server.pem", "server.key");
  RawServer gate([&](RawConnection& peer, int) {
    const auto upstream = connect_raw(server->port());
    std::thread back([&] {
      for (int i = 0; i < 40'000; ++i) {
        const std::string bytes = upstream->receive(1);
        if (bytes.empty() || !peer.send(bytes)) break;
      }
      peer.end_sending();
    });
    for (std::string bytes = peer.receive(1); !bytes.empty(); bytes = peer.receive(1))
      if (!upstream->send(bytes)) break;
    back.join();
  });
  client(trusting());
  const auto response = get("https://localhost:" + std::to_string(gate.port()) + "/stream");
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace pandora
