// Which process that is, so that another one with its number is never taken for it.
//
// A number (pid) is used again; together with the time at which the process started, in ticks since the boot, and the
// boot's id it never is. /proc is read, or another folder like it. Thread-safe.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pandora {

struct ProcessIdentity {
  int pid = 0;
  std::uint64_t start_ticks = 0;
  std::string boot_id;
  bool operator==(const ProcessIdentity&) const = default;
};
// Of a process that is there, or a zombie; none: there is no such one.
std::optional<ProcessIdentity> identity_of(int pid, const std::string& proc = "/proc");
// Does that very process still run? A zombie does not.
bool still_runs(const ProcessIdentity& identity, const std::string& proc = "/proc");

struct ProcessEntry {
  int pid = 0, parent = 0, session = 0;
  char state = '?';  // 'Z': it has ended, and nobody has asked how
  std::uint64_t start_ticks = 0;
  std::string name;
};
// Of the text of /proc/PID/stat; a name may hold spaces and brackets. Pure.
std::optional<ProcessEntry> parse_process_entry(std::string_view stat);

// What a pid file says. Its mark was given to the process in its environment before it started.
struct PidFile {
  std::string mark;         // empty in no file
  ProcessIdentity process;  // pid 0: it was about to be started
  std::string fingerprint;  // of what was started
  int restarts = 0;
};
inline constexpr std::size_t kMaxPidFileBytes = 64 * 1024;
std::string encode_pid_file(const PidFile& file);
Result<PidFile> decode_pid_file(std::string_view text);  // kDataCorrupt

inline constexpr std::string_view kHostProcessMark = "PANDORA_HOST_PROCESS";
std::vector<ProcessEntry> read_processes(const std::string& proc = "/proc");
// Whatever was started under that mark and still runs: those that have it in their environment, and what descends from
// `leader` (0: nobody) or is in its session. Oldest first; without zombies and this process. An empty mark: nobody has
// it.
std::vector<ProcessEntry> members_of(const std::vector<ProcessEntry>& all, const std::string& mark, int leader,
                                     const std::string& proc = "/proc");
// Likewise, now. Who forks and ends while the list is read would be missed: nobody counts only when two readings say
// so.
std::vector<ProcessEntry> members_now(const std::string& mark, int leader);
// Resident memory in bytes; 0 when it is gone.
std::uint64_t resident_bytes(int pid, const std::string& proc = "/proc");
// To exactly that process, or to none: false when it has ended, also when another has its number by now.
bool signal_exactly(const ProcessEntry& entry, int signal);
// Children of this process that nobody else waits for, and that have ended: those not in `known`.
void reap_strangers(const std::vector<int>& known);

}  // namespace pandora
