// Our server before Boost.Beast's client, our client before a server made of Beast, and where the two readers differ.
#include <future>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/http_client.h"
#include "net/server_case.h"
#include "net/smuggling_corpus.h"

namespace pandora {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using namespace testing;  // our doubles
using asio::ip::tcp;

using BeastPeerTest = ServerCase;

TEST_F(BeastPeerTest, ItsClientUnderstandsOurServer) {
  routes_.on(
      "/stream",
      [](HttpRequest, const Writer& writer) {
        writer->start(200, {{"Content-Type", "text/plain"}});
        for (int i = 0; i < 100; ++i) {
          if (!writer->wait_writable(Deadline::never())) return;
          writer->write("piece " + std::to_string(i) + "\n");
        }
        writer->finish();
      },
      RunOn::kPool);
  listen();
  asio::io_context io;
  tcp::socket socket(io);
  socket.connect({asio::ip::make_address("127.0.0.1"), server_->port()});
  boost::beast::flat_buffer buffer;
  const auto ask = [&](http::verb method, const char* target, const std::string& body, bool chunked) {
    http::request<http::string_body> request{method, target, 11, body};
    request.set(http::field::host, "localhost");
    if (chunked)
      request.chunked(true);
    else
      request.prepare_payload();
    http::write(socket, request);
    http::response<http::string_body> response;
    http::read(socket, buffer, response);
    return response;
  };
  EXPECT_EQ(ask(http::verb::get, "/hello", "", false).body(), "hello");
  EXPECT_EQ(ask(http::verb::post, "/echo", "sized", false).body(), "POST sized");
  EXPECT_EQ(ask(http::verb::put, "/echo", "chunked", true).body(), "PUT chunked");
  EXPECT_EQ(ask(http::verb::get, "/nowhere", "", false).result_int(), 404u);
  const auto stream = ask(http::verb::get, "/stream", "", false);
  EXPECT_TRUE(stream.chunked());
  EXPECT_TRUE(stream.body().ends_with("piece 99\n"));
  EXPECT_TRUE(stream.keep_alive());
  EXPECT_EQ(server_->stats().accepted, 1u);
}

TEST_F(BeastPeerTest, OurClientUnderstandsItsServer) {
  asio::io_context io;
  tcp::acceptor acceptor(io, {asio::ip::make_address("127.0.0.1"), 0});
  std::thread beast([&] {
    tcp::socket socket(io);
    acceptor.accept(socket);
    boost::beast::flat_buffer buffer;
    for (int i = 0; i < 3; ++i) {
      http::request<http::string_body> request;
      http::read(socket, buffer, request);
      http::response<http::string_body> response{
          http::status::ok, 11,
          std::string(request.method_string()) + " " + std::string(request.target()) + " " + request.body()};
      if (i == 1)
        response.chunked(true);
      else
        response.prepare_payload();
      response.keep_alive(true);
      http::write(socket, response);
    }
  });
  const auto client = HttpClient::create({}, threads_);
  ASSERT_TRUE(client);
  const std::string url = "http://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port());
  for (const char* body : {"one", "two", "three"}) {
    const auto response = (*client)->fetch({"POST", url + "/x?y", {}, body, {}}, Deadline::never());
    ASSERT_TRUE(response) << response.error().to_line();
    EXPECT_EQ(response->body, std::string("POST /x?y ") + body);
  }
  EXPECT_EQ((*client)->stats().connected, 1u);
  beast.join();
}

// Why there is a stricter reader (docs/adr/0006): these are refused here and taken there.
TEST(BeastReader, TakesWhatOursRefuses) {
  std::vector<std::string> taken;
  for (const auto& [name, bytes] : kSmuggledHeads) {
    http::request_parser<http::empty_body> parser;
    boost::system::error_code error;
    parser.put(asio::buffer(bytes.data(), bytes.size()), error);
    if (!error && parser.is_header_done()) taken.emplace_back(name);
  }
  EXPECT_THAT(taken, ::testing::IsSupersetOf({"a folded header", "a folded coding", "the same length twice",
                                              "a list of codings", "an unknown coding", "a coding in HTTP/1.0",
                                              "two Hosts", "no Host"}))
      << ::testing::PrintToString(taken);
}

}  // namespace
}  // namespace pandora
