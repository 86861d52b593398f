// HTTP/1.1 on the wire, read strictly. Pure: no I/O, no clock; a fuzzer compares it with Boost.Beast.
//
// Two readers that disagree where a message ends are how requests are smuggled past a proxy. So whatever RFC 9112 calls
// ambiguous or obsolete is refused, not repaired: a bare CR or LF, folded lines, space around a header's name, a second
// Content-Length or Host, Content-Length beside Transfer-Encoding, any coding but "chunked", sizes that overflow, a
// field of the framing, the routing or the connection in a trailer.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "net/http_types.h"

namespace pandora {

// Why bytes are refused, with the status that a client is told.
struct HttpRefusal {
  int status = 400;
  Error error;
};
template <class T>
using HttpParsed = tl::expected<T, HttpRefusal>;

struct HttpHeadLimits {
  std::size_t bytes = 32 * 1024;        // first line and headers: 431 past it
  std::size_t fields = 100;             // headers: 431
  std::size_t target_bytes = 8 * 1024;  // 414
};
inline constexpr std::size_t kMaxChunkLineBytes = 256;     // size and extensions of one chunk
inline constexpr std::size_t kMaxTrailerBytes = 8 * 1024;  // checked and dropped
inline constexpr std::size_t kMaxMethodBytes = 32;

enum class BodyKind { kNone, kLength, kChunked, kUntilClose };
struct BodyFraming {
  BodyKind kind = BodyKind::kNone;
  std::uint64_t length = 0;  // of kLength
};
enum class Persistence { kKeepAlive, kClose };

struct RequestHead {
  HttpRequest request;    // without body, id and peer
  std::string authority;  // of the Host header, or of an absolute target
  BodyFraming body;
  Persistence persistence = Persistence::kKeepAlive;
};
struct ResponseHead {
  int status = 0;
  HttpHeaders headers;
  BodyFraming body;
  Persistence persistence = Persistence::kKeepAlive;
};

// Where the head ends: the offset past its empty line, or npos when that has not come yet. `seen`: how many bytes an
// earlier call has looked at. Refused as soon as it can be told: bytes that begin no message, a bare LF, a head too
// long.
HttpParsed<std::size_t> find_head_end(std::string_view bytes, std::size_t seen, const HttpHeadLimits& limits);

// `head` is complete, with its empty line.
HttpParsed<RequestHead> parse_request_head(std::string_view head, const HttpHeadLimits& limits);
// `method`: of the request that it answers: the answer to HEAD has no body.
HttpParsed<ResponseHead> parse_response_head(std::string_view head, std::string_view method,
                                             const HttpHeadLimits& limits);

// Takes the framing off a body, however its bytes are cut.
class BodyDecoder {
 public:
  BodyDecoder(BodyFraming framing, std::uint64_t max_bytes);
  struct Step {
    std::size_t consumed = 0;  // of the bytes given
    std::string_view body;     // the next piece; lies in the bytes given
  };
  // One step: call again with the rest until done, or until nothing is left. 413 past max_bytes.
  HttpParsed<Step> next(std::string_view bytes);
  bool done() const { return state_ == State::kDone; }
  // The other side closed: true when that is how this body ends.
  bool end_of_stream();
  std::uint64_t received() const { return received_; }

 private:
  enum class State {
    kData,
    kSize,
    kExtension,
    kSizeLf,
    kChunk,
    kChunkCr,
    kChunkLf,
    kTrailer,
    kTrailerName,
    kTrailerValue,
    kTrailerLf,
    kLastLf,
    kDone
  };
  HttpParsed<void> control(char c);
  BodyKind kind_;
  State state_;
  std::uint64_t left_ = 0;  // of the body or of the chunk
  std::uint64_t max_bytes_, received_ = 0;
  std::size_t line_ = 0;  // bytes of the control line
  std::string held_;      // of that line: a chunk's extension, or the name of a trailer's field
  std::size_t trailer_ = 0;
  bool digits_ = false;
};

// "name:port", "[::1]:port" or "name" → the name in lower case without brackets and port; empty when it is malformed.
std::string host_of_authority(std::string_view authority);

}  // namespace pandora
