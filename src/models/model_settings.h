// Which server, model, temperature and limits each role of the language model has.
#pragma once
#include <array>
#include <string>
#include <vector>

#include "base/config.h"
#include "models/circuit_breaker.h"
#include "net/http_client.h"
#include "ports/chat_model.h"

namespace pandora {

inline constexpr std::size_t kMaxServersOfARole = 8;

struct ModelServerSettings {
  std::string url;      // "http://127.0.0.1:8000" or "https://api.example.com/v1"
  std::string model;    // empty: the first that the server lists
  std::string api_key;  // empty: none is sent
  bool sleeps = false;  // it does not run until it is wanted (server_waker.h)
  bool operator==(const ModelServerSettings&) const = default;
};
struct RoleSettings {
  std::vector<ModelServerSettings> servers;  // in order of preference
  double temperature = 0.7;
  int max_tokens = 0;  // 0: the server's own limit
};

struct ModelSettings {
  std::array<RoleSettings, 5> roles;  // by ModelRole
  HttpTimeouts timeouts;
  int attempts = 3;
  Duration back_off = std::chrono::milliseconds(250);  // before the second round over the servers; then twice as long
  Duration longest_wait = std::chrono::seconds(20);    // a server that asks for more is not waited for
  BreakerOptions breaker;
  const RoleSettings& of(ModelRole role) const { return roles[static_cast<std::size_t>(role)]; }
};

// From model.*, roles.* and model_servers.*. kInvalidArgument for a URL or a role that is none. Without model.url roles
// have the servers of their own, or none.
Result<ModelSettings> model_settings(const Config& config);
// Is any server configured?
bool has_model(const Config& config);

// Of a table of model_servers: which roles it serves, and where its API is.
Result<std::vector<ModelRole>> roles_of_server(const Config& config, const std::string& server);
std::string url_of_server(const Config& config, const std::string& server);

// Where an API lives: "http://host" → "http://host/v1"; a path is kept, "/chat/completions" at its end is taken off.
Result<std::string> api_base(const std::string& url);

}  // namespace pandora
