#include "fetch/fetch_page.h"

#include <atomic>

#include <gmock/gmock.h>

#include "fetch/packing.h"
#include "support/raw_tcp.h"

namespace pandora {
namespace {

using ::testing::HasSubstr;
using testing::pack;
using testing::RawConnection;
using testing::RawServer;

std::string answer(const std::string& body, const std::string& type = "text/html", const std::string& more = "") {
  return "HTTP/1.1 200 OK\r\nContent-Type: " + type + "\r\n" + more + "Content-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}
std::string redirect(const std::string& to, int status = 302) {
  return "HTTP/1.1 " + std::to_string(status) + " Found\r\nLocation: " + to + "\r\nContent-Length: 0\r\n\r\n";
}
// A server that gives the same answer to everything.
RawServer::Script always(std::string bytes) {
  return [bytes = std::move(bytes)](RawConnection& peer, int) {
    while (!peer.receive_until("\r\n\r\n").empty())
      if (!peer.send(bytes)) return;
  };
}

class FetchPage : public ::testing::Test {
 protected:
  FetchPage() {
    options_.reach = options_.reach_redirected = Reach::kAny;
    options_.timeouts = {std::chrono::seconds(5), std::chrono::seconds(5), std::chrono::seconds(5)};
  }
  Fetched fetch(const std::string& url, const std::function<bool()>& stopped = [] { return false; }) {
    return fetch_page(*client_, clock_, url, options_, Deadline::never(), stopped);
  }
  ErrorCode code_of(const std::string& url) {
    const Fetched fetched = fetch(url);
    EXPECT_FALSE(fetched.page) << url;
    return fetched.page ? ErrorCode::kInternal : fetched.page.error().code;
  }

  SystemClock clock_;
  IoThreads threads_{clock_};
  std::unique_ptr<HttpClient> client_ = *HttpClient::create({}, threads_);
  FetchOptions options_;
};

TEST_F(FetchPage, APageIsReadWithItsTitleItsTextAndItsLinks) {
  RawServer server(
      always(answer("<title>Caf\xE9</title><p>Bonjour<a href=/menu>menu</a>", "text/html; charset=\"ISO-8859-1\"")));
  const Fetched fetched = fetch(server.url() + "/x?y=1#z");
  ASSERT_TRUE(fetched.page) << fetched.page.error().to_line();
  EXPECT_EQ(fetched.page->content.title, "Café");
  EXPECT_EQ(fetched.page->content.text, "Bonjourmenu");
  EXPECT_EQ(fetched.page->content.links[0].url, server.url() + "/menu");
  EXPECT_EQ(fetched.page->url, server.url() + "/x?y=1");
  EXPECT_FALSE(fetched.page->cut);
  ASSERT_TRUE(fetched.attempt);
  EXPECT_EQ(fetched.attempt->domain, "127.0.0.1");
  EXPECT_TRUE(fetched.attempt->ok);
  EXPECT_EQ(fetched.attempt->detail, "text/html in CP1252");
}

TEST_F(FetchPage, OtherTextIsGivenAsItIs) {
  for (const char* type : {"text/plain", "application/json", "application/ld+json; charset=utf-8", "TEXT/CSV"}) {
    RawServer server(always(answer("{\"a\": \"<b>\"}", type)));
    EXPECT_EQ(fetch(server.url()).page->content.text, "{\"a\": \"<b>\"}") << type;
  }
  RawServer silent(always("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n <p>hello"));
  EXPECT_EQ(fetch(silent.url()).page->content.text, "hello");
}

TEST_F(FetchPage, WhatHoldsNoTextIsRefused) {
  for (const char* type :
       {"image/png", "application/octet-stream", "video/mp4", "application/pdf", "x", "multipart/mixed"}) {
    RawServer server(always(answer("\x89PNG", type)));
    EXPECT_EQ(code_of(server.url()), ErrorCode::kInvalidArgument) << type;
  }
  RawServer binary(always(std::string("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na\0b", 43)));
  EXPECT_EQ(code_of(binary.url()), ErrorCode::kInvalidArgument);
}

TEST_F(FetchPage, NoPrivateAddressIsReachedAndNoSourceIsBlamed) {
  RawServer server(always(answer("private")));
  const std::string port = ":" + std::to_string(server.port());
  options_ = {};
  for (const std::string host :
       {"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "127.1.2.3", "10.0.0.1", "169.254.169.254",
        "[fe80::1]", "[fd00::1]", "100.64.0.1", "192.168.0.1", "[64:ff9b::7f00:1]"}) {
    const Fetched fetched = fetch("http://" + host + port + "/");
    ASSERT_FALSE(fetched.page) << host;
    EXPECT_EQ(fetched.page.error().code, ErrorCode::kPermissionDenied) << host;
    EXPECT_FALSE(fetched.attempt) << host;
  }
  EXPECT_EQ(server.connections(), 0);
}

TEST_F(FetchPage, ARedirectToAPrivateAddressIsNotFollowed) {
  RawServer secret(always(answer("secret")));
  RawServer server(always(redirect(secret.url())));
  options_.reach_redirected = Reach::kPublicOnly;
  EXPECT_EQ(code_of(server.url()), ErrorCode::kPermissionDenied);
  RawServer metadata(always(redirect("http://169.254.169.254/latest/meta-data")));
  EXPECT_EQ(code_of(metadata.url()), ErrorCode::kPermissionDenied);
  EXPECT_EQ(secret.connections(), 0);
}

TEST_F(FetchPage, RedirectsAreFollowedSoFarAndNoFurther) {
  std::atomic<int> hops = 0;
  std::atomic<int> turns_to_page_at = options_.redirects;
  RawServer server([&](RawConnection& peer, int) {
    while (!peer.receive_until("\r\n\r\n").empty())
      peer.send(hops++ < turns_to_page_at ? redirect("next", 307) : answer("<p>there"));
  });
  EXPECT_EQ(fetch(server.url() + "/a/b").page->url, server.url() + "/a/next");
  hops = 0, turns_to_page_at = options_.redirects + 1;
  EXPECT_EQ(code_of(server.url()), ErrorCode::kUnavailable);
  EXPECT_EQ(hops, options_.redirects + 1);
}

TEST_F(FetchPage, OddRedirectsAreErrors) {
  for (const char* to :
       {"file:///etc/passwd", "gopher://x/", "http://", "http://a b/", "http://user:pw@127.0.0.1/", "javascript:x"}) {
    RawServer server(always(redirect(to)));
    const Fetched fetched = fetch(server.url());
    EXPECT_FALSE(fetched.page) << to;
  }
  RawServer nowhere(always("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_EQ(code_of(nowhere.url()), ErrorCode::kUnavailable);
}

TEST_F(FetchPage, WhatTheServerRefusesIsSaidAndCountsAgainstIt) {
  const std::pair<const char*, ErrorCode> refusals[] = {{"404 Not Found", ErrorCode::kNotFound},
                                                        {"410 Gone", ErrorCode::kNotFound},
                                                        {"403 Forbidden", ErrorCode::kUnavailable},
                                                        {"429 Too Many Requests", ErrorCode::kUnavailable},
                                                        {"500 Internal Server Error", ErrorCode::kUnavailable}};
  for (const auto& [status, code] : refusals) {
    RawServer server(always("HTTP/1.1 " + std::string(status) + "\r\nContent-Length: 2\r\n\r\nno"));
    const Fetched fetched = fetch(server.url());
    ASSERT_FALSE(fetched.page) << status;
    EXPECT_EQ(fetched.page.error().code, code) << status;
    EXPECT_THAT(fetched.page.error().message, HasSubstr(status));
    ASSERT_TRUE(fetched.attempt);
    EXPECT_FALSE(fetched.attempt->ok);
    EXPECT_THAT(fetched.attempt->detail, HasSubstr(status));
  }
}

TEST_F(FetchPage, PackedBodiesAreUnpackedWithinTheirMaximum) {
  const std::string page = "<p>" + std::string(5000, 'x') + "</p>";
  for (const auto& [coding, body] :
       std::vector<std::pair<std::string, std::string>>{{"gzip", pack(page)},
                                                        {"deflate", pack(page, testing::kZlib)},
                                                        {"deflate", pack(page, testing::kRawDeflate)}}) {
    RawServer server(always(answer(body, "text/html", "Content-Encoding: " + coding + "\r\n")));
    EXPECT_EQ(fetch(server.url()).page->content.text.size(), 5000u) << coding;
  }
  RawServer bomb(always(answer(pack("<p>" + std::string(64 << 20, 'x')), "text/html", "Content-Encoding: gzip\r\n")));
  const Fetched cut = fetch(bomb.url());
  ASSERT_TRUE(cut.page);
  EXPECT_TRUE(cut.page->cut);
  EXPECT_LE(cut.page->body.size(), options_.unpacked_bytes);
  EXPECT_LE(cut.page->content.text.size(), options_.text_bytes);
  RawServer other(always(answer("x", "text/html", "Content-Encoding: br\r\n")));
  EXPECT_EQ(code_of(other.url()), ErrorCode::kInvalidArgument);
  RawServer twice(always(answer("x", "text/html", "Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n")));
  EXPECT_EQ(code_of(twice.url()), ErrorCode::kInvalidArgument);
  RawServer lies(always(answer("<p>no", "text/html", "Content-Encoding: gzip\r\n")));
  EXPECT_EQ(code_of(lies.url()), ErrorCode::kDataCorrupt);
}

TEST_F(FetchPage, AnEndlessBodyIsCut) {
  options_.body_bytes = 100'000;
  RawServer endless([](RawConnection& peer, int) {
    peer.receive_until("\r\n\r\n");
    peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (peer.send("400\r\n" + std::string(0x400, 'x') + "\r\n")) continue;
  });
  const Fetched fetched = fetch(endless.url());
  ASSERT_TRUE(fetched.page) << fetched.page.error().to_line();
  EXPECT_EQ(fetched.page->body.size(), 100'000u);
  EXPECT_TRUE(fetched.page->cut);
}

TEST_F(FetchPage, TheLongestBodyIsWholeAndOneByteMoreIsCut) {
  options_.body_bytes = 5000;
  for (const std::size_t bytes : {5000u, 5001u}) {
    RawServer server(always(answer(std::string(bytes, 'x'), "text/plain")));
    EXPECT_EQ(fetch(server.url()).page->cut, bytes > 5000) << bytes;
    EXPECT_EQ(fetch(server.url()).page->body.size(), 5000u) << bytes;
  }
}

TEST_F(FetchPage, AServerThatStallsOrDripsIsLeftInTime) {
  options_.time = std::chrono::milliseconds(200);
  RawServer stalls([](RawConnection& peer, int) {
    peer.receive_until("\r\n\r\n");
    peer.receive_all();
  });
  const Fetched fetched = fetch(stalls.url());
  ASSERT_FALSE(fetched.page);
  EXPECT_EQ(fetched.page.error().code, ErrorCode::kDeadlineExceeded);
  ASSERT_TRUE(fetched.attempt);
  EXPECT_FALSE(fetched.attempt->ok);
  RawServer half([](RawConnection& peer, int) {
    peer.receive_until("\r\n\r\n");
    peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\nbegun");
    peer.receive_all();
  });
  EXPECT_EQ(code_of(half.url()), ErrorCode::kDeadlineExceeded);
  options_.time = std::chrono::seconds(20);
  options_.timeouts.idle = options_.timeouts.first_byte = std::chrono::milliseconds(100);
  EXPECT_EQ(code_of(half.url()), ErrorCode::kDeadlineExceeded);
}

TEST_F(FetchPage, WhoStopsItIsHeardAtOnceAndNoSourceIsBlamed) {
  std::atomic<bool> asked = false;
  RawServer stalls([&](RawConnection& peer, int) {
    peer.receive_until("\r\n\r\n");
    asked = true;
    peer.receive_all();
  });
  const Fetched fetched = fetch(stalls.url(), [&] { return asked.load(); });
  ASSERT_FALSE(fetched.page);
  EXPECT_EQ(fetched.page.error().code, ErrorCode::kCancelled);
  EXPECT_FALSE(fetched.attempt);
}

TEST_F(FetchPage, WhatIsNoUrlIsRefusedBeforeAnythingIsSent) {
  for (const char* url : {"", "x", "example.com", "ftp://example.com/", "file:///etc/passwd", "http://",
                          "http://user:pw@example.com/", "http://exa mple.com/", "http://example.com:0/",
                          "http://example.com:99999/", "javascript:alert(1)", "http://\xC3\xA9.example/"}) {
    const Fetched fetched = fetch(url);
    ASSERT_FALSE(fetched.page) << url;
    EXPECT_EQ(fetched.page.error().code, ErrorCode::kInvalidArgument) << url;
    EXPECT_FALSE(fetched.attempt) << url;
  }
}

TEST_F(FetchPage, AServerThatIsNotThereOrSpeaksNoHttpIsUnavailable) {
  std::uint16_t port = 0;
  {
    RawServer gone(always(""));
    port = gone.port();
  }
  EXPECT_EQ(code_of("http://127.0.0.1:" + std::to_string(port) + "/"), ErrorCode::kUnavailable);
  for (const char* bytes : {"SSH-2.0-x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "\x16\x03\x01"}) {
    RawServer odd([&](RawConnection& peer, int) {
      peer.receive_until("\r\n\r\n");
      peer.send(bytes);
    });
    EXPECT_EQ(code_of(odd.url()), ErrorCode::kUnavailable) << bytes;
  }
}

}  // namespace
}  // namespace pandora
