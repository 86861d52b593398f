// Stores that speak HTTP: Qdrant, and what has a health check of its own.
#include <algorithm>
#include <cctype>
#include <cerrno>

#include <fmt/format.h>
#include <poll.h>

#include "base/text.h"
#include "compose/compose_model.h"
#include "stack/store_probes.h"
#include "wire/json_reader.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxDetail = 200;
constexpr std::uint64_t kMaxAnswer = 4u << 20;
constexpr std::size_t kMaxCollections = 1000;  // looked at; more are not
constexpr int kGood = 200;

// A name of a collection is any text: "my notes", "50%".
std::string path_segment(std::string_view name) {
  std::string text;
  for (const char c : name) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '~';
    text += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return text;
}

class HttpProbe : public HealthProbe {
 public:
  HttpProbe(std::string name, std::string path, StoreAddress address, HttpClient& http)
      : name_(std::move(name)), path_(std::move(path)), address_(std::move(address)), http_(http) {}
  const std::string& name() const override { return name_; }
  Health probe(const Deadline& deadline) override {
    const SteadyTime asked = clock_.steady();
    return health_of(clock_, asked, ask(deadline));
  }

 protected:
  virtual Status ask(const Deadline& deadline) {
    PANDORA_CHECK(get(path_, deadline));
    return {};
  }
  Result<std::string> get(const std::string& path, const Deadline& deadline) {
    PANDORA_CHECK(deadline.check(name_));
    HttpCallRequest request{.method = "GET",
                            .url = fmt::format("http://127.0.0.1:{}{}", address_.port, path),
                            .headers = {},
                            .body = {},
                            .options = {}};
    request.options.attempts = 1;
    request.options.max_body_bytes = kMaxAnswer;
    if (!address_.secret.empty()) request.headers.add("api-key", address_.secret);
    PANDORA_TRY(response, http_.fetch(std::move(request), deadline));
    if (response.status == kGood) return std::move(response.body);
    constexpr int kUnknown = 401, kForbidden = 403;
    const bool refused = response.status == kUnknown || response.status == kForbidden;
    return fail(refused ? ErrorCode::kUnauthenticated : ErrorCode::kUnavailable,
                fmt::format("{} answers {}: {}", path, response.status,
                            one_line(ellipsize(sanitize_utf8(trim(response.body)), kMaxDetail))));
  }

 private:
  const SystemClock clock_;
  const std::string name_, path_;
  const StoreAddress address_;
  HttpClient& http_;
};

class QdrantProbe final : public HttpProbe {
 public:
  QdrantProbe(std::string name, StoreAddress address, HttpClient& http)
      : HttpProbe(std::move(name), "/readyz", std::move(address), http) {}

 private:
  // One node says that it is ready whenever it answers at all: a collection that cannot be used shows in its own state.
  Status ask(const Deadline& deadline) override {
    PANDORA_CHECK(HttpProbe::ask(deadline));
    PANDORA_TRY(listed, json("/collections", deadline));
    const Json& collections = member(listed, "collections");
    for (std::size_t i = 0; i < std::min(collections.size(), kMaxCollections); ++i) {
      const std::string collection = text_in(collections[i], "name");
      PANDORA_TRY(described, json("/collections/" + path_segment(collection), deadline));
      if (text_in(described, "status") == "red")
        return fail(ErrorCode::kUnavailable, fmt::format("the collection {} is red", collection));
    }
    return {};
  }
  Result<Json> json(const std::string& path, const Deadline& deadline) {
    PANDORA_TRY(body, get(path, deadline));
    PANDORA_TRY(value, parse_json(body, kMaxAnswer, path));
    return member(value, "result");
  }
};

}  // namespace

Health health_of(const Clock& clock, SteadyTime asked, const Status& answer) {
  Health health{.state = HealthState::kReady,
                .latency = std::chrono::duration_cast<Duration>(clock.steady() - asked),
                .detail = {}};
  if (answer) return health;
  // It runs, and whoever asks is not let in: waiting longer does not change that.
  health.state = answer.error().code == ErrorCode::kUnauthenticated ? HealthState::kDegraded : HealthState::kDown;
  health.detail = one_line(ellipsize(answer.error().message, kMaxDetail));
  return health;
}

Status wait_for_socket(int descriptor, short events, const Deadline& deadline) {
  for (;;) {
    PANDORA_CHECK(deadline.check("waiting for its answer"));
    pollfd watched{descriptor, events, 0};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline.remaining()).count();
    const int found = ::poll(&watched, 1, static_cast<int>(std::min<std::int64_t>(left, 1000)));
    if (found > 0) return {};
    if (found < 0 && errno != EINTR) return fail(ErrorCode::kUnavailable, "its socket cannot be waited for");
  }
}

std::unique_ptr<HealthProbe> make_qdrant_probe(std::string name, StoreAddress address, HttpClient& http) {
  return std::make_unique<QdrantProbe>(std::move(name), std::move(address), http);
}
std::unique_ptr<HealthProbe> make_http_probe(std::string name, std::string path, StoreAddress address,
                                             HttpClient& http) {
  return std::make_unique<HttpProbe>(std::move(name), std::move(path), std::move(address), http);
}

}  // namespace pandora
