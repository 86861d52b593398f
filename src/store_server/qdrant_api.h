// One Qdrant server, asked over REST: a real one, or `pandora vectors`.
//
// Connections are kept and shared. What changes nothing, and what is the same when it is done twice, is sent again when
// a connection ends before the answer begins; anything else is not. Before the first call, and after the server was
// away, its version is asked for: one below kOldestQdrant is refused. Blocks; thread-safe.
//
// Errors name the server and say what it said; never the key. Of a status: 400 and 422 kInvalidArgument, or
// kIncompatible where the collection is of another shape than the caller thinks; 401 kUnauthenticated; 403
// kPermissionDenied; 404 kNotFound; 405 and 501 kIncompatible; 408 kDeadlineExceeded; 409 kConflict; 413 kTooLarge; 429
// kResourceExhausted; 507 kStorageFull; other ones kUnavailable.
#pragma once
#include <atomic>
#include <memory>
#include <string>

#include "net/http_client.h"
#include "wire/json_tape.h"

namespace pandora {

struct QdrantVersion {
  int major = 0, minor = 0;
  auto operator<=>(const QdrantVersion&) const = default;
};
// Conditional writes, and words about a collection beside it: what the stores here need, seen on a real 1.18.3.
inline constexpr QdrantVersion kOldestQdrant{1, 18};
inline constexpr std::uint64_t kMaxQdrantAnswerBytes = kMaxJsonTapeBytes;

struct QdrantServer {
  std::string url;  // "http://127.0.0.1:6333"; a path before the API's own is kept
  std::string api_key;
  HttpTimeouts timeouts;
  std::string name = "Qdrant";                                     // in messages
  std::string key_remedy = "set qdrant.api_key (QDRANT_API_KEY)";  // when the key is not taken
};

// An answer that went well. Nodes of it live as long as it does.
class QdrantAnswer {
 public:
  static Result<QdrantAnswer> read(std::string body);
  JsonNode root() const { return tape_->root(); }
  JsonNode result() const { return root().find("result"); }

 private:
  QdrantAnswer(std::unique_ptr<std::string> body, JsonTape tape)
      : body_(std::move(body)), tape_(std::make_unique<JsonTape>(std::move(tape))) {}
  std::unique_ptr<std::string> body_;
  std::unique_ptr<JsonTape> tape_;
};

class QdrantApi {
 public:
  // kInvalidArgument: the URL. Nothing is sent yet. `client` outlives it.
  static Result<std::unique_ptr<QdrantApi>> create(QdrantServer server, HttpClient& client);

  Result<QdrantAnswer> get(const std::string& path, const Deadline& deadline);
  // For questions; the body is JSON.
  Result<QdrantAnswer> ask(const std::string& path, std::string body, const Deadline& deadline);
  // For changes.
  Result<QdrantAnswer> send(const std::string& method, const std::string& path, std::string body, Repeatable repeatable,
                            const Deadline& deadline);
  // kUnavailable, kIncompatible (an older version, or no Qdrant).
  Status check_version(const Deadline& deadline);

  const std::string& url() const { return server_.url; }
  // "Qdrant at http://127.0.0.1:6333", for messages.
  std::string shown() const { return server_.name + " at " + server_.url; }

 private:
  QdrantApi(QdrantServer server, HttpClient& client) : server_(std::move(server)), client_(client) {}
  Result<HttpResponse> fetch(const std::string& method, const std::string& path, std::string body,
                             Repeatable repeatable, const Deadline& deadline);

  const QdrantServer server_;
  HttpClient& client_;
  std::atomic<bool> version_known_ = false;
};

// What a status other than 200 means, with what the body says of it.
Error qdrant_error(const QdrantServer& server, const HttpResponse& response);
// One segment of a path, percent-encoded.
std::string path_segment(std::string_view name);

}  // namespace pandora
