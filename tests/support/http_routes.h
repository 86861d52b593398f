// A router of functions: what a test's server answers.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "net/http_server.h"

namespace pandora::testing {

class Routes final : public HttpRouter {
 public:
  using Function = std::function<void(HttpRequest, std::shared_ptr<ResponseWriter>)>;
  // All of them before the server listens.
  Routes& on(const std::string& path, Function function, RunOn run_on = RunOn::kLoop,
             std::size_t max_body_bytes = 1024 * 1024) {
    Route& route = routes_[path];
    route.handler.function = std::move(function);
    route.run_on = run_on;
    route.max_body_bytes = max_body_bytes;
    return *this;
  }
  Result<HttpRoute> route(const HttpRequest& head) override {
    const auto found = routes_.find(head.path);
    if (found == routes_.end()) return fail(ErrorCode::kNotFound, "nothing is at " + head.path);
    return HttpRoute{&found->second.handler, found->second.run_on, found->second.max_body_bytes};
  }

 private:
  struct Handler final : HttpHandler {
    Function function;
    void handle(HttpRequest request, std::shared_ptr<ResponseWriter> writer) override {
      function(std::move(request), std::move(writer));
    }
  };
  struct Route {
    Handler handler;
    RunOn run_on = RunOn::kLoop;
    std::size_t max_body_bytes = 0;
  };
  std::map<std::string, Route> routes_;
};

inline HttpResponse text_response(std::string body, int status = 200) {
  return {status, {{"Content-Type", "text/plain"}}, std::move(body)};
}

}  // namespace pandora::testing
