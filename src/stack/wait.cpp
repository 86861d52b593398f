#include "stack/wait.h"

#include <algorithm>
#include <future>
#include <optional>

#include <fmt/format.h>

namespace pandora {
namespace {

constexpr Duration kProbeTime = std::chrono::seconds(3);
constexpr Duration kEngineTime = std::chrono::seconds(3);
constexpr Duration kFirstPause = std::chrono::milliseconds(50), kLongestPause = std::chrono::milliseconds(500);

// One look at a service.
struct Look {
  Result<ContainerState> state = ContainerState{};
  Health health;
  bool ready = false;
  std::string answer;  // in words; empty when it is ready
};

std::string words_for(const ContainerState& state) {
  if (state.state == "running")
    return state.health == "unhealthy" ? "its own health check fails: " + state.checked : "";
  if (state.out_of_memory) return "it needed more memory than its limit, and the kernel ended it";
  if (!state.error.empty()) return state.error;
  if (state.state == "created") return "it has not been started";
  return fmt::format("it has ended with exit code {}", state.exit_code);
}

Look look_at(const Awaited& awaited, DockerEngine& engine, const Clock& clock) {
  Look look;
  auto probed = std::async(std::launch::async, [&] {
    return awaited.probe ? awaited.probe->probe(Deadline::after(clock, kProbeTime))
                         : Health{HealthState::kReady, {}, {}};
  });
  look.state = engine.state(awaited.container, Deadline::after(clock, kEngineTime));
  look.health = probed.get();
  if (!look.state) {
    look.answer = look.state.error().message;
    return look;
  }
  look.answer = words_for(*look.state);
  const bool checked = awaited.probe || look.state->health.empty() || look.state->health == "healthy";
  if (look.answer.empty() && look.health.state != HealthState::kReady) look.answer = look.health.detail;
  if (look.answer.empty() && !checked) look.answer = "its own health check has not passed yet";
  look.ready = look.answer.empty();
  return look;
}

class Waiter {
 public:
  Waiter(const std::vector<Awaited>& services, DockerEngine& engine, const Clock& clock, const WaitHooks& hooks)
      : services_(services),
        engine_(engine),
        clock_(clock),
        hooks_(hooks),
        begun_(clock.steady()),
        of_(services.size()) {}

  tl::expected<std::vector<AwaitedService>, GivenUp> wait() {
    for (Duration pause = kFirstPause;; pause = std::min(pause * 2, kLongestPause)) {
      if (hooks_.cancelled())
        return tl::unexpected(GivenUp{{ErrorCode::kCancelled, "stopped while it waited", ""}, "", "", {}});
      const auto looks = look_at_all();
      if (auto given_up = judge(looks)) return tl::unexpected(*std::move(given_up));
      if (std::ranges::all_of(looks, &Look::ready)) break;
      tell(looks);
      hooks_.pause(pause);
    }
    std::vector<AwaitedService> ready;
    for (std::size_t i = 0; i < of_.size(); ++i) ready.push_back({services_[i].service, of_[i].ready_after});
    return ready;
  }

 private:
  struct Known {
    bool ready = false;
    Duration ready_after{};
    std::optional<int> restarts;    // when it was first looked at
    std::optional<int> exit_code;   // when it was last seen between two lives: while it runs the Engine says 0
    std::optional<Duration> extra;  // for its data, once that was looked at
  };

  Duration waited() const { return std::chrono::duration_cast<Duration>(clock_.steady() - begun_); }

  // Its whole time; what is needed for its data counts from when it would be over.
  Duration patience_of(std::size_t i, bool is_over) {
    Known& known = of_[i];
    if (is_over && !known.extra) {
      known.extra = hooks_.data_bytes ? time_to_read(hooks_.data_bytes(services_[i].service)) : Duration{0};
    }
    return services_[i].patience + known.extra.value_or(Duration{0});
  }

  std::vector<Look> look_at_all() {
    std::vector<std::future<Look>> asked;
    for (const auto& awaited : services_)
      asked.push_back(std::async(std::launch::async, [&] { return look_at(awaited, engine_, clock_); }));
    std::vector<Look> looks;
    for (auto& look : asked) looks.push_back(look.get());
    return looks;
  }

  std::optional<GivenUp> judge(const std::vector<Look>& looks) {
    for (std::size_t i = 0; i < looks.size(); ++i) {
      const auto& look = looks[i];
      if (!look.state && look.state.error().code != ErrorCode::kNotFound) {
        if (engine_missed_ == SteadyTime{}) engine_missed_ = clock_.steady();
        if (clock_.steady() - engine_missed_ < kEngineAbsence) return std::nullopt;
        return GivenUp{
            Error(look.state.error())
                .with_context(fmt::format("the Engine went away while {} was waited for", services_[i].service))
                .with_remedy("start Docker again, then `pandora up`: it goes on from what is there"),
            "",
            look.answer,
            {}};
      }
    }
    engine_missed_ = SteadyTime{};
    for (std::size_t i = 0; i < looks.size(); ++i)
      if (auto given_up = judge(i, looks[i])) return given_up;
    return std::nullopt;
  }

