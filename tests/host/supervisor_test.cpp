#include "host/supervisor.h"

#include <atomic>

#include <gmock/gmock.h>

#include "host/file_watch.h"
#include "host/supervisor_case.h"

namespace pandora {
namespace {

using namespace pandora::testing;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(SupervisorCase, each_starts_when_what_it_needs_is_ready) {
  auto model = server("model"), tools = server("orchestrator"), gateway = server("gateway");
  tools.needs = {"model"};
  gateway.needs = {"orchestrator"};
  open();
  ASSERT_TRUE(supervisor->apply({gateway, tools, model}));
  const Status settled = settle();
  ASSERT_TRUE(settled) << settled.error().to_line();
  const std::string text = all_said();
  const auto ready = [&](const std::string& name) { return text.find(name + ": ready after"); };
  const auto started = [&](const std::string& name) { return text.find(name + ": starting, pid"); };
  EXPECT_LT(ready("model"), started("orchestrator")) << text;
  EXPECT_LT(ready("orchestrator"), started("gateway")) << text;
  const auto rows = *supervisor->status(Deadline::after(clock, 10s));
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].name, "model");
  for (const auto& one : rows) {
    EXPECT_EQ(one.state, HostState::kReady);
    EXPECT_TRUE(is_alive(one.pid));
    EXPECT_GT(one.memory_bytes, 1'000'000u);
    EXPECT_TRUE(one.latency.has_value());
    EXPECT_EQ(one.restarts, 0);
  }
  said.clear();
  ASSERT_TRUE(supervisor->stop(recorder()));
  const std::string end = all_said();
  EXPECT_LT(end.find("gateway: ended"), end.find("orchestrator: asked to end")) << end;
  EXPECT_LT(end.find("orchestrator: ended"), end.find("model: asked to end")) << end;
  for (const auto& one : rows) EXPECT_FALSE(is_alive(one.pid));
  EXPECT_THAT(log_of("gateway"), HasSubstr("asked to end"));
}

