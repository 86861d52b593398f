// Ten thousand turns in a simulated world. A seed that fails is printed; PANDORA_SIMULATION_SEED=<seed> runs it alone.
#include <charconv>
#include <cstdlib>
#include <string_view>

#include <gtest/gtest.h>

#include "simulated_turn.h"

namespace pandora {
namespace {

using testing::Coverage;
using testing::Disk;
using testing::SimulatedTurn;
using testing::Violation;

constexpr std::uint64_t kRuns = 10'000;
constexpr int kMostFailures = 5;  // then there is enough to look at

std::optional<std::uint64_t> chosen_seed() {
  const char* text = std::getenv("PANDORA_SIMULATION_SEED");
  if (!text) return std::nullopt;
  const std::string_view digits(text);
  std::uint64_t seed = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), seed);
  if (error != std::errc() || end != digits.data() + digits.size())
    throw std::invalid_argument("PANDORA_SIMULATION_SEED is no number");
  return seed;
}

// What does not hold, if anything.
std::optional<std::string> simulate(std::uint64_t seed, Disk::Kind kind, Coverage& coverage) {
  Disk disk{kind, {}};
  try {
    SimulatedTurn(seed, disk, coverage).run();
  } catch (const Violation& violation) {
    return violation.what();
  }
  return std::nullopt;
}

TEST(Simulation, EveryInvariantHoldsInTenThousandRandomTurns) {
  Coverage coverage;
  if (const auto seed = chosen_seed()) {
    const auto violation = simulate(*seed, Disk::Kind::kHonest, coverage);
    EXPECT_FALSE(violation) << *violation;
    for (const auto& [what, times] : coverage) std::printf("%6d  %s\n", times, what.c_str());
    return;
  }
  int failures = 0;
  for (std::uint64_t seed = 0; seed < kRuns && failures < kMostFailures; ++seed) {
    const auto violation = simulate(seed, Disk::Kind::kHonest, coverage);
    if (!violation) continue;
    ++failures;
    ADD_FAILURE() << "seed " << seed << ": " << *violation << "\n  PANDORA_SIMULATION_SEED=" << seed << " repeats it";
  }
  // A simulation in which something never happens proves nothing about it.
  for (const char* what : {"answered, saved",
                           "answered",
                           "clarified",
                           "cancelled",
                           "cancelled, saved",
                           "failed, saved",
                           "failed",
                           "cancelled before it began",
                           "a client's request went on",
                           "a client's request was asked again",
                           "handed back",
                           "handed back after ours",
                           "cancelled in phase 1",
                           "cancelled in phase 2",
                           "cancelled in phase 3",
                           "cancelled in phase 4",
                           "out of time in phase 1",
                           "out of time in phase 2",
                           "out of time in phase 3",
                           "out of time in phase 4",
                           "guidance",
                           "stray events",
                           "endless replies",
                           "failing models",
                           "failing saves",
                           "all revises",
                           "all retries",
                           "all passes",
                           "all tool calls",
                           "tool ok",
                           "tool failed",
                           "tool timed out",
                           "tool refused",
                           "tool cancelled",
                           "APPROVE",
                           "REVISE",
                           "RETRY",
                           "FAIL"}) {
    EXPECT_GT(coverage[what], 0) << what;
    RecordProperty(what, std::to_string(coverage[what]));
  }
}

// The canary: invariants that cannot fail hold nothing.
TEST(Simulation, ADiskThatLiesIsNoticed) {
  Coverage coverage;
  int noticed = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed)
    if (simulate(seed, Disk::Kind::kLying, coverage) == "an acknowledged turn is lost") ++noticed;
  EXPECT_GT(noticed, 50);
}

}  // namespace
}  // namespace pandora
