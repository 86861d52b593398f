#include "net/http1.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "net/origin_check.h"
#include "net/smuggling_corpus.h"
#include "net/url.h"

namespace pandora {
namespace {

HttpParsed<RequestHead> read_head(std::string_view bytes, const HttpHeadLimits& limits = {}) {
  const auto end = find_head_end(bytes, 0, limits);
  if (!end) return tl::unexpected(end.error());
  if (*end != bytes.size()) return tl::unexpected(HttpRefusal{0, Error{ErrorCode::kInternal, "incomplete", {}}});
  return parse_request_head(bytes, limits);
}

HttpParsed<std::string> decode(BodyFraming framing, std::string_view bytes, std::uint64_t most, std::size_t slice) {
  BodyDecoder decoder(framing, most);
  std::string body;
  for (std::size_t at = 0; at < bytes.size() && !decoder.done();) {
    const auto piece = bytes.substr(at, slice);
    for (std::size_t used = 0; used < piece.size() && !decoder.done();) {
      const auto step = decoder.next(piece.substr(used));
      if (!step) return tl::unexpected(step.error());
      used += step->consumed;
      body += step->body;
    }
    at += piece.size();
  }
  if (!decoder.done()) return tl::unexpected(HttpRefusal{0, Error{ErrorCode::kInternal, "incomplete", {}}});
  return body;
}
HttpParsed<std::string> decode_chunked(std::string_view bytes, std::uint64_t most = 1000) {
  return decode({BodyKind::kChunked, 0}, bytes, most, SIZE_MAX);
}

TEST(Http1, ReadsARequest) {
  const auto head = read_head(
      "POST /v1/turns?limit=3&x=%20 HTTP/1.1\r\nHost: Localhost:9000\r\nX-A:  one two \t\r\nX-a: "
      "three\r\nContent-Length: 12\r\n\r\n");
  ASSERT_TRUE(head) << head.error().error.message;
  EXPECT_EQ(head->request.method, "POST");
  EXPECT_EQ(head->request.path, "/v1/turns");
  EXPECT_EQ(head->request.query, "limit=3&x=%20");
  EXPECT_EQ(head->request.headers.get("x-A"), "one two");
  EXPECT_EQ(head->request.headers.count("x-a"), 2u);
  EXPECT_EQ(head->authority, "Localhost:9000");
  EXPECT_EQ(head->body.length, 12u);
  EXPECT_EQ(head->persistence, Persistence::kKeepAlive);
}

TEST(Http1, AnAbsoluteTargetNamesTheHost) {
  const auto head = read_head("GET http://example.org:81?q HTTP/1.1\r\nHost: other\r\n\r\n");
  ASSERT_TRUE(head) << head.error().error.message;
  EXPECT_EQ(head->authority, "example.org:81");
  EXPECT_EQ(head->request.path, "/");
  EXPECT_EQ(head->request.query, "q");
}

TEST(Http1, RefusesEveryRequestOfTheSmugglingCorpus) {
  for (const auto& [name, bytes] : testing::kSmuggledHeads) {
    const auto head = read_head(bytes);
    EXPECT_GE(head ? 200 : head.error().status, 400) << name;
  }
  for (const auto& [name, bytes] : testing::kSmuggledChunks) {
    const auto body = decode_chunked(bytes);
    EXPECT_GE(body ? 200 : body.error().status, 400) << name;
  }
}

TEST(Http1, AHeadMayBeAsLongAsTheLimitAndNoLonger) {
  HttpHeadLimits limits;
  limits.bytes = 100;
  const std::string frame = "GET / HTTP/1.1\r\nHost: x\r\nA: \r\n\r\n";
  std::string exact = frame;
  exact.insert(frame.find("A: ") + 3, std::string(100 - frame.size(), 'v'));
  ASSERT_EQ(exact.size(), 100u);
  EXPECT_TRUE(read_head(exact, limits));
  std::string over = exact;
  over.insert(over.find("vv"), "v");
  EXPECT_EQ(read_head(over, limits).error().status, 431);
  // Also before its end has come.
  EXPECT_EQ(find_head_end(std::string(101, 'A'), 0, limits).error().status, 431);
  EXPECT_EQ(*find_head_end(std::string(100, 'A'), 0, limits), std::string::npos);
}

TEST(Http1, CountsHeadersAndMeasuresTheTarget) {
  HttpHeadLimits limits;
  limits.fields = 3;
  limits.target_bytes = 10;
  EXPECT_TRUE(read_head("GET / HTTP/1.1\r\nHost: x\r\na: 1\r\nb: 2\r\n\r\n", limits));
  EXPECT_EQ(read_head("GET / HTTP/1.1\r\nHost: x\r\na: 1\r\nb: 2\r\nc: 3\r\n\r\n", limits).error().status, 431);
  EXPECT_TRUE(read_head("GET /123456789 HTTP/1.1\r\nHost: x\r\n\r\n", limits));
  EXPECT_EQ(read_head("GET /1234567890 HTTP/1.1\r\nHost: x\r\n\r\n", limits).error().status, 414);
}

TEST(Http1, ALateEndIsFoundWhereverTheHeadIsCut) {
  const std::string head = "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n\r\n";
  for (std::size_t first = 1; first < head.size(); ++first) {
    EXPECT_EQ(*find_head_end(std::string_view(head).substr(0, first), 0, {}), std::string::npos);
    EXPECT_EQ(*find_head_end(head, first, {}), head.size()) << first;
  }
}

TEST(Http1, TakesTheFramingOffHoweverTheBodyIsCut) {
  const std::string chunked =
      "5\r\nhello\r\n1;name=\"v\"; b = \"\\\"\" ;c\r\n \r\n0006\r\nworld!\r\n0\r\nSum: dropped\r\n\r\n";
  for (std::size_t slice = 1; slice <= chunked.size(); ++slice) {
    const auto body = decode({BodyKind::kChunked, 0}, chunked, 12, slice);
    ASSERT_TRUE(body) << slice << body.error().error.message;
    EXPECT_EQ(*body, "hello world!");
  }
  EXPECT_EQ(*decode({BodyKind::kLength, 5}, "helloNEXT", 5, 2), "hello");
}

TEST(Http1, ABodyMayBeAsLongAsTheLimitAndNoLonger) {
  EXPECT_TRUE(decode_chunked("a\r\n0123456789\r\n0\r\n\r\n", 10));
  EXPECT_EQ(decode_chunked("b\r\n0123456789a\r\n0\r\n\r\n", 10).error().status, 413);
  EXPECT_EQ(decode_chunked("5\r\n01234\r\n6\r\n567890\r\n0\r\n\r\n", 10).error().status, 413);
  EXPECT_TRUE(decode({BodyKind::kLength, 10}, "0123456789", 10, 3));
  EXPECT_EQ(decode({BodyKind::kLength, 11}, "0123456789a", 10, 3).error().status, 413);
  BodyDecoder until_close({BodyKind::kUntilClose, 0}, 10);
  EXPECT_TRUE(until_close.next("0123456789"));
  EXPECT_EQ(until_close.next("a").error().status, 413);
  EXPECT_TRUE(until_close.end_of_stream());
}

TEST(Http1, ATrailerAndTheLineOfAChunkAreBounded) {
  EXPECT_TRUE(decode_chunked("1;" + std::string(kMaxChunkLineBytes - 3, 'e') + "\r\nx\r\n0\r\n\r\n"));
  EXPECT_FALSE(decode_chunked("1;" + std::string(kMaxChunkLineBytes - 2, 'e') + "\r\nx\r\n0\r\n\r\n"));
  EXPECT_TRUE(decode_chunked("0\r\nT:" + std::string(kMaxTrailerBytes - 100, 't') + "\r\n\r\n"));
  EXPECT_FALSE(decode_chunked("0\r\nT:" + std::string(kMaxTrailerBytes, 't') + "\r\n\r\n"));
}

TEST(Http1, ATrailerHoldsNoFieldOfTheFramingTheRoutingOrTheConnection) {
  for (const char* field : {"Connection", "Content-Length", "Host", "Keep-Alive", "Proxy-Connection", "TE", "Trailer",
                            "Transfer-Encoding", "Upgrade", "trAnsfer-enCoding"}) {
    const auto body = decode_chunked(fmt::format("1\r\nx\r\n0\r\nSum: 1\r\n{}: y\r\n\r\n", field));
    ASSERT_FALSE(body) << field;
    EXPECT_EQ(body.error().status, 400) << field;
    EXPECT_NE(body.error().error.message.find(field), std::string::npos) << body.error().error.message;
  }
  // Only whole names count.
  EXPECT_TRUE(decode_chunked("1\r\nx\r\n0\r\nHos: 1\r\nHosts: 1\r\nX-Content-Length: 2\r\nETag: \"a\"\r\n\r\n"));
}

TEST(Http1, KnowsHowAnAnswerEnds) {
  const auto kind = [](std::string_view head, std::string_view method) {
    return parse_response_head(head, method, {})->body.kind;
  };
  EXPECT_EQ(kind("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "GET"), BodyKind::kLength);
  EXPECT_EQ(kind("HTTP/1.1 200\r\nTransfer-Encoding: Chunked\r\n\r\n", "GET"), BodyKind::kChunked);
  EXPECT_EQ(kind("HTTP/1.1 200 OK\r\n\r\n", "GET"), BodyKind::kUntilClose);
  EXPECT_EQ(kind("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "HEAD"), BodyKind::kNone);
  EXPECT_EQ(kind("HTTP/1.1 204 No Content\r\n\r\n", "GET"), BodyKind::kNone);
  EXPECT_EQ(kind("HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", "GET"), BodyKind::kNone);
  EXPECT_EQ(parse_response_head("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n", "GET", {})->persistence,
            Persistence::kClose);
}

TEST(Http1, RefusesAnswersThatCanBeReadTwoWays) {
  for (const std::string_view head :
       {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/2 200 OK\r\n\r\n", "ICY 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\n folded: x\r\n\r\n", "HTTP/1.1 000 OK\r\n\r\n"})
    EXPECT_FALSE(parse_response_head(head, "GET", {})) << head;
}

TEST(Http1, TheHostIsTheAuthorityWithoutItsPort) {
  EXPECT_EQ(host_of_authority("LocalHost:80"), "localhost");
  EXPECT_EQ(host_of_authority("[::1]:9000"), "::1");
  EXPECT_EQ(host_of_authority("127.0.0.1"), "127.0.0.1");
  for (const std::string_view bad :
       {"", "a b", "user@host", "host:port", "host:123456", "[::1", "[::g]", "a/b", "evil.com,localhost"})
    EXPECT_EQ(host_of_authority(bad), "") << bad;
}

TEST(HttpTypes, NoValueBeginsAHeaderOfItsOwn) {
  std::string out;
  append_header(out, "A", "one\r\nSet-Cookie: two\0three");
  EXPECT_EQ(out, "A: one  Set-Cookie: two\r\n");
  append_header(out, "bad name", "x");
  EXPECT_EQ(out, "A: one  Set-Cookie: two\r\n");
}

TEST(HttpTypes, DecodesPercentEscapes) {
  EXPECT_EQ(*percent_decode("a%20b%C3%A9%2f"), "a b\xC3\xA9/");
  for (const std::string_view bad : {"%", "%2", "%g0", "%00", "a%2"}) EXPECT_FALSE(percent_decode(bad)) << bad;
}

TEST(HttpTypes, AnErrorHasOpenAisShape) {
  const HttpResponse response = error_response(Error{ErrorCode::kNotFound, "no \"turn\"\n", {}});
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.body,
            R"({"error":{"message":"no \"turn\" ","type":"not_found_error","param":null,"code":"not_found"}})");
}

TEST(Url, ReadsAndWrites) {
  const auto url = parse_url("HTTP://Example.org:8080/v1?x=1#part");
  ASSERT_TRUE(url) << url.error().to_line();
  EXPECT_EQ(url->to_string(), "http://example.org:8080/v1?x=1");
  EXPECT_EQ(parse_url("https://a")->to_string(), "https://a/");
  EXPECT_EQ(parse_url("https://[::1]:443?q")->to_string(), "https://[::1]/?q");
  EXPECT_EQ(parse_url("http://[::1]")->port, 80);
  for (const std::string_view bad : {"", "example.org", "ftp://a/", "http://", "http://a b/", "http://a:99999/",
                                     "http://a:0/", "http://a:x/", "http://a/\n", "file:///etc/passwd"})
    EXPECT_FALSE(parse_url(bad)) << bad;
  const auto secret = parse_url("http://me:hunter2@a/");
  EXPECT_EQ(secret.error().to_line().find("hunter2"), std::string::npos);
  EXPECT_TRUE(parse_url("http://a/" + std::string(kMaxUrlBytes - 9, 'x')));
  EXPECT_FALSE(parse_url("http://a/" + std::string(kMaxUrlBytes - 8, 'x')));
}

TEST(Url, ResolvesReferences) {
  const Url base = *parse_url("https://a.org:444/x/y?q");
  const auto to = [&](std::string_view reference) { return resolve_url(base, reference)->to_string(); };
  EXPECT_EQ(to("http://b/"), "http://b/");
  EXPECT_EQ(to("//b/z"), "https://b/z");
  EXPECT_EQ(to("/z?r"), "https://a.org:444/z?r");
  EXPECT_EQ(to("z"), "https://a.org:444/x/z");
  EXPECT_EQ(to("?r=http://c/"), "https://a.org:444/x/y?r=http://c/");
  EXPECT_EQ(to("#top"), "https://a.org:444/x/y?q");
}

RequestHead asking(std::string authority, HttpHeaders headers = {}, std::string method = "GET") {
  RequestHead head;
  head.authority = std::move(authority);
  head.request.method = std::move(method);
  head.request.headers = std::move(headers);
  return head;
}

TEST(OriginCheck, ALoopbackServerAnswersToLoopbacksNamesOnly) {
  for (const char* good : {"127.0.0.1:9000", "localhost", "LOCALHOST:1", "[::1]:9000", "127.1.2.3"})
    EXPECT_TRUE(check_origin(asking(good), {})) << good;
  for (const char* bad :
       {"evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1", "127.0.0", "", "0.0.0.0"})
    EXPECT_FALSE(check_origin(asking(bad), {})) << bad;
  const OriginPolicy named{Exposure::kLoopback, {"pandora.home"}, {}};
  EXPECT_TRUE(check_origin(asking("pandora.home:9000"), named));
}

TEST(OriginCheck, BeyondLoopbackAnyNameIsFineUnlessNamesAreGiven) {
  EXPECT_TRUE(check_origin(asking("anything.example"), {Exposure::kBeyond, {}, {}}));
  EXPECT_FALSE(check_origin(asking("anything.example"), {Exposure::kBeyond, {"pandora.example"}, {}}));
  EXPECT_FALSE(check_origin(asking("localhost"), {Exposure::kBeyond, {"pandora.example"}, {}}));
}

TEST(OriginCheck, ForeignPagesMayNotCall) {
  const std::string own = "127.0.0.1:9000";
  EXPECT_TRUE(check_origin(asking(own, {{"Origin", "http://127.0.0.1:9000"}}), {}));
  for (const char* bad :
       {"http://evil.example", "null", "http://127.0.0.1:9001", "http://localhost:9000", "file://127.0.0.1:9000", ""})
    EXPECT_FALSE(check_origin(asking(own, {{"Origin", bad}}), {})) << bad;
  EXPECT_TRUE(check_origin(asking(own, {{"Origin", "https://chat.example"}}),
                           {Exposure::kLoopback, {}, {"https://chat.example"}}));
  EXPECT_FALSE(check_origin(asking(own, {{"Origin", "http://127.0.0.1:9000"}, {"Origin", "http://evil.example"}}), {}));
}

TEST(OriginCheck, WhatAPageEmbedsMayNotCallButALinkMayLeadHere) {
  const std::string own = "localhost:9000";
  EXPECT_FALSE(check_origin(
      asking(own, {{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Mode", "no-cors"}, {"Sec-Fetch-Dest", "image"}}), {}));
  EXPECT_FALSE(check_origin(asking(own, {{"Sec-Fetch-Site", "same-site"}}), {}));
  EXPECT_FALSE(check_origin(
      asking(own, {{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Mode", "navigate"}, {"Sec-Fetch-Dest", "iframe"}}),
      {}));
  const HttpHeaders link = {
      {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Mode", "navigate"}, {"Sec-Fetch-Dest", "document"}};
  EXPECT_TRUE(check_origin(asking(own, link), {}));
  EXPECT_FALSE(check_origin(asking(own, link, "POST"), {}));
  EXPECT_TRUE(check_origin(asking(own, {{"Sec-Fetch-Site", "same-origin"}}), {}));
}

}  // namespace
}  // namespace pandora