TEST_F(SupervisorCase, one_that_keeps_crashing_is_given_up_and_says_why) {
  open();
  auto user = server("user");
  user.needs = {"broken"};
  ASSERT_TRUE(supervisor->apply({program("broken", {"crashes"}, free_port()), user}));
  const Status settled = settle();
  ASSERT_FALSE(settled);
  EXPECT_EQ(settled.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(settled.error().message, HasSubstr("broken: pid"));
  EXPECT_THAT(settled.error().message, HasSubstr("exited with code 3; given up after 3 times"));
  EXPECT_THAT(row("broken").last_lines, Contains("the settings are wrong: no such file"));
  EXPECT_THAT(row("broken").last_lines, Not(Contains(HasSubstr("hunter2"))));
  EXPECT_THAT(all_said(), HasSubstr("starts again in"));
  EXPECT_THAT(row("user").reason, HasSubstr("it needs broken, which was given up"));
  EXPECT_EQ(row("broken").restarts, 2);
}

TEST_F(SupervisorCase, the_pause_before_a_restart_doubles_up_to_its_limit) {
  const RestartPolicy policy;
  EXPECT_EQ(restart_pause(policy, 1), 1s);
  EXPECT_EQ(restart_pause(policy, 2), 2s);
  EXPECT_EQ(restart_pause(policy, 6), 32s);
  EXPECT_EQ(restart_pause(policy, 7), 1min);
  EXPECT_EQ(restart_pause(policy, 1'000'000), 1min);
}

TEST_F(SupervisorCase, one_that_never_gets_ready_is_ended_with_its_last_answer) {
  const std::string sick = folder.path() + "/sick";
  std::ofstream(sick) << "x";
  const auto port = free_port();
  auto process = program("slow", {"sick-while", std::to_string(port), sick}, port);
  process.ready_time = 10s;  // a busy machine takes seconds until it listens
  open();
  ASSERT_TRUE(supervisor->apply({process}));
  const Status settled = settle();
  ASSERT_FALSE(settled);
  EXPECT_THAT(settled.error().message, HasSubstr("it was not ready within 10 s: /health answers 503: still loading"));
  EXPECT_EQ(row("slow").pid, 0);
  // Another try, when it is asked for, works.
  std::filesystem::remove(sick);
  EXPECT_TRUE(supervisor->restart("slow", recorder(), Deadline::after(clock, 30s)));
}

TEST_F(SupervisorCase, one_that_listens_late_is_waited_for) {
  const std::string go = folder.path() + "/go";
  const auto port = free_port();
  open();
  ASSERT_TRUE(supervisor->apply({program("late", {"waits-for", std::to_string(port), go}, port)}));
  ASSERT_TRUE(comes_about([&] { return row("late").reason.find("nobody listens") != std::string::npos; }));
  std::ofstream(go) << "x";
  EXPECT_TRUE(settle());
}

TEST_F(SupervisorCase, a_model_server_must_list_its_model_and_say_a_token) {
  const auto port = free_port();
  auto process = program("voice", {"serves-model", std::to_string(port), "tiny"}, port);
  process.readiness.speaks_chat = true;
  process.readiness.model = "huge";
  open();
  ASSERT_TRUE(supervisor->apply({process}));
  ASSERT_TRUE(
      comes_about([&] { return row("voice").reason.find("it does not list huge, but tiny") != std::string::npos; }));
  process.readiness.model = "tiny";
  ASSERT_TRUE(supervisor->apply({process}));
  EXPECT_TRUE(settle());
}

TEST_F(SupervisorCase, a_killed_one_is_started_again) {
  open();
  ASSERT_TRUE(supervisor->apply({server("gateway")}));
  ASSERT_TRUE(settle());
  const int pid = row("gateway").pid;
  ASSERT_EQ(::kill(pid, SIGKILL), 0);
  ASSERT_TRUE(comes_about([&] { return row("gateway").restarts == 1 && is_in("gateway", HostState::kReady); }));
  const HostStatus now = row("gateway");
  EXPECT_NE(now.pid, pid);
  EXPECT_THAT(now.last_exit, HasSubstr("was killed by SIGKILL at 20"));
  EXPECT_THAT(now.last_lines, Contains(HasSubstr("was killed by SIGKILL]")));
}

TEST_F(SupervisorCase, one_that_ignores_sigterm_is_killed_and_that_is_said) {
  const auto port = free_port();
  auto process = program("deaf", {"deaf", std::to_string(port)}, port);
  process.stop_grace = 200ms;
  open();
  ASSERT_TRUE(supervisor->apply({process}));
  ASSERT_TRUE(settle());
  const int pid = row("deaf").pid;
  ASSERT_TRUE(supervisor->stop(recorder()));
  EXPECT_FALSE(is_alive(pid));
  EXPECT_THAT(all_said(), HasSubstr("did not end within 0.2 s of SIGTERM, killed: "));
}

TEST_F(SupervisorCase, in_a_hurry_there_is_no_grace) {
  const auto port = free_port();
  auto process = program("deaf", {"deaf", std::to_string(port)}, port);
  process.stop_grace = 1h;
  open();
  ASSERT_TRUE(supervisor->apply({process}));
  ASSERT_TRUE(settle());
  supervisor->hurry();
  ASSERT_TRUE(supervisor->stop(recorder()));
  EXPECT_THAT(all_said(), HasSubstr("killed without grace"));
}

TEST_F(SupervisorCase, what_a_process_forks_ends_with_it) {
  const std::string note = folder.path() + "/child";
  const auto port = free_port();
  open();
  ASSERT_TRUE(supervisor->apply({program("forks", {"forks", std::to_string(port), note}, port)}));
  ASSERT_TRUE(settle());
  const int child = std::stoi(text_of(note));
  ASSERT_TRUE(is_alive(child));
  // Killed, it leaves its child behind: that one ends before the next starts.
  ASSERT_EQ(::kill(row("forks").pid, SIGKILL), 0);
  ASSERT_TRUE(comes_about([&] { return row("forks").restarts == 1 && is_in("forks", HostState::kReady); }));
  EXPECT_FALSE(is_alive(child));
  const int next = std::stoi(text_of(note));
  EXPECT_NE(next, child);
  ASSERT_TRUE(supervisor->stop(recorder()));
  EXPECT_FALSE(is_alive(next));
  EXPECT_THAT(all_said(), HasSubstr("forks: left behind, and ended: sleep (pid"));
}

TEST_F(SupervisorCase, while_they_are_stopped_none_is_started_again) {
  const auto port = free_port();
  open();
  ASSERT_TRUE(supervisor->apply({program("deaf", {"deaf", std::to_string(port)}, port)}));
  ASSERT_TRUE(settle());
  std::thread stop([&] { EXPECT_TRUE(supervisor->stop({})); });
  EXPECT_TRUE(comes_about([&] { return is_in("deaf", HostState::kStopping); }));
  const Status again = supervisor->restart("deaf", {}, Deadline::after(clock, 10s));
  EXPECT_EQ(again ? ErrorCode::kInternal : again.error().code, ErrorCode::kConflict);
  supervisor->hurry();
  stop.join();
  EXPECT_EQ(row("deaf").state, HostState::kStopped);
}

TEST_F(SupervisorCase, what_it_leaves_in_its_session_without_its_mark_is_ended_too) {
  const std::string note = folder.path() + "/child";
  const auto port = free_port();
  open();
  ASSERT_TRUE(supervisor->apply({program("leaves", {"leaves", std::to_string(port), note}, port)}));
  ASSERT_TRUE(settle());
  const int child = std::stoi(text_of(note));
  ASSERT_EQ(::kill(row("leaves").pid, SIGKILL), 0);
  ASSERT_TRUE(comes_about([&] { return row("leaves").restarts == 1 && is_in("leaves", HostState::kReady); }));
  EXPECT_FALSE(is_alive(child));
}

TEST_F(SupervisorCase, one_that_goes_into_the_background_is_followed_there) {
  const auto port = free_port();
  open();
  ASSERT_TRUE(supervisor->apply({program("daemon", {"daemon", std::to_string(port)}, port)}));
  ASSERT_TRUE(settle());
  const int pid = row("daemon").pid;
  EXPECT_TRUE(is_alive(pid));
  EXPECT_EQ(row("daemon").restarts, 0);
  EXPECT_THAT(all_said(), HasSubstr("daemon: went into the background"));
  ASSERT_EQ(::kill(pid, SIGKILL), 0);
  ASSERT_TRUE(comes_about([&] { return row("daemon").restarts == 1 && is_in("daemon", HostState::kReady); }));
  const int next = row("daemon").pid;
  ASSERT_TRUE(supervisor->stop({}));
  EXPECT_FALSE(is_alive(next));
}

TEST_F(SupervisorCase, a_taken_port_is_named_with_who_has_it) {
  auto first = server("first");
  auto second = first;
  second.name = "second";
  second.needs = {"first"};
  open();
  ASSERT_TRUE(supervisor->apply({first, second}));
  const Status settled = settle();
  ASSERT_FALSE(settled);
  EXPECT_THAT(settled.error().message,
              HasSubstr("second: port " + std::to_string(first.readiness.port) + " is taken by "));
  EXPECT_THAT(settled.error().message, HasSubstr("(pid " + std::to_string(row("first").pid) + ")"));
}

TEST_F(SupervisorCase, stopping_in_the_middle_of_a_start_ends_what_has_begun) {
  const std::string go = folder.path() + "/never";
  const auto port = free_port();
  auto late = program("late", {"waits-for", std::to_string(port), go}, port);
  auto user = server("user");
  user.needs = {"late"};
  open();
  ASSERT_TRUE(supervisor->apply({late, user}));
  ASSERT_TRUE(comes_about([&] { return is_in("late", HostState::kStarting); }));
  const int pid = row("late").pid;
  Status settled;
  std::thread waiter([&] { settled = settle(); });
  ASSERT_TRUE(supervisor->stop({}));
  waiter.join();
  ASSERT_FALSE(settled);
  EXPECT_EQ(settled.error().code, ErrorCode::kCancelled);
  EXPECT_FALSE(is_alive(pid));
  EXPECT_EQ(row("user").state, HostState::kStopped);
  EXPECT_EQ(supervisor->apply({late}).error().code, ErrorCode::kConflict);
}

TEST_F(SupervisorCase, applying_again_starts_what_is_new_and_changes_only_what_has_changed) {
  auto kept = server("kept"), changed = server("changed"), gone = server("gone");
  open();
  ASSERT_TRUE(supervisor->apply({kept, changed, gone}));
  ASSERT_TRUE(settle());
  const int kept_pid = row("kept").pid, changed_pid = row("changed").pid, gone_pid = row("gone").pid;
  changed.environment["LOUD"] = "1";
  kept.stop_grace = 3s;  // no reason to start it again
  ASSERT_TRUE(supervisor->apply({kept, changed, server("fresh")}));
  ASSERT_TRUE(settle());
  EXPECT_EQ(row("kept").pid, kept_pid);
  EXPECT_NE(row("changed").pid, changed_pid);
  EXPECT_FALSE(is_alive(gone_pid));
  EXPECT_EQ(row("fresh").state, HostState::kReady);
  EXPECT_EQ(row("gone").pid, 0);
}

TEST_F(SupervisorCase, a_set_that_cannot_be_is_refused_as_a_whole) {
  open();
  auto a = server("a"), b = server("b");
  const auto refused = [&](std::vector<HostProcess> set) { return supervisor->apply(std::move(set)).error(); };
  a.needs = {"nobody"};
  EXPECT_THAT(refused({a}).message, HasSubstr("a needs nobody, which is not there"));
  a.needs = {"b"};
  b.needs = {"a"};
  EXPECT_THAT(refused({a, b}).message, HasSubstr("needs itself"));
  EXPECT_THAT(refused({b, b}).message, HasSubstr("two processes are called b"));
  EXPECT_EQ(refused({program("Bad Name", {"runs"})}).code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused({program("supervisor", {"runs"})}).code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused({program(std::string(41, 'a'), {"runs"})}).code, ErrorCode::kInvalidArgument);
  std::vector<HostProcess> many;
  for (std::size_t i = 0; i <= kMaxHostProcesses; ++i) many.push_back(program("p" + std::to_string(i), {"runs"}));
  EXPECT_EQ(refused(many).code, ErrorCode::kTooLarge);
  many.pop_back();
  EXPECT_EQ(in_starting_order(many)->size(), kMaxHostProcesses);
  EXPECT_TRUE(supervisor->status(Deadline::never())->empty());
}

TEST_F(SupervisorCase, one_that_stops_answering_is_unhealthy_until_it_answers) {
  const std::string sick = folder.path() + "/sick";
  const auto port = free_port();
  open();
  ASSERT_TRUE(supervisor->apply({program("moody", {"sick-while", std::to_string(port), sick}, port)}));
  ASSERT_TRUE(settle());
  std::ofstream(sick) << "x";
  ASSERT_TRUE(comes_about([&] { return is_in("moody", HostState::kUnhealthy); }));
  EXPECT_THAT(row("moody").reason, HasSubstr("503: still loading"));
  EXPECT_FALSE(row("moody").latency.has_value());
  std::filesystem::remove(sick);
  EXPECT_TRUE(comes_about([&] { return is_in("moody", HostState::kReady); }));
}

TEST_F(SupervisorCase, a_program_that_is_not_there_is_named) {
  auto process = program("missing", {});
  process.arguments = {folder.path() + "/no-such-program"};
  open();
  ASSERT_TRUE(supervisor->apply({process}));
  const Status settled = settle();
  ASSERT_FALSE(settled);
  EXPECT_THAT(settled.error().message, HasSubstr("no-such-program: No such file"));
}

TEST(FileWatch, what_else_happens_in_the_folder_does_not_put_a_change_off) {
  const TemporaryDirectory folder;
  std::atomic<bool> told = false;
  const auto watch = FileWatch::open({folder.path() + "/config"}, 500ms, [&](const auto&) { told = true; });
  ASSERT_TRUE(watch) << watch.error().to_line();
  std::ofstream(folder.path() + "/config") << "x";
  EXPECT_TRUE(comes_about([&] {
    std::ofstream(folder.path() + "/other") << "x";
    return told.load();
  }));
}

TEST_F(SupervisorCase, a_changed_file_drains_and_restarts_who_watches_it) {
  const std::string config = folder.path() + "/pandora.toml";
  std::ofstream(config) << "a = 1\n";
  auto watches = server("watches"), other = server("other");
  watches.made_of = {config};
  watches.watch = true;
  open();
  ASSERT_TRUE(supervisor->apply({watches, other}));
  ASSERT_TRUE(settle());
  const int pid = row("watches").pid, other_pid = row("other").pid;
  std::ofstream(config + ".new") << "a = 22\n";
  std::filesystem::rename(config + ".new", config);  // as editors do
  ASSERT_TRUE(comes_about([&] { return row("watches").pid != pid && is_in("watches", HostState::kReady); }));
  EXPECT_FALSE(is_alive(pid));
  EXPECT_THAT(log_of("watches"), HasSubstr("asked to end"));
  EXPECT_EQ(row("other").pid, other_pid);
}

TEST_F(SupervisorCase, what_is_reloaded_runs_and_what_cannot_be_changes_nothing) {
  const std::string config = folder.path() + "/pandora.toml";
  const auto write = [&](const char* text) {  // in one step, so it is seen once
    std::ofstream(config + ".new") << text;
    std::filesystem::rename(config + ".new", config);
  };
  write("a = 1\n");
  auto process = server("gateway");
  process.made_of = {config};
  process.watch = true;
  std::atomic<bool> broken = true;
  const auto added = server("added");
  settings.reload = [&]() -> Result<std::vector<HostProcess>> {
    if (broken.exchange(false)) return fail(ErrorCode::kInvalidArgument, "line 1: no setting \"a\"");
    return std::vector{process, added};
  };
  open();
  ASSERT_TRUE(supervisor->apply({process}));
  ASSERT_TRUE(settle());
  const int pid = row("gateway").pid;
  write("wrong\n");
  // The event is kept for whoever asks later.
  ASSERT_TRUE(comes_about([&] {
    said.clear();
    (void)settle();
    return all_said().find("all goes on as it was: line 1") != std::string::npos;
  }));
  EXPECT_EQ(row("gateway").pid, pid);
  write("right\n");
  EXPECT_TRUE(comes_about([&] { return is_in("added", HostState::kReady) && is_in("gateway", HostState::kReady); }));
  EXPECT_NE(row("gateway").pid, pid);
}

}  // namespace
}  // namespace pandora
