// An HTTP/1.1 server: a thousand idle streams hold no thread and a few kilobytes each.
//
// A router looks at each request's head and names a handler, where it runs and how long a body it takes. A handler gets
// the complete request and a writer, and answers at once or later, from any thread, whole or as a stream. On the I/O
// thread (RunOn::kLoop) it must not block; on the bounded pool it may. Everything that a stranger can use up has a
// named maximum. What the server itself refuses is answered in OpenAI's error shape; every answer carries X-Request-Id.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "net/http1.h"
#include "net/http_types.h"
#include "net/io_threads.h"

namespace pandora {

struct HttpServerLimits {
  std::size_t connections = 4096;                   // one more is answered 503 and closed
  std::size_t requests_in_flight = 2048;            // taken up and not yet answered: 429 past it
  std::size_t pool_threads = 8, queue = 256;        // of RunOn::kPool; a full queue: 429
  HttpHeadLimits head;                              // 431, 414
  std::size_t buffered_body_bytes = 256 << 20;      // of all requests together: 429 past it
  std::size_t response_high_water = 64 * 1024;      // unsent bytes of a stream at which its writer is asked to pause
  std::size_t kernel_unsent = 128 * 1024;           // the same in the kernel, which takes megabytes when it may
  std::size_t response_bytes = 64 << 20;            // unsent at most; a writer that does not pause is cut off there
  Duration header_time = std::chrono::seconds(10);  // first byte (or the connection) to the end of the head: 408
  Duration body_time = std::chrono::seconds(60);    // all of the body: 408
  Duration idle_time = std::chrono::seconds(75);    // between two requests: closed
  Duration stall_time = std::chrono::seconds(30);   // a reader that takes no byte for so long is cut off
};
inline constexpr std::size_t kMaxReadAheadBytes = 16 * 1024;      // of requests sent before they are due
inline constexpr Duration kLingerTime = std::chrono::seconds(2);  // for a refused client to read the refusal

enum class BeyondLoopback { kRefused, kKeysAreConfigured };
struct TlsFiles {
  std::string certificate, key;  // PEM
};

struct HttpServerOptions {
  std::string address = "127.0.0.1";  // an address, or "localhost"
  std::uint16_t port = 0;             // 0: any free one
  BeyondLoopback beyond_loopback = BeyondLoopback::kRefused;
  std::optional<TlsFiles> tls;
  std::vector<std::string> hosts;    // further names it answers to, see net/origin_check.h
  std::vector<std::string> origins;  // pages that may call it
  HttpServerLimits limits;
  HttpErrorForm error_form = error_response;
};

enum class WriteState {
  kMore,   // go on
  kPause,  // taken, but the reader is slow: wait until it is writable
  kGone,   // the client left; nothing more will be read
};

// One answer. Thread-safe. Dropped without an answer it becomes a 500; dropped in the middle of a stream it cuts the
// connection, so that the client sees that something is missing.
class ResponseWriter {
 public:
  virtual ~ResponseWriter() = default;
  virtual void respond(HttpResponse response) = 0;  // all of it; instead of start
  virtual void start(int status,
                     HttpHeaders headers) = 0;  // a stream; chunked, unless Content-Length is among the headers
  // Sent at once; on the I/O thread pieces that are written within one call of it go out together at its end, behind
  // the first. None waits for a timer.
  virtual WriteState write(std::string_view bytes) = 0;
  virtual void finish() = 0;  // the stream's proper end
  // The client closed its side, or the connection broke. What is written nevertheless is delivered when it still can
  // be.
  virtual bool gone() const = 0;
  // Each called at most once, on an I/O thread, at once when it is so already; a new one replaces the last. They must
  // not block. They are dropped when the answer is complete.
  virtual void when_gone(std::function<void()> call) = 0;
  virtual void when_writable(std::function<void()> call) = 0;
  // Waits, on a thread that may, until little is unsent. kCancelled when the client left, kDeadlineExceeded.
  virtual Status wait_writable(const Deadline& deadline) = 0;
};

class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  // An exception that leaves it is logged and answered 500.
  virtual void handle(HttpRequest request, std::shared_ptr<ResponseWriter> writer) = 0;
};
enum class RunOn { kLoop, kPool };
struct HttpRoute {
  HttpHandler* handler = nullptr;  // outlives the server
  RunOn run_on = RunOn::kPool;
  std::size_t max_body_bytes = 1024 * 1024;     // 413 past it
  std::shared_ptr<const HttpResponse> refusal;  // instead of a handler: the answer; no body is read
};
class HttpRouter {
 public:
  virtual ~HttpRouter() = default;
  // On an I/O thread, without blocking; the request has no body yet. An error is the answer.
  virtual Result<HttpRoute> route(const HttpRequest& head) = 0;
};

struct HttpServerStats {
  std::size_t connections = 0, in_flight = 0, queued = 0, buffered_body_bytes = 0;  // now
  std::uint64_t accepted = 0, requests = 0, refused = 0, cut_off = 0;               // since the start
};

class HttpServer {
 public:
  // `threads`, `router` and `random` outlive it. Errors: kPermissionDenied (beyond loopback without keys; a low port),
  // kConflict (the port is taken), kInvalidArgument (address, certificate).
  static Result<std::unique_ptr<HttpServer>> listen(HttpServerOptions options, IoThreads& threads, HttpRouter& router,
                                                    Random& random);
  virtual ~HttpServer() = default;  // cuts off what is left, and waits for handlers on the pool
  virtual std::uint16_t port() const = 0;
  virtual std::string url() const = 0;  // "http://127.0.0.1:9000"
  // Accepts no more, lets what is under way finish until the deadline, then cuts it off. kDeadlineExceeded says that it
  // had to. Once.
  virtual Status drain(const Deadline& deadline) = 0;
  virtual HttpServerStats stats() const = 0;
};

}  // namespace pandora
