// The containers of the stack: one table of what a service is to this machine.
//
// A service that is not in it (one that the user has added) is judged by its own health check alone.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "net/http_client.h"
#include "ports/health_probe.h"

namespace pandora {

enum class StoreKind { kQdrant, kPostgres, kRedis, kHttp };

struct StackService {
  std::string_view name, profile;  // no profile: always
  std::string_view port_variable;  // its port on 127.0.0.1, in .env
  StoreKind kind;
  std::string_view health_path;  // of kHttp
  std::string_view secret;       // the file of its password; empty: it is asked without one
};
std::span<const StackService> stack_services();
const StackService* find_stack_service(std::string_view name);

// Where a service is on this machine, and who asks.
struct StoreAddress {
  std::uint16_t port = 0;  // on 127.0.0.1
  std::string user = "pandora", secret;
};
// Asks as the programs of this machine would, and not as the container asks itself: PostgreSQL answers a query as the
// user; Qdrant is ready, and none of its collections is red; Redis answers PING as the user of its ACL; the others
// answer their health check. `http` outlives it.
std::unique_ptr<HealthProbe> make_store_probe(const StackService& service, StoreAddress address, HttpClient& http);

}  // namespace pandora
