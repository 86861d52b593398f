// Two readers of HTTP/1.1, ours and Boost.Beast's: whatever ours takes for a request, Beast takes for the same one,
// with the same method, target, headers, body and end; and however the bytes are cut, ours reads the same.
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "net/http1.h"

namespace {

namespace http = boost::beast::http;
constexpr std::uint64_t kMaxBody = 1 << 20;

struct Message {
  pandora::RequestHead head;
  std::string body;
  std::size_t length = 0;
  bool operator==(const Message& other) const {
    return body == other.body && length == other.length && head.request.target == other.head.request.target;
  }
};

// The body's bytes come `slice` at a time.
std::optional<Message> read_ours(std::string_view bytes, std::size_t slice) {
  const auto end = pandora::find_head_end(bytes, 0, {});
  if (!end || *end == std::string_view::npos) return std::nullopt;
  auto head = pandora::parse_request_head(bytes.substr(0, *end), {});
  if (!head) return std::nullopt;
  Message message{*std::move(head), {}, *end};
  pandora::BodyDecoder decoder(message.head.body, kMaxBody);
  while (!decoder.done()) {
    const std::string_view piece = bytes.substr(message.length, slice);
    if (piece.empty()) return std::nullopt;
    const auto step = decoder.next(piece);
    if (!step) return std::nullopt;
    message.length += step->consumed;
    message.body += step->body;
  }
  return message;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto ours = read_ours(bytes, SIZE_MAX);
  if (ours != read_ours(bytes, 1)) std::abort();
  if (!ours) return 0;

  // A later 1.x is read as 1.1 (RFC 9110, 2.5); Beast knows none.
  std::string known(bytes.substr(0, ours->length));
  char& minor_version = known[known.find("\r\n") - 1];
  if (minor_version > '1') minor_version = '1';

  http::request_parser<http::string_body> beast;
  beast.eager(true);
  beast.body_limit(kMaxBody);
  beast.header_limit(64 * 1024);
  boost::system::error_code error;
  std::size_t used = 0;
  while (!beast.is_done() && used < ours->length) {
    const std::size_t took = beast.put(boost::asio::buffer(known.data() + used, known.size() - used), error);
    used += took;
    if (error || took == 0) break;
  }
  if (error || !beast.is_done() || used != ours->length) std::abort();
  const auto& theirs = beast.get();
  const auto& mine = ours->head.request;
  if (theirs.method_string() != mine.method || theirs.target() != mine.target || theirs.body() != ours->body)
    std::abort();
  // Beast adds the fields of a trailer; ours drops them. The head's own stand first.
  auto field = theirs.begin();
  std::size_t count = 0;
  for (const auto& header : mine.headers) {
    std::size_t same = 0;
    for (field = theirs.begin(); field != theirs.end(); ++field)
      same += field->name_string() == header.name && field->value() == header.value;
    if (same == 0) std::abort();
    ++count;
  }
  if (count > static_cast<std::size_t>(std::distance(theirs.begin(), theirs.end()))) std::abort();
  return 0;
}
