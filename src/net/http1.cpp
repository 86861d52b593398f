#include "net/http1.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include <fmt/format.h>

#include "base/text.h"

namespace pandora {
namespace {

tl::unexpected<HttpRefusal> refuse(std::string why, int status = 400, ErrorCode code = ErrorCode::kInvalidArgument) {
  return tl::unexpected<HttpRefusal>(HttpRefusal{status, Error{code, std::move(why), {}}});
}
tl::unexpected<HttpRefusal> too_large(int status, std::string why) {
  return refuse(std::move(why), status, ErrorCode::kTooLarge);
}

bool is_control(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F; }
bool is_visible_ascii(char c) { return c > 0x20 && c < 0x7F; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string_view trim_blanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// What stands behind a chunk's size and ";": names, each with a token or a quoted string as its value or none.
// RFC 9112, 7.1.1.
bool is_chunk_extension(std::string_view rest) {
  const auto skip_blanks = [&] { rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size())); };
  const auto take = [&](char wanted) {
    if (!rest.starts_with(wanted)) return false;
    rest.remove_prefix(1);
    return true;
  };
  const auto take_token = [&] {
    std::size_t end = 0;
    while (end < rest.size() && is_http_token(rest.substr(end, 1))) ++end;
    rest.remove_prefix(end);
    return end > 0;
  };
  const auto take_quoted = [&] {  // behind its first quote
    while (!rest.empty()) {
      if (take('"')) return true;
      if (take('\\') && rest.empty()) return false;
      rest.remove_prefix(1);
    }
    return false;
  };
  do {
    skip_blanks();
    if (!take_token()) return false;
    if (rest.empty()) return true;  // blanks stand before "=" and ";" alone
    skip_blanks();
    if (!take('=')) continue;
    skip_blanks();
    if (!(take('"') ? take_quoted() : take_token())) return false;
    if (rest.empty()) return true;
    skip_blanks();
  } while (take(';'));
  return false;
}

// What a trailer may hold is for its field's definition to say (RFC 9110, 6.5.1). These come too late there: they say
// which fields follow (6.6.2), for whom the message is (7.2), what its connection does (7.6.1) and how it is framed
// (RFC 9112, 6). A reader that merges a trailer into the head would take them for the head's.
bool may_trail(std::string_view name) {
  static constexpr std::array<std::string_view, 9> kHeadOnly = {"Connection", "Content-Length",    "Host",
                                                                "Keep-Alive", "Proxy-Connection",  "TE",
                                                                "Trailer",    "Transfer-Encoding", "Upgrade"};
  return std::ranges::none_of(kHeadOnly, [&](std::string_view field) { return equal_ignoring_case(field, name); });
}

// Takes one line off, without its CRLF. The head is known to hold only lines that end so.
std::string_view take_line(std::string_view& head) {
  const std::size_t end = head.find("\r\n");
  const std::string_view line = head.substr(0, end);
  head.remove_prefix(std::min(end + 2, head.size()));
  return line;
}

HttpParsed<HttpHeaders> parse_fields(std::string_view rest, const HttpHeadLimits& limits) {
  HttpHeaders headers;
  for (std::string_view line = take_line(rest); !line.empty(); line = take_line(rest)) {
    if (headers.size() == limits.fields) return too_large(431, fmt::format("more than {} headers", limits.fields));
    if (line.front() == ' ' || line.front() == '\t') return refuse("a header is folded over two lines");
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return refuse("a header has no colon");
    const std::string_view name = line.substr(0, colon), value = trim_blanks(line.substr(colon + 1));
    if (!is_http_token(name)) return refuse("a header's name is malformed");
    if (std::ranges::any_of(value, is_control))
      return refuse(fmt::format("the header {} holds a control character", name));
    headers.add(std::string(name), std::string(value));
  }
  return headers;
}

HttpParsed<BodyFraming> framing_of(const HttpHeaders& headers, int minor_version) {
  const std::size_t lengths = headers.count("Content-Length"), codings = headers.count("Transfer-Encoding");
  if (lengths > 0 && codings > 0) return refuse("both Content-Length and Transfer-Encoding are given");
  if (lengths > 1) return refuse("more than one Content-Length is given");
  if (codings > 1) return refuse("more than one Transfer-Encoding is given");
  if (codings == 1) {
    if (minor_version == 0) return refuse("HTTP/1.0 knows no Transfer-Encoding");
    if (!equal_ignoring_case(headers.get("Transfer-Encoding"), "chunked"))
      return refuse("the only Transfer-Encoding that is understood is \"chunked\"", 501);
    return BodyFraming{BodyKind::kChunked, 0};
  }
  if (lengths == 0) return BodyFraming{};
  const std::string_view text = headers.get("Content-Length");
  std::uint64_t length = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), length);
  if (text.empty() || parsed.ec != std::errc() || parsed.ptr != text.data() + text.size())
    return refuse("Content-Length is no number");
  return BodyFraming{BodyKind::kLength, length};
}