  std::optional<GivenUp> judge(std::size_t i, const Look& look) {
    Known& known = of_[i];
    if (look.ready) {
      if (!known.ready) {
        known.ready = true;
        known.ready_after = waited();
        hooks_.ready({services_[i].service, known.ready_after});
      }
      return std::nullopt;
    }
    known.ready = false;
    const std::string see_log = fmt::format("`pandora logs {}` shows more", services_[i].service);
    const auto give_up = [&](ErrorCode code, const std::string& why, const std::string& more) {
      auto lines =
          engine_.last_lines(services_[i].container, kLastContainerLines, Deadline::after(clock_, kEngineTime));
      return GivenUp{{code, fmt::format("{} {}", services_[i].service, why),
                      fmt::format("{}; then `pandora up` goes on from what is there", more)},
                     services_[i].service,
                     look.answer,
                     lines ? *std::move(lines) : std::vector<std::string>()};
    };
    if (!look.state) return give_up(ErrorCode::kNotFound, "has been removed", see_log);
    if (!known.restarts) known.restarts = look.state->restarts;
    if (look.state->state == "restarting") known.exit_code = look.state->exit_code;
    if (known.exit_code && look.state->restarts - *known.restarts >= kTooManyRestarts)
      return give_up(ErrorCode::kUnavailable, fmt::format("keeps restarting (exit code {})", *known.exit_code),
                     see_log);
    if (look.state->state == "exited" || look.state->state == "dead")
      return give_up(ErrorCode::kUnavailable, fmt::format("has ended (exit code {})", look.state->exit_code), see_log);
    const bool is_sick = look.state->state == "running" && look.state->health == "unhealthy";
    if (is_sick && waited() >= kUnhealthyPatience && !is_still_young(i, *look.state))
      return give_up(ErrorCode::kUnavailable, "is unhealthy", see_log);
    if (look.health.state == HealthState::kDegraded && waited() >= kUnhealthyPatience)
      return give_up(ErrorCode::kUnavailable, "answers, and refuses us", "`pandora doctor` names the remedy");
    if (waited() < services_[i].patience) return std::nullopt;
    if (const Duration patience = patience_of(i, true); waited() >= patience)
      return give_up(ErrorCode::kDeadlineExceeded,
                     fmt::format("is not ready after {} seconds",
                                 std::chrono::duration_cast<std::chrono::seconds>(patience).count()),
                     see_log);
    return std::nullopt;
  }

  // Its health check fails because it has so much to read: its container has not run for as long as that takes.
  bool is_still_young(std::size_t i, const ContainerState& state) {
    const Duration extra = patience_of(i, true) - services_[i].patience;
    return extra > Duration{0} && clock_.now() - state.started < services_[i].patience + extra;
  }

  void tell(const std::vector<Look>& looks) {
    using std::chrono::duration_cast, std::chrono::seconds;
    std::string line;
    Duration longest{0};
    for (std::size_t i = 0; i < looks.size(); ++i) {
      if (looks[i].ready) continue;
      longest = std::max(longest, patience_of(i, false));
      const auto extra = duration_cast<seconds>(of_[i].extra.value_or(Duration{0})).count();
      line += fmt::format("{}{} ({}{})", line.empty() ? "" : "; ", services_[i].service, looks[i].answer,
                          extra > 0 ? fmt::format("; {} s more for its data", extra) : "");
    }
    hooks_.waiting(fmt::format("{} of {} s, waiting for {}", duration_cast<seconds>(waited()).count(),
                               duration_cast<seconds>(longest).count(), line));
  }

  const std::vector<Awaited>& services_;
  DockerEngine& engine_;
  const Clock& clock_;
  const WaitHooks& hooks_;
  const SteadyTime begun_;
  std::vector<Known> of_;
  SteadyTime engine_missed_{};
};

}  // namespace

Duration time_to_read(std::uint64_t bytes) { return std::chrono::seconds(bytes / kSlowestDisk); }

tl::expected<std::vector<AwaitedService>, GivenUp> wait_until_ready(const std::vector<Awaited>& services,
                                                                    DockerEngine& engine, const Clock& clock,
                                                                    const WaitHooks& hooks) {
  return Waiter(services, engine, clock, hooks).wait();
}

}  // namespace pandora
