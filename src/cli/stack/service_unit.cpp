#include "cli/stack/service_unit.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace pandora {
namespace {

// As systemd reads a word of a command line or of Environment=: quoted, with its specifiers and variables as text.
std::string quoted(std::string_view word, bool in_command) {
  std::string text = "\"";
  for (const char c : word) {
    if (c == '"' || c == '\\') text += '\\';
    if (c == '%') text += '%';
    if (c == '$' && in_command) text += '$';
    if (c == '\n') {
      text += "\\n";
      continue;
    }
    text += c;
  }
  return text + "\"";
}

std::int64_t seconds(Duration time) { return std::chrono::ceil<std::chrono::seconds>(time).count(); }

}  // namespace

std::string service_unit(const ServiceUnitOptions& options) {
  std::string command, environment;
  for (const auto& word : options.command) command += (command.empty() ? "" : " ") + quoted(word, true);
  for (const auto& [name, value] : options.environment)
    environment += fmt::format("Environment={}\n", quoted(name + "=" + value, false));
  return fmt::format(R"([Unit]
Description=Pandora: model servers, Orchestrator and Gateway
Wants=network-online.target
After=network-online.target docker.service

[Service]
# Ready when all are; each has its own readiness.
Type=notify
ExecStart={}
{}# The supervisor ends them in order; what is left after that is killed.
KillMode=mixed
TimeoutStartSec={}
TimeoutStopSec={}
Restart=on-failure
RestartSec=5
UMask=0077

[Install]
WantedBy=default.target
)",
                     command, environment, seconds(options.start_time), seconds(options.stop_time));
}

void tell_systemd(std::string_view state) {
  const char* name = std::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (!name || std::strlen(name) >= sizeof address.sun_path || (*name != '/' && *name != '@')) return;
  std::copy_n(name, std::strlen(name), address.sun_path);
  if (*name == '@') address.sun_path[0] = '\0';  // an abstract one
  const int socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + std::strlen(name));
  (void)!::sendto(socket, state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&address), size);
  ::close(socket);
}

}  // namespace pandora
