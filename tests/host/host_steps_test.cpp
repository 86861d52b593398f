#include "host/host_steps.h"

#include <gtest/gtest.h>

#include "host/supervisor.h"

namespace pandora {
namespace {

HostProcess process(const std::string& name) {
  HostProcess made;
  made.name = name;
  made.arguments = {"/bin/" + name};
  return made;
}
HostStatus row(const std::string& name, HostState state, int pid) {
  HostStatus made;
  made.name = name;
  made.state = state;
  made.pid = pid;
  return made;
}
LeftProcess started_as(const HostProcess& process) {
  LeftProcess file{.name = process.name, .file = {}};
  file.file.fingerprint = fingerprint_of(process);
  return file;
}

TEST(HostSteps, what_does_not_run_is_started_in_order) {
  const std::vector<HostStep> expected = {{HostStepKind::kStart, "orchestrator", "it does not run"},
                                          {HostStepKind::kStart, "gateway", "it does not run"}};
  EXPECT_EQ(plan_host_steps({process("orchestrator"), process("gateway")}, {}, {}), expected);
}

TEST(HostSteps, what_runs_as_it_is_wanted_is_kept_and_what_has_changed_is_restarted) {
  HostProcess changed = process("gateway");
  const LeftProcess before = started_as(changed);
  changed.arguments.emplace_back("--new");
  const std::vector<HostStep> expected = {
      {HostStepKind::kKeep, "orchestrator", "it is ready"},
      {HostStepKind::kRestart, "gateway", "its program or its settings have changed"}};
  EXPECT_EQ(plan_host_steps({process("orchestrator"), changed},
                            {row("orchestrator", HostState::kReady, 7), row("gateway", HostState::kReady, 8)},
                            {started_as(process("orchestrator")), before}),
            expected);
}

TEST(HostSteps, a_cold_one_waits_and_one_that_was_given_up_begins_again) {
  HostProcess cold = process("model-eyes");
  cold.cold = true;
  HostStatus failed = row("gateway", HostState::kFailed, 0);
  failed.reason = "exited with code 3";
  const std::vector<HostStep> expected = {{HostStepKind::kKeep, "model-eyes", "it starts when it is used"},
                                          {HostStepKind::kStart, "gateway", "it was given up: exited with code 3"}};
  EXPECT_EQ(plan_host_steps({cold, process("gateway")}, {failed}, {}), expected);
}

TEST(HostSteps, what_is_not_wanted_ends_in_reverse_and_first) {
  const std::vector<HostStatus> now = {row("model-old", HostState::kReady, 5), row("orchestrator", HostState::kLeft, 6),
                                       row("gateway", HostState::kStopped, 0)};
  const std::vector<HostStep> some = {{HostStepKind::kStop, "model-old", "it is not wanted any more"},
                                      {HostStepKind::kKeep, "orchestrator", "it runs, and is taken over"}};
  EXPECT_EQ(plan_host_steps({process("orchestrator")}, now, {started_as(process("orchestrator"))}), some);
  const std::vector<HostStep> all = {{HostStepKind::kStop, "orchestrator", "it was asked for"},
                                     {HostStepKind::kStop, "model-old", "it was asked for"}};
  EXPECT_EQ(plan_host_steps({}, now, {}), all);
}

}  // namespace
}  // namespace pandora
