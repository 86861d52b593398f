#include "vectors/server.h"

#include <sodium.h>

#include "base/scheduling.h"
#include "vectors/call.h"

namespace pandora::qdrant {
namespace {

constexpr std::size_t kPoolQueue = 1024;

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string_view key_of(const HttpHeaders& headers) {
  if (const auto key = headers.get("api-key"); !key.empty()) return key;
  constexpr std::string_view kBearer = "Bearer ";
  const auto authorization = headers.get("Authorization");
  return authorization.starts_with(kBearer) ? authorization.substr(kBearer.size()) : std::string_view();
}

// Is it read, and answered or handed on, in well under a millisecond?
bool is_brief(Api api) {
  return api <= Api::kReady || (api >= Api::kUpsert && api <= Api::kBatch) || api == Api::kPoint ||
         (api >= Api::kQuery && api <= Api::kSearchBatch) || api == Api::kCollectionExists;
}

class ApiHandler final : public HttpHandler {
 public:
  explicit ApiHandler(std::shared_ptr<ServerState> state) : state_(std::move(state)) {}

  void handle(HttpRequest request, std::shared_ptr<ResponseWriter> writer) override {
    if (state_->threads.current() == SIZE_MAX) work_behind_loops();
    Route route = match_route(request.method, request.path);
    const Api api = route.api;
    const auto call = std::make_shared<Call>(state_, std::move(route), std::move(request), std::move(writer));
    if (auto refused = check_key(*call)) return call->respond(*std::move(refused));
    if (api == Api::kUnknown) return call->respond({404, {}, ""});
    if (api == Api::kNotServed) return call->answer(fail(not_served(call->route.pattern)));
    if (!call->route.collection.empty())
      if (auto named = check_name_length(call->route.collection); !named) return call->answer(fail(named.error()));
    auto options = read_options(api, call->request.query);
    if (!options) return call->answer(fail(std::move(options).error()));
    call->options = *options;
    if (api < Api::kListCollections)
      answer_about_service(call);
    else if (api < Api::kUpsert)
      answer_about_collections(call);
    else if (api < Api::kPoint)
      answer_write(call);
    else
      answer_read(call);
  }

 private:
  // What is not brief is done by the HTTP server's pool, whose threads are for nothing else.
  static void work_behind_loops() {
    thread_local bool is_behind = false;
    if (!std::exchange(is_behind, true)) work_behind_others();
  }
  std::optional<HttpResponse> check_key(const Call& call) const {
    const VectorsOptions& options = state_->options;
    if (options.api_key.empty() && options.read_only_api_key.empty()) return std::nullopt;
    if (is_open(call.route.api)) return std::nullopt;
    const std::string_view key = key_of(call.request.headers);
    if (key.empty()) return text_response(401, "Must provide an API key or an Authorization bearer token");
    if (!options.api_key.empty() && equal_in_constant_time(key, options.api_key)) return std::nullopt;
    if (options.read_only_api_key.empty() || !equal_in_constant_time(key, options.read_only_api_key))
      return text_response(401, "Invalid API key or JWT");
    if (!changes_something(call.route.api)) return std::nullopt;
    return fault_response({403, "Forbidden: this key may only read"}, 0);
  }
  const std::shared_ptr<ServerState> state_;
};

class HttpVectorsServer final : public VectorsServer, private HttpRouter {
 public:
  HttpVectorsServer(VectorsOptions options, Engine& engine, IoThreads& threads)
      : state_(std::make_shared<ServerState>(std::move(options), engine, threads)), handler_(state_) {
    state_->pool = std::make_unique<WorkPool>(state_->options.pool_threads, kPoolQueue);
  }
  ~HttpVectorsServer() override {
    server_.reset();
    state_->pool.reset();
  }
  Status listen(Random& random) {
    PANDORA_TRY(server, HttpServer::listen(state_->options.server, state_->threads, *this, random));
    server_ = std::move(server);
    return {};
  }
  HttpServer& http() override { return *server_; }

 private:
  Result<HttpRoute> route(const HttpRequest& head) override {
    const Route found = match_route(head.method, head.path);
    const RunOn run_on = is_brief(found.api) && has_small_body(head, kSmallBodyBytes) ? RunOn::kLoop : RunOn::kPool;
    return HttpRoute{&handler_, run_on, kMaxBodyBytes};
  }

  const std::shared_ptr<ServerState> state_;
  ApiHandler handler_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace

Result<std::unique_ptr<VectorsServer>> VectorsServer::open(VectorsOptions options, Engine& engine, IoThreads& threads,
                                                           Random& random) {
  options.server.error_form = [](int status, const Error& error) {
    return fault_response({status, error.to_line()}, 0);
  };
  auto server = std::make_unique<HttpVectorsServer>(std::move(options), engine, threads);
  PANDORA_CHECK(server->listen(random));
  return server;
}

}  // namespace pandora::qdrant
