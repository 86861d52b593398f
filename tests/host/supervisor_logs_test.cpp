// Logs, cold processes, and the card.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "host/gpu.h"
#include "host/rotating_log.h"
#include "host/supervisor_case.h"
#include "support/fault_file_system.h"

namespace pandora {
namespace {

using namespace pandora::testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RotatedLog : public ::testing::Test {
 protected:
  std::unique_ptr<RotatingLog> open(LogLimits limits) { return *RotatingLog::open(path, limits, *files); }
  std::string at(int place) { return text_of(place == 0 ? path : path + "." + std::to_string(place)); }
  TemporaryDirectory folder;
  std::unique_ptr<FileSystem> files = make_posix_file_system();
  const std::string path = folder.path() + "/x.log";
};

TEST_F(RotatedLog, a_file_that_is_full_becomes_the_one_before) {
  const auto log = open({10, 3});
  log->write("one..\n");
  log->write("4321");  // the tenth byte still fits
  EXPECT_EQ(at(0), "one..\n4321");
  log->write("\n");
  EXPECT_EQ(at(0), "\n");
  EXPECT_EQ(at(1), "one..\n4321");
  log->write("aaaaaaaa\nbbbbbbbb\ncccccccc\n");
  EXPECT_EQ(at(0), "cccccccc\n");
  EXPECT_EQ(at(1), "bbbbbbbb\n");
  EXPECT_EQ(at(2), "\naaaaaaaa\n");
  EXPECT_EQ(at(3), "");
}

TEST_F(RotatedLog, a_line_longer_than_a_file_is_cut) {
  const auto log = open({10, 2});
  log->write(std::string(25, 'x'));
  EXPECT_EQ(at(0), std::string(5, 'x'));
  EXPECT_EQ(at(1), std::string(10, 'x'));
  EXPECT_EQ(at(2), "");
}

TEST_F(RotatedLog, one_file_alone_begins_anew) {
  const auto log = open({10, 1});
  log->write("12345678\nabcdefgh\n");
  EXPECT_EQ(at(0), "abcdefgh\n");
  EXPECT_EQ(at(1), "");
}

TEST_F(RotatedLog, goes_on_where_the_one_before_stopped) {
  open({10, 2})->write("123456\n");
  open({10, 2})->write("abcdef\n");
  EXPECT_EQ(at(0), "abcdef\n");
  EXPECT_EQ(at(1), "123456\n");
}

TEST(RotatedLogOnAFullDisk, loses_lines_and_says_how_many_when_there_is_room_again) {
  FaultFileSystem disk;
  ASSERT_TRUE(disk.create_directories("/logs"));
  const auto log = *RotatingLog::open("/logs/x.log", {1000, 2}, disk);
  log->write("before\n");
  disk.limit_bytes(0);
  log->write("lost\n");
  log->write("lost too\n");
  EXPECT_EQ(log->lost(), 14u);
  disk.limit_bytes(std::nullopt);
  log->write("after\n");
  EXPECT_EQ(log->lost(), 0u);
  EXPECT_EQ(*disk.read_file("/logs/x.log", 1000),
            "before\n[pandora: 14 bytes of this log are lost: the disk was full]\nafter\n");
}

TEST_F(RotatedLog, its_last_lines_reach_back_into_the_file_before) {
  open({30, 2})->write("one\ntwo\nthree\nfour\ntoken=sk-secret12345\n");
  EXPECT_THAT(last_lines(*files, path, 3, 1000), ElementsAre("three", "four", HasSubstr("***")));
  EXPECT_THAT(last_lines(*files, folder.path() + "/none", 3, 1000), ElementsAre());
}

TEST_F(SupervisorCase, a_flood_fills_no_more_than_its_files) {
  const auto port = free_port();
  settings.logs = {64 * 1024, 2};
  open();
  ASSERT_TRUE(supervisor->apply({program("floods", {"floods", std::to_string(port), "50000"}, port)}));
  ASSERT_TRUE(settle());
  ASSERT_TRUE(comes_about([&] { return log_of("floods").find("listens") != std::string::npos; }));
  const std::string path = settings.place.log("floods");
  EXPECT_LE(std::filesystem::file_size(path), 64u * 1024);
  EXPECT_LE(std::filesystem::file_size(path + ".1"), 64u * 1024);
  EXPECT_FALSE(std::filesystem::exists(path + ".2"));
  EXPECT_THAT(log_of("floods") + text_of(path + ".1"), HasSubstr("line 00049999 "));
}

TEST_F(SupervisorCase, a_writer_that_is_killed_is_replaced_and_the_process_does_not_notice) {
  auto gateway = server("gateway");
  open();
  ASSERT_TRUE(supervisor->apply({gateway}));
  ASSERT_TRUE(settle());
  const int pid = row("gateway").pid;
  ASSERT_TRUE(comes_about([&] { return log_of("gateway") == "listens\n"; }));
  // The writer is whoever has the pipe open for reading, and is neither we nor the process.
  const auto writer = [&] {
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      std::error_code code;
      const std::string line = kernel_file(entry.path().string() + "/cmdline");
      if (line.starts_with(PANDORA_LOG_WRITER) && line.find(settings.place.directory) != std::string::npos)
        return std::stoi(entry.path().filename());
    }
    return 0;
  };
  const int first = writer();
  ASSERT_GT(first, 0);
  ASSERT_EQ(::kill(first, SIGKILL), 0);
  ASSERT_TRUE(comes_about([&] { return writer() != 0 && writer() != first; }));
  EXPECT_EQ(row("gateway").pid, pid);
  ASSERT_TRUE(supervisor->stop({}));
  EXPECT_TRUE(comes_about([&] { return log_of("gateway").find("asked to end\n") != std::string::npos; }));
}

TEST_F(SupervisorCase, a_cold_one_starts_on_use_and_stops_when_idle) {
  auto eyes = server("eyes");
  eyes.cold = true;
  eyes.idle_time = 50ms;
  auto gateway = server("gateway");
  gateway.needs = {"eyes"};  // being able to start is enough
  open();
  ASSERT_TRUE(supervisor->apply({eyes, gateway}));
  ASSERT_TRUE(settle());
  EXPECT_EQ(row("eyes").state, HostState::kCold);
  EXPECT_EQ(row("eyes").pid, 0);
  int pid = 0;
  {
    const auto use = supervisor->use("eyes", recorder(), Deadline::after(clock, 30s));
    ASSERT_TRUE(use) << use.error().to_line();
    pid = row("eyes").pid;
    EXPECT_TRUE(is_alive(pid));
    EXPECT_THAT(all_said(), HasSubstr("eyes: ready after"));
    const auto second = supervisor->use("eyes", {}, Deadline::after(clock, 30s));
    ASSERT_TRUE(second);
    EXPECT_EQ(row("eyes").pid, pid);
  }
  EXPECT_TRUE(comes_about([&] { return is_in("eyes", HostState::kCold) && !is_alive(pid); }));
  EXPECT_TRUE(supervisor->restart("eyes", {}, Deadline::after(clock, 30s)));  // nobody uses it: nothing to wait for
  EXPECT_EQ(supervisor->use("nobody", {}, Deadline::never()).error().code, ErrorCode::kNotFound);
}

TEST_F(SupervisorCase, a_cold_one_that_cannot_start_says_so_and_may_be_tried_again) {
  auto eyes = program("eyes", {"crashes"}, free_port());
  eyes.cold = true;
  open();
  ASSERT_TRUE(supervisor->apply({eyes}));
  ASSERT_TRUE(settle());
  const auto failed = [&] { return supervisor->use("eyes", {}, Deadline::after(clock, 30s)).error(); };
  EXPECT_THAT(failed().message, HasSubstr("exited with code 3; given up after 3 times"));
  const int restarts = row("eyes").restarts;
  EXPECT_THAT(failed().message, HasSubstr("given up after 3 times"));
  EXPECT_GT(row("eyes").restarts, restarts);
}

class Card : public SupervisorCase {
 protected:
  Card() {
    std::filesystem::create_directories(folder.path() + "/bin");
    const std::string tool = folder.path() + "/bin/nvidia-smi";
    std::ofstream(tool) << "#!/bin/sh\ncase \"$1\" in\n--query-gpu=*) cat '" << folder.path() << "/cards';;\n*) cat '"
                        << folder.path() << "/holders';;\nesac\n";
    ::chmod(tool.c_str(), 0700);
    path = std::getenv("PATH");
    ::setenv("PATH", (folder.path() + "/bin:" + path).c_str(), 1);
  }
  ~Card() override { ::setenv("PATH", path.c_str(), 1); }
  void say(const std::string& cards, const std::string& holders) {
    std::ofstream(folder.path() + "/holders") << holders;
    std::ofstream(folder.path() + "/cards") << cards;
  }
  std::string path;
};

TEST_F(Card, is_waited_for_and_what_holds_it_is_said) {
  say("0, NVIDIA GeForce RTX 3090, 24576, 20480\n", "4711, /usr/bin/python3, 20000\n4712, Xorg, 300\n");
  auto voice = server("voice");
  voice.gpu_share = 0.5;
  open();
  ASSERT_TRUE(supervisor->apply({voice}));
  ASSERT_TRUE(comes_about([&] { return is_in("voice", HostState::kWaiting) && !row("voice").reason.empty(); }));
  EXPECT_EQ(row("voice").reason,
            "it wants 50 % of the card: 4.0 of 24.0 GB are free; /usr/bin/python3 (pid 4711) holds 19.5 GB, Xorg (pid "
            "4712) holds 0.3 GB");
  say("0, NVIDIA GeForce RTX 3090, 24576, 100\n", "");
  EXPECT_TRUE(settle());
}

TEST_F(Card, that_does_not_become_free_in_time_is_given_up) {
  say("0, NVIDIA GeForce RTX 3090, 24576, 20480\n", "4711, python3, 20000\n");
  auto voice = server("voice");
  voice.gpu_share = 0.5;
  voice.ready_time = 1ms;
  open();
  ASSERT_TRUE(supervisor->apply({voice}));
  const Status settled = settle();
  ASSERT_FALSE(settled);
  EXPECT_THAT(settled.error().message, HasSubstr("the card did not become free within 0 s: it wants 50 %"));
  EXPECT_THAT(settled.error().message, HasSubstr("python3 (pid 4711) holds 19.5 GB"));
}

TEST_F(Card, without_the_tool_is_not_waited_for) {
  ::setenv("PATH", (folder.path() + "/nothing:/usr/bin:/bin").c_str(), 1);
  if (runner->run({{"nvidia-smi"}, {}, "", ""}, Deadline::after(clock, 10s)))
    GTEST_SKIP() << "there is one in /usr/bin";
  auto voice = server("voice");
  voice.gpu_share = 0.5;
  open();
  ASSERT_TRUE(supervisor->apply({voice}));
  EXPECT_THAT(settle().error().message, HasSubstr("it wants a graphics card, and there is no nvidia-smi"));
}

TEST(Gpus, are_read_as_the_tool_writes_them) {
  const auto cards = *parse_gpus("0, NVIDIA A100, PCIe, 40960, 5\n1, Other, 100, 50\n\n");
  ASSERT_EQ(cards.size(), 2u);
  EXPECT_EQ(cards[0].name, "NVIDIA A100, PCIe");
  EXPECT_EQ(cards[0].free_mib(), 40955);
  EXPECT_EQ((*parse_gpu_holders("7, a, [N/A]\n8, b, 10\n"))[0].pid, 8);
  EXPECT_TRUE(parse_gpus("")->empty());
  for (const char* wrong : {"x", "0, A, 1", "0, A, x, 1", "No devices were found"})
    EXPECT_EQ(parse_gpus(wrong).error().code, ErrorCode::kDataCorrupt) << wrong;
}

}  // namespace
}  // namespace pandora
