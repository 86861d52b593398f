// Waiting until services are ready, visibly and not for ever: what `up` of Compose does, with an answer from this side.
//
// A service is ready when its container runs, its own health check does not fail, and its probe from this machine
// answers. It is given up when its container has ended or keeps restarting, when its health check has failed or
// its store has refused whoever asks for kUnhealthyPatience, or when its patience is over. A store that has much data
// may need longer than its health check allows (a log that is replayed, collections that are loaded): before it is
// given up it is looked how much it has, and it gets the time that this takes to be read. All of them must be ready in
// one and the same round: one that was ready and is not any more is waited for again.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ports/health_probe.h"
#include "stack/docker_engine.h"

namespace pandora {

inline constexpr int kTooManyRestarts = 3;  // while it is waited for
inline constexpr Duration kUnhealthyPatience = std::chrono::seconds(15);
inline constexpr Duration kEngineAbsence = std::chrono::seconds(5);  // so long the Engine may not answer meanwhile
inline constexpr int kLastContainerLines = 20;
inline constexpr std::uint64_t kSlowestDisk = 50'000'000;  // bytes a second
// How much longer a store may take because of its data: the time in which a slow disk reads all of it. Pure.
Duration time_to_read(std::uint64_t bytes);

struct Awaited {
  std::string service, container;  // its id
  Duration patience;
  std::unique_ptr<HealthProbe> probe;  // none: its own health check decides
};
struct AwaitedService {
  std::string service;
  Duration ready_after{};  // since the wait began
};
struct GivenUp {
  Error error;
  std::string service;             // empty: it is not about one of them (the Engine is gone, Ctrl-C)
  std::string answer;              // what was said last when it was asked
  std::vector<std::string> lines;  // the last kLastContainerLines of its log
};

struct WaitHooks {
  std::function<void(const AwaitedService& service)> ready;  // told once a service
  // What is still missing, each round: for whoever looks on.
  std::function<void(const std::string& line)> waiting;
  std::function<bool()> cancelled;
  std::function<void(Duration)> pause;  // between two rounds
  // How much data it has; asked once, of one that would be given up otherwise. Empty: nobody gets more time.
  std::function<std::uint64_t(const std::string& service)> data_bytes;
};
// An empty `service` and code kCancelled: it was cancelled.
tl::expected<std::vector<AwaitedService>, GivenUp> wait_until_ready(const std::vector<Awaited>& services,
                                                                    DockerEngine& engine, const Clock& clock,
                                                                    const WaitHooks& hooks);

}  // namespace pandora
