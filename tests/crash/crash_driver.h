// Kills it at random points and compares with what was acknowledged.
#pragma once
#include <cstdint>
#include <string>

namespace pandora::crash {

struct Tally {
  std::int64_t kills = 0, acknowledged = 0, lost = 0, doubled = 0, refused_starts = 0, differences = 0;
  bool clean() const { return lost == 0 && doubled == 0 && refused_starts == 0 && differences == 0; }
};

enum class JournalSync { kReal, kRemoved };  // kRemoved: the canary; acknowledging without a sync must be caught

// Power cuts in process: journal, documents and databases on one disk that forgets, tears and reorders what was not
// synced.
Tally cut_power(std::int64_t kills, std::uint64_t seed, JournalSync sync);
// SIGKILL of the real program while it answers a pipe.
Tally kill_processes(const std::string& program, std::int64_t kills, std::uint64_t seed);

}  // namespace pandora::crash
