// Who asks, and what answers him.
#pragma once
#include <memory>
#include <optional>

#include "domain/api_key.h"
#include "net/http_server.h"

namespace pandora {

struct Caller {
  UserId user;                // empty: a stranger, whom only what is open to all answers
  std::optional<ApiKey> key;  // none: no key is needed here, and it is the owner of the machine
  bool is_known() const { return !user.empty(); }
  bool may(KeyScope scope) const { return is_known() && (!key || key->scopes.has(scope)); }
};

// As HttpHandler, for a caller whose key was looked at and whose request was counted.
class GatewayHandler {
 public:
  virtual ~GatewayHandler() = default;
  virtual void handle(HttpRequest request, const Caller& caller, std::shared_ptr<ResponseWriter> writer) = 0;
};

}  // namespace pandora
