// What travels over HTTP, as values: headers, requests, responses.
//
// Nothing here does I/O. Names of headers are compared without case and kept as they came. A value that goes out is
// cleaned of control characters, so that no text of a stranger can begin a header of its own.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pandora {

struct HttpHeader {
  std::string name, value;
};

// In the order in which they came; a name may stand more than once.
class HttpHeaders {
 public:
  HttpHeaders() = default;
  HttpHeaders(std::initializer_list<HttpHeader> headers) : all_(headers) {}
  void add(std::string name, std::string value) { all_.push_back({std::move(name), std::move(value)}); }
  void set(std::string_view name, std::string value);  // replaces every one of that name
  void remove(std::string_view name);
  std::string_view get(std::string_view name) const;  // the first; empty when there is none
  bool has(std::string_view name) const;
  std::size_t count(std::string_view name) const;
  // Does a comma-separated list of this name hold the word? "Connection: keep-alive, Upgrade"
  bool lists(std::string_view name, std::string_view word) const;
  std::size_t size() const { return all_.size(); }
  auto begin() const { return all_.begin(); }
  auto end() const { return all_.end(); }

 private:
  std::vector<HttpHeader> all_;
};

// A request as a handler gets it: complete, within the limits, its Host and Origin checked.
struct HttpRequest {
  std::string method;     // "POST"
  std::string target;     // "/v1/turns?limit=3", as sent
  std::string path;       // "/v1/turns", still percent-encoded
  std::string query;      // "limit=3", without the question mark
  int minor_version = 1;  // of HTTP/1.x
  HttpHeaders headers;
  std::string body;
  std::string id;    // the client's X-Request-Id when it is a fit name, otherwise a new one
  std::string peer;  // address of the client: "127.0.0.1"
};

struct HttpResponse {
  int status = 200;
  HttpHeaders headers;  // Content-Length, Date, Connection and X-Request-Id are added
  std::string body;
};

// Does the head say that no more than so many bytes of body follow? A chunked body says nothing of its size.
bool has_small_body(const HttpRequest& head, std::size_t most);
inline constexpr std::size_t kSmallBodyBytes = 64 * 1024;  // what is larger should be read on the pool

std::string_view reason_phrase(int status);  // "Not Found"; "" for one that is not known
bool equal_ignoring_case(std::string_view a, std::string_view b);
bool is_http_token(std::string_view text);  // a method or the name of a header (RFC 9110, 5.6.2)

// "a%20b" → "a b". kInvalidArgument for a broken escape or a NUL.
Result<std::string> percent_decode(std::string_view text);

// OpenAI's error object: {"error": {"message", "type", "param": null, "code"}}, with the status of the error's code.
HttpResponse error_response(const Error& error);
HttpResponse error_response(int status, const Error& error);
// How a server words what it refuses by itself.
using HttpErrorForm = HttpResponse (*)(int status, const Error& error);

// Appends "name: value\r\n" with control characters of the value replaced by spaces; a name that is no token is left
// out.
void append_header(std::string& out, std::string_view name, std::string_view value);

}  // namespace pandora
