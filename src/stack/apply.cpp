#include "stack/apply.h"

#include <algorithm>
#include <csignal>

#include <fmt/format.h>

#include "base/text.h"

namespace pandora {
namespace {

constexpr Duration kPullTime = std::chrono::hours(2);
constexpr Duration kCallTime = std::chrono::minutes(10);  // stop_grace_period is two minutes, for all at once
constexpr Duration kTick = std::chrono::milliseconds(100);
constexpr std::size_t kMaxLog = 4u << 20;
constexpr std::size_t kMaxLine = 400;

struct Call {
  std::string doing;  // "starting"
  std::vector<std::string> words, services;
  Duration time = kCallTime;
};

std::vector<Call> calls_of(const StackPlan& plan, Goal goal, bool everything) {
  std::vector<Call> calls;
  const auto add = [&](const char* doing, std::vector<std::string> words, std::vector<std::string> services,
                       Duration time = kCallTime) {
    if (!services.empty()) calls.push_back({doing, std::move(words), std::move(services), time});
  };
  add("pulling", {"pull", "--quiet"}, plan.of(StepKind::kPull), kPullTime);
  if (goal == Goal::kRecreate) {
    add("recreating", {"up", "-d", "--no-deps", "--force-recreate"}, plan.of(StepKind::kRecreate));
  } else {
    std::vector<std::string> started;
    for (const auto& step : plan.steps)
      if (step.kind == StepKind::kCreate || step.kind == StepKind::kRecreate || step.kind == StepKind::kStart)
        started.push_back(step.service);
    add("starting", {"up", "-d", "--no-deps"}, std::move(started));
  }
  add("restarting", {"restart"}, plan.of(StepKind::kRestart));
  add("stopping", {"stop"}, plan.of(StepKind::kStop));
  auto removed = plan.of(StepKind::kRemove);
  if (everything)
    add("removing", {"down"}, std::move(removed));
  else
    add("removing", {"rm", "--force", "--stop"}, std::move(removed));
  return calls;
}

class Caller {
 public:
  Caller(const ApplyTools& tools, const ApplyHooks& hooks) : tools_(tools), hooks_(hooks) {}

  Status call(const Call& call, bool names_services) {
    const std::string list = fmt::format("{}", fmt::join(call.services, ", "));
    hooks_.doing(fmt::format("{} {}", call.doing, list));
    auto words = call.words;
    if (names_services) words.insert(words.end(), call.services.begin(), call.services.end());
    PANDORA_CHECK(tools_.files.write_atomic(tools_.log, "", Durability::kDeferred));
    Command command = compose_command(tools_.compose, tools_.compose_files, words);
    // Lines for a log, not for a terminal; and no wait for an answer that nobody gives.
    command.environment.insert({{"COMPOSE_ANSI", "never"}, {"COMPOSE_PROGRESS", "plain"}});
    PANDORA_TRY(process, tools_.runner.start(command, tools_.log));
    PANDORA_TRY(status, wait_for(*process, call, list));
    if (status.code == 0) return {};
    return fail(
        ErrorCode::kUnavailable,
        fmt::format("{} could not finish {} {} (exit code {})", tools_.compose.name(), call.doing, list, status.code),
        "see what it said; then run the command again: it goes on from what is there");
  }

  std::vector<std::string> said() {
    std::vector<std::string> lines;
    const auto text = tools_.files.read_file(tools_.log, kMaxLog);
    for (std::string_view rest = text ? std::string_view(*text) : ""; !rest.empty();) {
      const auto end = rest.find('\n');
      if (const auto line = trim(rest.substr(0, end)); !line.empty())
        lines.push_back(one_line(ellipsize(sanitize_utf8(line), kMaxLine)));
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
    if (lines.size() > kLastComposeLines)
      lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(kLastComposeLines));
    return lines;
  }

 private:
  Result<ExitStatus> wait_for(Process& process, const Call& call, const std::string& list) {
    const SteadyTime begun = tools_.clock.steady();
    const auto deadline = Deadline::after(tools_.clock, call.time);
    for (;;) {
      PANDORA_TRY(ended, process.wait(deadline.at_most(tools_.clock, kTick)));
      if (ended) return *ended;
      if (hooks_.cancelled()) {
        end(process);
        return fail(ErrorCode::kCancelled, fmt::format("stopped while {} {}", call.doing, list),
                    "`pandora up` goes on from what is there, `pandora down` removes it");
      }
      if (deadline.expired()) {
        end(process);
        return fail(ErrorCode::kDeadlineExceeded, fmt::format("{} {} took too long", call.doing, list),
                    "see what Compose said, then run the command again");
      }
      const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(tools_.clock.steady() - begun).count();
      hooks_.waiting(fmt::format("{} s, {} {}", seconds, call.doing, list));
    }
  }
  void end(Process& process) {
    (void)process.signal_all(SIGINT);  // `docker` starts its plugin, which would go on
    const auto ended = process.wait(Deadline::after(tools_.clock, kComposeEnd));
    if (ended && *ended) return;
    (void)process.signal_all(SIGKILL);
    (void)process.wait(Deadline::after(tools_.clock, kComposeEnd));
  }

  const ApplyTools& tools_;
  const ApplyHooks& hooks_;
};

}  // namespace

tl::expected<void, ApplyFailure> apply_plan(const StackPlan& plan, Goal goal, bool everything, const ApplyTools& tools,
                                            const ApplyHooks& hooks) {
  Caller caller(tools, hooks);
  for (const auto& call : calls_of(plan, goal, everything)) {
    const bool is_down = call.words.front() == "down";
    if (const Status done = caller.call(call, !is_down); !done)
      return tl::unexpected(ApplyFailure{done.error(), caller.said()});
  }
  return {};
}

}  // namespace pandora
