#include "host/process_identity.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <sstream>

#include <dirent.h>
#include <fmt/format.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/kernel_file.h"
#include "base/text.h"
#include "wire/json_reader.h"

namespace pandora {
namespace {

std::optional<ProcessEntry> entry_of(int pid, const std::string& proc) {
  return parse_process_entry(kernel_file(fmt::format("{}/{}/stat", proc, pid)));
}

bool carries(int pid, std::string_view line, const std::string& proc) {
  const std::string environment = kernel_file(fmt::format("{}/{}/environ", proc, pid));
  for (std::size_t at = 0; at < environment.size();) {
    const std::size_t end = std::min(environment.find('\0', at), environment.size());
    if (std::string_view(environment).substr(at, end - at) == line) return true;
    at = end + 1;
  }
  return false;
}

}  // namespace

std::optional<ProcessEntry> parse_process_entry(std::string_view stat) {
  const std::size_t open = stat.find('('), close = stat.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return std::nullopt;
  ProcessEntry entry;
  entry.name = stat.substr(open + 1, close - open - 1);
  if (std::from_chars(stat.data(), stat.data() + open, entry.pid).ec != std::errc()) return std::nullopt;
  // Behind the name: state, parent, group, session, …; the start is the 22nd of all (proc(5)).
  constexpr int kGroup = 2, kSession = 3, kStart = 19;
  std::istringstream rest{std::string(stat.substr(close + 1))};
  std::int64_t number = 0;
  if (!(rest >> entry.state >> entry.parent)) return std::nullopt;
  for (int place = kGroup; place <= kStart; ++place) {
    if (!(rest >> number)) return std::nullopt;
    if (place == kSession) entry.session = static_cast<int>(number);
  }
  entry.start_ticks = static_cast<std::uint64_t>(number);
  return entry;
}

std::optional<ProcessIdentity> identity_of(int pid, const std::string& proc) {
  const auto entry = pid > 0 ? entry_of(pid, proc) : std::nullopt;
  if (!entry) return std::nullopt;
  return ProcessIdentity{pid, entry->start_ticks, std::string(trim(kernel_file(proc + "/sys/kernel/random/boot_id")))};
}

bool still_runs(const ProcessIdentity& identity, const std::string& proc) {
  const auto entry = identity.pid > 0 ? entry_of(identity.pid, proc) : std::nullopt;
  return entry && entry->state != 'Z' && entry->state != 'X' && identity_of(identity.pid, proc) == identity;
}

std::string encode_pid_file(const PidFile& file) {
  return dump_json({{"version", 1},
                    {"mark", file.mark},
                    {"pid", file.process.pid},
                    {"start_ticks", file.process.start_ticks},
                    {"boot_id", file.process.boot_id},
                    {"fingerprint", file.fingerprint},
                    {"restarts", file.restarts}}) +
         "\n";
}

Result<PidFile> decode_pid_file(std::string_view text) {
  const auto json = parse_json(text, kMaxPidFileBytes, "a pid file");
  const auto wrong = [] { return fail(ErrorCode::kDataCorrupt, "it is no pid file of this program"); };
  if (!json || !json->is_object()) return wrong();
  PidFile file;
  try {
    if (json->at("version") != 1) return fail(ErrorCode::kIncompatible, "the pid file is another version's");
    file.mark = json->at("mark").get<std::string>();
    file.process = {json->at("pid").get<int>(), json->at("start_ticks").get<std::uint64_t>(),
                    json->at("boot_id").get<std::string>()};
    file.fingerprint = json->at("fingerprint").get<std::string>();
    file.restarts = json->at("restarts").get<int>();
  } catch (const Json::exception&) {
    return wrong();
  }
  if (file.mark.empty()) return wrong();
  return file;
}

std::vector<ProcessEntry> read_processes(const std::string& proc) {
  std::vector<ProcessEntry> entries;
  DIR* folder = ::opendir(proc.c_str());
  if (!folder) return entries;
  while (const dirent* item = ::readdir(folder)) {
    const std::string_view name(item->d_name);
    int pid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), pid).ptr != name.data() + name.size() || pid <= 0)
      continue;
    if (auto entry = entry_of(pid, proc)) entries.push_back(*std::move(entry));
  }
  ::closedir(folder);
  return entries;
}

std::vector<ProcessEntry> members_of(const std::vector<ProcessEntry>& all, const std::string& mark, int leader,
                                     const std::string& proc) {
  const std::string line = fmt::format("{}={}", kHostProcessMark, mark);
  std::set<int> ours;
  if (leader > 0) ours.insert(leader);
  for (const auto& entry : all)
    if ((leader > 0 && entry.session == leader) || (!mark.empty() && carries(entry.pid, line, proc)))
      ours.insert(entry.pid);
  for (bool grows = true; grows;) {
    grows = false;
    for (const auto& entry : all)
      if (ours.contains(entry.parent)) grows = ours.insert(entry.pid).second || grows;
  }
  std::vector<ProcessEntry> members;
  for (const auto& entry : all)
    if (ours.contains(entry.pid) && entry.state != 'Z' && entry.state != 'X' && entry.pid != ::getpid())
      members.push_back(entry);
  std::ranges::sort(members, {}, &ProcessEntry::start_ticks);
  return members;
}

std::vector<ProcessEntry> members_now(const std::string& mark, int leader) {
  auto members = members_of(read_processes(), mark, leader);
  return members.empty() ? members_of(read_processes(), mark, leader) : members;
}

std::uint64_t resident_bytes(int pid, const std::string& proc) {
  std::istringstream text(kernel_file(fmt::format("{}/{}/statm", proc, pid)));
  std::uint64_t total = 0, resident = 0;
  if (!(text >> total >> resident)) return 0;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

bool signal_exactly(const ProcessEntry& entry, int signal) {
  const int watch = static_cast<int>(::syscall(SYS_pidfd_open, entry.pid, 0));
  if (watch < 0) return false;
  const auto now = entry_of(entry.pid, "/proc");
  const bool same = now && now->start_ticks == entry.start_ticks;
  const bool sent = same && ::syscall(SYS_pidfd_send_signal, watch, signal, nullptr, 0) == 0;
  ::close(watch);
  return sent;
}

void reap_strangers(const std::vector<int>& known) {
  for (const auto& entry : read_processes("/proc"))
    if (entry.parent == ::getpid() && entry.state == 'Z' && std::ranges::find(known, entry.pid) == known.end())
      (void)::waitpid(entry.pid, nullptr, WNOHANG);
}

}  // namespace pandora