// "HTTP/1.1" → 1; -1 when it is none.
int minor_version_of(std::string_view text) {
  if (text.size() != 8 || !text.starts_with("HTTP/1.") || !is_digit(text[7])) return -1;
  return text[7] == '0' ? 0 : 1;  // a later 1.x is read as 1.1 (RFC 9110, 2.5)
}

// Words with commas between them, or nothing.
bool is_token_list(std::string_view value) {
  while (!value.empty()) {
    const std::size_t comma = std::min(value.find(','), value.size());
    const std::string_view word = trim_blanks(value.substr(0, comma));
    if (!word.empty() && !is_http_token(word)) return false;
    value.remove_prefix(std::min(comma + 1, value.size()));
  }
  return true;
}

// Whether the connection stays must not depend on who reads it.
HttpParsed<void> check_connection(const HttpHeaders& headers) {
  for (const auto& header : headers)
    for (const char* name : {"Connection", "Proxy-Connection"})
      if (equal_ignoring_case(header.name, name) && !is_token_list(header.value))
        return refuse(fmt::format("the header {} is malformed", name));
  return {};
}

Persistence persistence_of(const HttpHeaders& headers, int minor_version) {
  if (headers.lists("Connection", "close")) return Persistence::kClose;
  if (minor_version == 0 && !headers.lists("Connection", "keep-alive")) return Persistence::kClose;
  return Persistence::kKeepAlive;
}

// Path, query and, of an absolute target, the authority.
HttpParsed<void> split_target(RequestHead& head) {
  HttpRequest& request = head.request;
  std::string_view rest = request.target;
  if (rest == "*") {
    if (request.method != "OPTIONS") return refuse("the target \"*\" is for OPTIONS only");
    request.path = "*";
    return {};
  }
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!equal_ignoring_case(rest.substr(0, scheme.size()), scheme)) continue;
    rest.remove_prefix(scheme.size());
    const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
    head.authority = rest.substr(0, end);
    rest.remove_prefix(end);
    if (rest.empty() || rest.front() == '?') request.path = "/";
    break;
  }
  if (request.path.empty() && !rest.starts_with('/')) return refuse("the target must begin with a slash");
  const std::size_t mark = std::min(rest.find('?'), rest.size());
  if (request.path.empty()) request.path = rest.substr(0, mark);
  if (mark < rest.size()) request.query = rest.substr(mark + 1);
  return {};
}

}  // namespace

HttpParsed<std::size_t> find_head_end(std::string_view bytes, std::size_t seen, const HttpHeadLimits& limits) {
  const auto head_too_long = [&] {
    return too_large(431, fmt::format("the headers are longer than {} bytes", limits.bytes));
  };
  if (seen == 0 && !bytes.empty() && !is_http_token(bytes.substr(0, 1)))
    return refuse(bytes.front() == 0x16 ? "this is TLS, but plain HTTP is spoken here" : "this is no HTTP");
  for (std::size_t at = bytes.find('\n', seen); at != std::string_view::npos; at = bytes.find('\n', at + 1)) {
    if (at == 0 || bytes[at - 1] != '\r') return refuse("a line ends without a carriage return");
    if (at >= 3 && bytes[at - 2] == '\n')
      return at + 1 <= limits.bytes ? HttpParsed<std::size_t>(at + 1) : head_too_long();
    if (at + 1 > limits.bytes) return head_too_long();
  }
  if (bytes.size() > limits.bytes) return head_too_long();
  return std::string_view::npos;
}

