// What a supervisor that was killed leaves, who may have a place, and the control from another process.
#include <gmock/gmock.h>

#include "host/process_identity.h"
#include "host/supervisor_case.h"

namespace pandora {
namespace {

using namespace pandora::testing;
using ::testing::HasSubstr;

class LeftBehind : public SupervisorCase {
 protected:
  PidFile pid_file(const std::string& name) { return *decode_pid_file(text_of(settings.place.pid_file(name))); }
  void write_pid_file(const std::string& name, const PidFile& file) {
    std::ofstream(settings.place.pid_file(name)) << encode_pid_file(file);
  }
};

TEST_F(LeftBehind, the_next_supervisor_takes_over_what_is_wanted_as_it_is) {
  const auto gateway = server("gateway");
  open();
  ASSERT_TRUE(supervisor->apply({gateway}));
  ASSERT_TRUE(settle());
  const int pid = row("gateway").pid;
  lose_supervisor();
  ASSERT_TRUE(is_alive(pid));
  const auto left = *host_status(settings.place, clock, Deadline::after(clock, 10s));
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].state, HostState::kLeft);
  EXPECT_EQ(left[0].pid, pid);
  open();
  ASSERT_TRUE(supervisor->apply({gateway}));
  ASSERT_TRUE(settle());
  EXPECT_EQ(row("gateway").pid, pid);
  EXPECT_THAT(all_said(), HasSubstr("gateway: taken over, pid " + std::to_string(pid)));
  // It is looked after as its own: restarted when it is killed, ended when it is asked to.
  ASSERT_EQ(::kill(pid, SIGKILL), 0);
  ASSERT_TRUE(comes_about([&] { return row("gateway").pid != pid && is_in("gateway", HostState::kReady); }));
  const int next = row("gateway").pid;
  ASSERT_TRUE(supervisor->stop({}));
  EXPECT_FALSE(is_alive(next));
  EXPECT_FALSE(std::filesystem::exists(settings.place.pid_file("gateway")));
}

TEST_F(LeftBehind, what_is_wanted_otherwise_or_not_at_all_is_ended_first) {
  auto gateway = server("gateway");
  const auto old = server("old");
  open();
  ASSERT_TRUE(supervisor->apply({gateway, old}));
  ASSERT_TRUE(settle());
  const int pid = row("gateway").pid, old_pid = row("old").pid;
  lose_supervisor();
  gateway.environment["LOUD"] = "1";
  open();
  ASSERT_TRUE(supervisor->apply({gateway}));
  ASSERT_TRUE(settle());
  EXPECT_FALSE(is_alive(pid));
  EXPECT_FALSE(is_alive(old_pid));
  EXPECT_NE(row("gateway").pid, pid);
  EXPECT_THAT(all_said(), HasSubstr("gateway: ends what is left from before"));
}

TEST_F(LeftBehind, one_killed_before_it_could_note_the_pid_is_found_by_its_mark) {
  const auto gateway = server("gateway");
  open();
  ASSERT_TRUE(supervisor->apply({gateway}));
  ASSERT_TRUE(settle());
  const int pid = row("gateway").pid;
  lose_supervisor();
  PidFile file = pid_file("gateway");
  file.process = {};
  write_pid_file("gateway", file);
  open();
  ASSERT_TRUE(supervisor->apply({gateway}));
  ASSERT_TRUE(settle());
  EXPECT_FALSE(is_alive(pid));  // never two
  EXPECT_NE(row("gateway").pid, pid);
}

TEST_F(LeftBehind, a_number_that_is_used_again_is_nobody_we_know) {
  auto innocent = runner->start({{"sleep", "1000"}, {}, "", ""}, folder.path() + "/sleep.log");
  ASSERT_TRUE(innocent);
  const int pid = (*innocent)->pid();
  std::filesystem::create_directories(settings.place.directory);
  const auto really = *identity_of(pid);
  auto before = really;
  before.start_ticks -= 1;
  auto other_boot = really;
  other_boot.boot_id = "00000000-0000-0000-0000-000000000000";
  for (const auto& identity : {before, other_boot}) {
    EXPECT_FALSE(still_runs(identity));
    write_pid_file("gateway", {"0190-nobody", identity, "", 0});
    open();
    ASSERT_TRUE(supervisor->apply({server("gateway")}));
    ASSERT_TRUE(settle());
    EXPECT_NE(row("gateway").pid, pid);
    ASSERT_TRUE(supervisor->stop({}));
    EXPECT_TRUE(is_alive(pid));
    lose_supervisor();
  }
  write_pid_file("gateway", {"0190-nobody", before, "", 0});
  ASSERT_TRUE(stop_left_host_processes(settings.place, clock, {}));
  EXPECT_TRUE(is_alive(pid));
  EXPECT_TRUE(still_runs(really));
  (void)(*innocent)->signal(SIGKILL);
  (void)(*innocent)->wait(Deadline::never());
  EXPECT_FALSE(still_runs(really));
}

TEST_F(LeftBehind, down_without_a_supervisor_ends_what_is_left) {
  const auto port = free_port();
  open();
  ASSERT_TRUE(supervisor->apply({program("daemon", {"daemon", std::to_string(port)}, port)}));
  ASSERT_TRUE(settle());
  const int pid = row("daemon").pid;
  EXPECT_EQ(stop_left_host_processes(settings.place, clock, {}).error().code, ErrorCode::kConflict);
  lose_supervisor();
  ASSERT_TRUE(stop_left_host_processes(settings.place, clock, recorder()));
  EXPECT_FALSE(is_alive(pid));
  EXPECT_THAT(all_said(), HasSubstr("daemon: ends what is left from before"));
  EXPECT_TRUE(host_status(settings.place, clock, Deadline::never())->empty());
}

