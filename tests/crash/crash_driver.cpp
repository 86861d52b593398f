// crash_driver [--pandora PROGRAM] [--kills N] [--seed S] [--canary]
//
// Kills N times at random points, four of five by a power cut in process, one of five by SIGKILL of the real program,
// and compares with what was acknowledged. Ends with 0 when nothing is lost, doubled, refused or different after
// reconcile; prints the seed that reproduces. --canary removes the journal's sync and ends with 0 only when that is
// caught.
#include "crash/crash_driver.h"

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <fmt/format.h>
#include <signal.h>

#include "base/log.h"
#include "base/random.h"

int main(int argc, char** argv) {
  using namespace pandora;
  std::string program;
  std::int64_t kills = 200;
  std::uint64_t seed = SystemRandom().below(1'000'000'000);
  bool canary = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : nullptr;
    if (flag == "--canary")
      canary = true;
    else if (flag == "--pandora" && value)
      program = value, ++i;
    else if (flag == "--kills" && value)
      kills = std::atoll(value), ++i;
    else if (flag == "--seed" && value)
      seed = std::strtoull(value, nullptr, 10), ++i;
    else
      return fmt::print(stderr, "usage: crash_driver [--pandora PROGRAM] [--kills N] [--seed S] [--canary]\n"), 2;
  }
  ::signal(SIGPIPE, SIG_IGN);
  set_log(LogLevel::kError, LogFormat::kText);
  fmt::print("seed {}\n", seed);
  if (canary) {
    const crash::Tally tally = crash::cut_power(kills, seed, crash::JournalSync::kRemoved);
    fmt::print("canary: without the journal's sync {} of {} acknowledged turns were lost in {} kills: {}\n", tally.lost,
               tally.acknowledged, tally.kills, tally.lost > 0 ? "caught" : "NOT CAUGHT");
    return tally.lost > 0 ? 0 : 1;
  }
  const std::int64_t processes = program.empty() ? 0 : kills / 5;
  if (program.empty()) fmt::print("no --pandora: power cuts only\n");
  crash::Tally tally = crash::cut_power(kills - processes, seed, crash::JournalSync::kReal);
  if (processes > 0) {
    const crash::Tally more = crash::kill_processes(program, processes, seed);
    tally.kills += more.kills, tally.acknowledged += more.acknowledged, tally.lost += more.lost,
        tally.doubled += more.doubled;
    tally.refused_starts += more.refused_starts, tally.differences += more.differences;
  }
  fmt::print("{} kills, {} acknowledged: {} lost, {} doubled, {} refused starts, {} differences after reconcile\n",
             tally.kills, tally.acknowledged, tally.lost, tally.doubled, tally.refused_starts, tally.differences);
  return tally.clean() ? 0 : 1;
}
