// Model servers that do not run until somebody wants them. Thread-safe.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"

namespace pandora {

// While one lives, its server does not go to sleep.
class ServerLease {
 public:
  virtual ~ServerLease() = default;
};

class ServerWaker {
 public:
  virtual ~ServerWaker() = default;  // calls no `then` any more when it returns
  // Wakes the server at that base of an API. `then` is called once, perhaps before this returns: with a lease when the
  // server is ready, or with why it cannot be. Bounded by what the server may take to start.
  using Then = std::function<void(Result<std::shared_ptr<ServerLease>>)>;
  virtual void wake(const std::string& url, Then then) = 0;
};

}  // namespace pandora
