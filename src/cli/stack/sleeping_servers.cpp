#include "cli/stack/sleeping_servers.h"

#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "base/log.h"
#include "cli/stack/host_plan.h"
#include "host/model_servers.h"
#include "models/model_settings.h"

namespace pandora {
namespace {

class HeldUse final : public ServerLease {
 public:
  explicit HeldUse(std::unique_ptr<HostUse> use) : use_(std::move(use)) {}

 private:
  const std::unique_ptr<HostUse> use_;
};

class SleepingServers final : public ServerWaker {
 public:
  SleepingServers(HostPlace place, const Clock& clock) : place_(std::move(place)), clock_(clock) {}
  void add(const std::string& url, std::string process, Duration start_time) {
    servers_[url] = {std::move(process), start_time, {}, {}, nullptr, {}};
  }

  ~SleepingServers() override {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
      for (auto& [url, server] : servers_)
        if (server.control) server.control->abandon();
    }
    for (auto& [url, server] : servers_)
      if (server.thread.joinable()) server.thread.join();
  }

  // Calls that come while it starts wait for the same start; while one has it, the next takes part.
  void wake(const std::string& url, Then then) override {
    std::shared_ptr<ServerLease> lease;
    {
      const std::lock_guard lock(mutex_);
      Server& server = servers_.at(url);
      lease = server.lease.lock();
      if (!lease) {
        server.waiting.push_back(std::move(then));
        if (server.waiting.size() == 1) {
          if (server.thread.joinable()) server.thread.join();  // it has told everybody, and ends
          server.thread = std::thread([this, &server] { start(server); });
        }
        return;
      }
    }
    then(lease);
  }

 private:
  struct Server {
    std::string process;
    Duration start_time{0};
    std::weak_ptr<ServerLease> lease;
    std::vector<Then> waiting;
    std::shared_ptr<RemoteHostControl> control;  // while it is asked
    std::thread thread;
  };

  void start(Server& server) {
    Result<std::shared_ptr<ServerLease>> lease = ask(server);
    std::vector<Then> waiting;
    {
      const std::lock_guard lock(mutex_);
      server.control.reset();
      if (lease) server.lease = *lease;
      waiting = std::exchange(server.waiting, {});
      if (ending_) return;
    }
    for (auto& then : waiting) then(lease);
  }

  Result<std::shared_ptr<ServerLease>> ask(Server& server) {
    auto connected = connect_host_supervisor(place_, clock_);
    if (!connected && connected.error().code == ErrorCode::kNotFound)
      return std::shared_ptr<ServerLease>(std::make_shared<HeldUse>(nullptr));
    if (!connected) return fail(std::move(connected).error());
    const std::shared_ptr<RemoteHostControl> control = *std::move(connected);
    {
      const std::lock_guard lock(mutex_);
      if (ending_) return fail(ErrorCode::kCancelled, "nobody waits for it any more");
      server.control = control;
    }
    const auto progress = [](const HostEvent& event) {
      log_info("model.wakes", {{"process", event.process}, {"text", event.text}});
    };
    auto use = control->use(server.process, progress, Deadline::after(clock_, server.start_time));
    if (!use) return fail(std::move(use).error());
    return std::shared_ptr<ServerLease>(std::make_shared<HeldUse>(*std::move(use)));
  }

  const HostPlace place_;
  const Clock& clock_;
  std::mutex mutex_;
  bool ending_ = false;
  std::map<std::string, Server> servers_;  // by the base of their API; fixed once it is open
};

}  // namespace

Result<std::unique_ptr<ServerWaker>> open_sleeping_servers(const Config& config, const Clock& clock) {
  PANDORA_TRY(configured, model_server_configs(config));
  PANDORA_TRY(place, host_place(config));
  std::unique_ptr<SleepingServers> servers;
  for (const auto& server : configured) {
    if (!server.cold) continue;
    if (!servers) servers = std::make_unique<SleepingServers>(place, clock);
    servers->add(url_of_server(config, server.name), host_name_of(server), server.ready_time);
  }
  return servers;
}

}  // namespace pandora