TEST_F(LeftBehind, they_are_ended_as_they_were_started_in_reverse_whatever_their_names) {
  auto gateway = server("gateway");
  gateway.needs = {"tools"};
  open();
  ASSERT_TRUE(supervisor->apply({gateway, server("tools")}));
  ASSERT_TRUE(settle());
  lose_supervisor();
  said.clear();
  ASSERT_TRUE(stop_left_host_processes(settings.place, clock, recorder()));
  EXPECT_LT(all_said().find("gateway: ends"), all_said().find("tools: ends")) << all_said();
}

TEST_F(LeftBehind, a_pid_file_that_is_none_is_set_aside) {
  std::filesystem::create_directories(settings.place.directory);
  std::ofstream(settings.place.pid_file("gateway")) << "4711\n";
  open();
  ASSERT_TRUE(supervisor->apply({server("gateway")}));
  ASSERT_TRUE(settle());
  EXPECT_THAT(all_said(), HasSubstr("is set aside: it is no pid file of this program"));
  EXPECT_EQ(text_of(settings.place.pid_file("gateway") + ".damaged"), "4711\n");
}

TEST_F(LeftBehind, a_place_has_one_supervisor_which_others_reach) {
  EXPECT_EQ(connect_host_supervisor(settings.place, clock).error().code, ErrorCode::kNotFound);
  open();
  EXPECT_EQ(Supervisor::open(settings, parts()).error().code, ErrorCode::kConflict);
  const auto remote = *connect_host_supervisor(settings.place, clock);
  auto cold = server("cold");
  cold.cold = true;
  ASSERT_TRUE(remote->apply({server("gateway"), cold}));
  ASSERT_TRUE(remote->settle(recorder(), Deadline::after(clock, 30s)));
  EXPECT_THAT(all_said(), HasSubstr("gateway: ready after"));
  const int pid = row("gateway").pid;
  ASSERT_TRUE(remote->restart("gateway", {}, Deadline::after(clock, 30s)));
  auto rows = *remote->status(Deadline::after(clock, 10s));
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].state, HostState::kReady);
  EXPECT_NE(rows[0].pid, pid);
  EXPECT_TRUE(rows[0].latency);
  EXPECT_EQ(rows[1].state, HostState::kCold);
  EXPECT_EQ(remote->restart("nobody", {}, Deadline::never()).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(remote->apply({server("Bad Name")}).error().code, ErrorCode::kInvalidArgument);
  {
    const auto use = remote->use("cold", {}, Deadline::after(clock, 30s));
    ASSERT_TRUE(use) << use.error().to_line();
    EXPECT_EQ(row("cold").state, HostState::kReady);
  }
  ASSERT_TRUE(remote->stop(recorder()));
  EXPECT_FALSE(is_alive(rows[0].pid));
  EXPECT_THAT(all_said(), HasSubstr("gateway: ended"));
}

TEST(PidFiles, have_a_form_that_lasts) {
  const PidFile file{"0190b3a2-0000-7000-8000-000000000000", {4711, 987654, "3b1c"}, "9f2a", 2};
  const std::string text =
      R"({"boot_id":"3b1c","fingerprint":"9f2a","mark":"0190b3a2-0000-7000-8000-000000000000","pid":4711,"restarts":2,"start_ticks":987654,"version":1})"
      "\n";
  EXPECT_EQ(encode_pid_file(file), text);
  const auto read = decode_pid_file(text);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->process, file.process);
  EXPECT_EQ(read->mark, file.mark);
  EXPECT_EQ(read->fingerprint, "9f2a");
  EXPECT_EQ(read->restarts, 2);
  EXPECT_EQ(decode_pid_file(R"({"version":2})").error().code, ErrorCode::kIncompatible);
  for (const char* wrong :
       {"", "4711", "{}",
        R"({"version":1,"mark":"","pid":1,"start_ticks":1,"boot_id":"","fingerprint":"","restarts":0})",
        R"({"version":1,"mark":"x","pid":"1"})"})
    EXPECT_FALSE(decode_pid_file(wrong)) << wrong;
}

TEST(ProcessEntry, a_name_may_hold_anything) {
  const std::string rest = " S 12 34 56 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2";
  for (const std::string name : {"sh", "a) S 1 (b", "two words", "((", ""}) {
    const auto entry = parse_process_entry("4711 (" + name + ")" + rest);
    ASSERT_TRUE(entry) << name;
    EXPECT_EQ(entry->pid, 4711);
    EXPECT_EQ(entry->name, name);
    EXPECT_EQ(entry->state, 'S');
    EXPECT_EQ(entry->parent, 12);
    EXPECT_EQ(entry->session, 56);
    EXPECT_EQ(entry->start_ticks, 987654u);
  }
  for (const char* wrong : {"", "4711", "4711 (sh", "4711 (sh) S 12", "x (sh) S 1 2 3", ")("})
    EXPECT_FALSE(parse_process_entry(wrong)) << wrong;
}

}  // namespace
}  // namespace pandora
