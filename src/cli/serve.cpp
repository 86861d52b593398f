#include "cli/serve.h"

#include <cstdio>
#include <cstdlib>
#include <thread>

#include <fmt/format.h>
#include <signal.h>

#include "cli/installation.h"
#include "gateway/gateway.h"

namespace pandora {
namespace {

// Taken by whoever waits for them, and by nobody else: threads that are started later inherit this.
sigset_t hold_stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  return signals;
}

void wait_for(const sigset_t& signals) {
  int signal = 0;
  while (::sigwait(&signals, &signal) != 0) continue;
}

std::vector<std::unique_ptr<HealthProbe>> make_probes(Service& service, const ServingParts& parts, const UserId& user) {
  std::vector<std::unique_ptr<HealthProbe>> probes;
  probes.push_back(
      make_probe("stores", HealthState::kDown, parts.clock, [&service, user](const Deadline& deadline) -> Status {
        NoObserver nobody;
        PANDORA_CHECK(service.call({"status", user, "{}"}, nobody, deadline));
        return {};
      }));
  probes.push_back(make_probe("encoder", HealthState::kDegraded, parts.clock,
                              [&parts = parts.embedder](const Deadline& deadline) -> Status {
                                const std::string_view text = "ready?";
                                PANDORA_CHECK(parts.embed({&text, 1}, TextRole::kQuestion, deadline));
                                return {};
                              }));
  if (!parts.directory) return probes;
  for (const auto& server : parts.directory->servers())
    probes.push_back(make_probe(
        "model " + server, HealthState::kDegraded, parts.clock,
        [directory = parts.directory, server](const Deadline& deadline) { return directory->ask(server, deadline); }));
  return probes;
}

Status run(const Config& config, bool json) {
  const sigset_t signals = hold_stop_signals();
  PANDORA_TRY(user, UserId::parse(config.string("user.name")));
  PANDORA_TRY(installation, Installation::open(config));
  PANDORA_TRY(parts, installation->serving());
  const auto probes = make_probes(installation->service(), parts, user);

  GatewayOptions options;
  options.server.address = config.string("gateway.address");
  options.server.port = static_cast<std::uint16_t>(config.integer("gateway.port"));
  options.user = user;
  options.chat_body_bytes = static_cast<std::size_t>(config.integer("gateway.body_bytes"));
  options.turn_time = std::chrono::milliseconds(config.integer("gateway.turn_ms"));
  GatewayParts given{parts.runtime, parts.model,  parts.directory, parts.embedder, {},
                     parts.threads, parts.client, parts.ids,       parts.random,   parts.clock};
  for (const auto& probe : probes) given.probes.push_back(probe.get());
  PANDORA_TRY(gateway, Gateway::open(std::move(options), std::move(given)));

  if (json)
    fmt::print("{{\"url\":\"{}\"}}\n", gateway->url());
  else
    fmt::print(stderr, "Pandora listens: {}/v1 is the base URL for any client of OpenAI's API. Ctrl-C ends.\n",
               gateway->url());
  std::fflush(stdout);
  wait_for(signals);
  // Whoever asks twice does not want to wait.
  std::thread([signals] {
    wait_for(signals);
    std::_Exit(error_info(ErrorCode::kCancelled).exit_code);
  }).detach();
  const Deadline deadline = Deadline::after(parts.clock, std::chrono::milliseconds(config.integer("gateway.drain_ms")));
  if (const Status drained = gateway->drain(deadline); !drained)
    fmt::print(stderr, "pandora: {}\n", drained.error().message);
  return {};
}

}  // namespace

int serve(const Config& config, bool json) {
  const Status served = run(config, json);
  if (served) return 0;
  fmt::print(stderr, "pandora: {}\n", served.error().to_line());
  return error_info(served.error().code).exit_code;
}

}  // namespace pandora