HttpParsed<RequestHead> parse_request_head(std::string_view bytes, const HttpHeadLimits& limits) {
  RequestHead head;
  std::string_view rest = bytes;
  const std::string_view line = take_line(rest);
  const std::size_t first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return refuse("the request line is malformed");
  HttpRequest& request = head.request;
  request.method = line.substr(0, first);
  request.target = line.substr(first + 1, last - first - 1);
  if (!is_http_token(request.method) || request.method.size() > kMaxMethodBytes)
    return refuse("the method is malformed");
  if (request.target.size() > limits.target_bytes)
    return too_large(414, fmt::format("the target is longer than {} bytes", limits.target_bytes));
  if (request.target.empty() || !std::ranges::all_of(request.target, is_visible_ascii) ||
      request.target.find('#') != std::string::npos)
    return refuse("the target holds a character that must be percent-encoded");
  const std::string_view version = line.substr(last + 1);
  request.minor_version = minor_version_of(version);
  if (request.minor_version < 0) {
    const bool other = version.starts_with("HTTP/") && version.size() > 5 && is_digit(version[5]);
    return other ? refuse("only HTTP/1.1 is spoken here", 505) : refuse("the request line is malformed");
  }
  auto fields = parse_fields(rest, limits);
  if (!fields) return tl::unexpected(std::move(fields).error());
  request.headers = *std::move(fields);
  auto framing = framing_of(request.headers, request.minor_version);
  if (!framing) return tl::unexpected(std::move(framing).error());
  head.body = *framing;
  if (auto checked = check_connection(request.headers); !checked) return tl::unexpected(std::move(checked).error());
  head.persistence = persistence_of(request.headers, request.minor_version);
  if (request.headers.count("Host") != 1) return refuse("exactly one Host header is needed");
  head.authority = request.headers.get("Host");
  if (auto split = split_target(head); !split) return tl::unexpected(std::move(split).error());
  return head;
}

HttpParsed<ResponseHead> parse_response_head(std::string_view bytes, std::string_view method,
                                             const HttpHeadLimits& limits) {
  ResponseHead head;
  std::string_view rest = bytes;
  const std::string_view line = take_line(rest);
  const int minor_version = minor_version_of(line.substr(0, 8));
  const bool shaped = minor_version >= 0 && line.size() >= 12 && line[8] == ' ' &&
                      (line.size() == 12 || line[12] == ' ') && std::ranges::all_of(line.substr(9, 3), is_digit) &&
                      std::ranges::none_of(line, is_control);
  if (!shaped || line[9] == '0') return refuse("the status line is malformed");
  std::from_chars(line.data() + 9, line.data() + 12, head.status);
  auto fields = parse_fields(rest, limits);
  if (!fields) return tl::unexpected(std::move(fields).error());
  head.headers = *std::move(fields);
  head.persistence = persistence_of(head.headers, minor_version);
  if (head.status < 200 || head.status == 204 || head.status == 304 || method == "HEAD") return head;
  auto framing = framing_of(head.headers, minor_version);
  if (!framing) return tl::unexpected(std::move(framing).error());
  head.body = *framing;
  if (head.body.kind == BodyKind::kNone) head.body.kind = BodyKind::kUntilClose;
  if (head.body.kind == BodyKind::kUntilClose) head.persistence = Persistence::kClose;
  return head;
}

BodyDecoder::BodyDecoder(BodyFraming framing, std::uint64_t max_bytes)
    : kind_(framing.kind), state_(State::kData), left_(framing.length), max_bytes_(max_bytes) {
  if (kind_ == BodyKind::kChunked) state_ = State::kSize;
  if (kind_ == BodyKind::kNone || (kind_ == BodyKind::kLength && left_ == 0)) state_ = State::kDone;
}

bool BodyDecoder::end_of_stream() {
  if (kind_ == BodyKind::kUntilClose) state_ = State::kDone;
  return done();
}

HttpParsed<BodyDecoder::Step> BodyDecoder::next(std::string_view bytes) {
  Step step;
  while (step.consumed < bytes.size() && state_ != State::kDone) {
    if (state_ != State::kData && state_ != State::kChunk) {
      if (auto read = control(bytes[step.consumed]); !read) return tl::unexpected(std::move(read).error());
      ++step.consumed;
      continue;
    }
    const std::size_t here = bytes.size() - step.consumed;
    const std::size_t take =
        kind_ == BodyKind::kUntilClose ? here : static_cast<std::size_t>(std::min<std::uint64_t>(here, left_));
    if (take > max_bytes_ - received_ || (kind_ == BodyKind::kLength && left_ > max_bytes_ - received_))
      return too_large(413, fmt::format("the body is longer than {} bytes", max_bytes_));
    step.body = bytes.substr(step.consumed, take);
    step.consumed += take;
    received_ += take;
    if (kind_ != BodyKind::kUntilClose) left_ -= take;
    if (kind_ == BodyKind::kLength && left_ == 0) state_ = State::kDone;
    if (kind_ == BodyKind::kChunked && left_ == 0) state_ = State::kChunkCr;
    return step;
  }
  return step;
}

