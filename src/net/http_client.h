// An HTTP/1.1 client: pooled connections, a limit for everything, streaming with back-pressure.
//
// A call is started with a sink and cancelled by its handle. The sink is told of the head, the body piece by piece as
// it comes, and exactly one end; on an I/O thread, one call at a time, without blocking. Environment variables for
// proxies are not looked at. Errors: kInvalidArgument (URL, header), kUnavailable (no name, no connection, no TLS, cut
// off, no HTTP), kDeadlineExceeded (naming which limit), kTooLarge (head, body), kResourceExhausted (too many calls),
// kCancelled.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "net/http1.h"
#include "net/http_types.h"
#include "net/io_threads.h"

namespace pandora {

inline constexpr std::size_t kMaxSocketPath = 107;  // what the kernel takes

enum class Reach {
  kAny,
  kPublicOnly,  // no loopback, private or otherwise special address, whatever name leads there; checked at each
                // redirect
};
enum class Repeatable {
  kByMethod,  // GET, HEAD, OPTIONS, PUT and DELETE may be sent again
  kYes,       // the caller knows that twice is as good as once
  kNo,
};

struct HttpTimeouts {
  Duration connect = std::chrono::seconds(5);  // name, connection and TLS together; also waiting for a free connection
  Duration first_byte =
      std::chrono::seconds(60);              // from sending to the answer's first byte, and from its head to its body
  Duration idle = std::chrono::seconds(60);  // between two bytes; not while the sink pauses
};

struct HttpCallOptions {
  HttpTimeouts timeouts;
  std::size_t max_head_bytes = 64 * 1024;
  std::uint64_t max_body_bytes = 64 << 20;
  int attempts = 2;       // at most; again only while no byte of an answer has come
  int max_redirects = 0;  // followed at most; credentials stay with their origin, https never becomes http
  Repeatable repeatable = Repeatable::kByMethod;
  Reach reach = Reach::kAny;
};

struct HttpCallRequest {
  std::string method = "GET";
  std::string url;
  HttpHeaders headers;  // Host, Content-Length and Connection are added
  std::string body;
  HttpCallOptions options;
};

enum class Flow { kMore, kPause };

class HttpCallSink {
 public:
  virtual ~HttpCallSink() = default;
  virtual void on_head(const ResponseHead& head) = 0;
  virtual Flow on_body(std::string_view bytes) = 0;  // taken, whatever it returns; kPause: no more until resume
  virtual void on_done() = 0;
  virtual void on_error(Error error) = 0;
};

// Destroying it cancels, and waits until no call of the sink is under way, except from within such a call.
class HttpCall {
 public:
  virtual ~HttpCall() = default;
  virtual void cancel() = 0;  // kCancelled follows, unless the end has been told already; returns at once
  virtual void resume() = 0;  // after kPause; from any thread
};

struct HttpClientLimits {
  std::size_t connections_per_server = 2048;  // further calls wait for one
  std::size_t idle_per_server = 256;          // kept open between calls
  std::size_t calls = 8192;                   // waiting and under way: kResourceExhausted past it
  Duration idle_time = std::chrono::seconds(30);
};

class NameLookup;

struct HttpClientOptions {
  HttpClientLimits limits;
  std::string ca_file;  // PEM; empty: the system's authorities
  // The path of a Unix socket (at most kMaxSocketPath bytes): every call goes there, whatever host its URL names, as
  // Docker's Engine wants it. Empty: to where the name leads.
  std::string unix_socket;
  std::shared_ptr<NameLookup> names;  // null: this machine's (name_lookup.h)
};

struct HttpClientStats {
  std::size_t calls = 0, idle_connections = 0, connections = 0;  // now
  std::uint64_t connected = 0, retried = 0;                      // since the start
};

class HttpClient {
 public:
  // `threads` outlives it.
  static Result<std::unique_ptr<HttpClient>> create(HttpClientOptions options, IoThreads& threads);
  virtual ~HttpClient() = default;  // calls under way end with kCancelled
  // Never fails at once: what is wrong is told to the sink. The sink must outlive the handle.
  virtual std::unique_ptr<HttpCall> start(HttpCallRequest request, const Deadline& deadline, HttpCallSink& sink) = 0;
  // Calls once, on an I/O thread (the calling one, if it is one), when so much time has passed; never when the client
  // ends before.
  virtual void after(Duration wait, std::function<void()> call) = 0;
  virtual HttpClientStats stats() const = 0;

  // The whole answer, whatever its status. Blocks: not on an I/O thread.
  Result<HttpResponse> fetch(HttpCallRequest request, const Deadline& deadline);
};

}  // namespace pandora