// One byte of what surrounds the chunks.
HttpParsed<void> BodyDecoder::control(char c) {
  const auto malformed = [] { return refuse("a chunk is malformed"); };
  const auto expect = [&](char wanted, State then) -> HttpParsed<void> {
    if (c != wanted) return malformed();
    state_ = then;
    return {};
  };
  const bool in_size_line = state_ == State::kSize || state_ == State::kExtension;
  if (in_size_line && ++line_ > kMaxChunkLineBytes) return too_large(400, "the line before a chunk is too long");
  const bool in_trailer = state_ == State::kTrailer || state_ == State::kTrailerName || state_ == State::kTrailerValue;
  if (in_trailer && ++trailer_ > kMaxTrailerBytes) return too_large(431, "the trailer is too long");
  switch (state_) {
    case State::kSize: {
      int digit = -1;
      if (is_digit(c))
        digit = c - '0';
      else if (c >= 'a' && c <= 'f')
        digit = c - 'a' + 10;
      else if (c >= 'A' && c <= 'F')
        digit = c - 'A' + 10;
      if (digit < 0 && !digits_) return malformed();
      if (digit >= 0) {
        if (left_ >> 60 != 0) return malformed();  // sixteen digits and no more
        left_ = left_ << 4 | static_cast<std::uint64_t>(digit);
        digits_ = true;
        if (left_ > max_bytes_ - received_)
          return too_large(413, fmt::format("the body is longer than {} bytes", max_bytes_));
        return {};
      }
      if (c == ';')
        state_ = State::kExtension;
      else
        return expect('\r', State::kSizeLf);
      return {};
    }
    case State::kExtension:
      if (c != '\r') {
        if (is_control(c)) return malformed();
        held_ += c;
        return {};
      }
      if (!is_chunk_extension(held_)) return malformed();
      held_.clear();
      state_ = State::kSizeLf;
      return {};
    case State::kSizeLf: {
      auto read = expect('\n', left_ == 0 ? State::kTrailer : State::kChunk);
      line_ = 0, digits_ = false;
      return read;
    }
    case State::kChunkCr:
      return expect('\r', State::kChunkLf);
    case State::kChunkLf:
      return expect('\n', State::kSize);
    case State::kTrailer:
      if (c == '\r')
        state_ = State::kLastLf;
      else if (!is_http_token({&c, 1}))
        return malformed();
      else
        held_ = c, state_ = State::kTrailerName;
      return {};
    case State::kTrailerName:
      if (c != ':') {
        if (!is_http_token({&c, 1})) return malformed();
        held_ += c;
        return {};
      }
      if (!may_trail(held_)) return refuse(fmt::format("the trailer holds {}, which belongs in the head", held_));
      state_ = State::kTrailerValue;
      return {};
    case State::kTrailerValue:
      if (c == '\r')
        state_ = State::kTrailerLf;
      else if (is_control(c))
        return malformed();
      return {};
    case State::kTrailerLf:
      return expect('\n', State::kTrailer);
    case State::kLastLf:
      return expect('\n', State::kDone);
    case State::kData:
    case State::kChunk:
    case State::kDone:
      break;
  }
  return malformed();
}

std::string host_of_authority(std::string_view authority) {
  std::string_view host = authority, port;
  if (host.starts_with('[')) {
    const std::size_t end = host.find(']');
    if (end == std::string_view::npos) return {};
    port = host.substr(end + 1);
    host = host.substr(1, end - 1);
    if (!std::ranges::all_of(host, [](char c) {
          return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' || c == '.';
        }))
      return {};
  } else {
    const std::size_t colon = std::min(host.find(':'), host.size());
    port = host.substr(colon);
    host = host.substr(0, colon);
    const auto fits = [](char c) {
      return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_';
    };
    if (!std::ranges::all_of(host, fits)) return {};
  }
  if (!port.empty() && (port.front() != ':' || port.size() > 6 || !std::ranges::all_of(port.substr(1), is_digit)))
    return {};
  std::string name(host);
  std::ranges::transform(name, name.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return name;
}

}  // namespace pandora
