#include "host/process_ending.h"

#include <algorithm>
#include <csignal>
#include <cstring>

#include <fmt/format.h>
#include <poll.h>

namespace pandora {
namespace {

constexpr int kLookEveryMs = 20;
constexpr std::size_t kShownNames = 5;

bool runs(const ProcessEntry& entry) {
  const auto now = identity_of(entry.pid);
  return now && now->start_ticks == entry.start_ticks && still_runs(*now);
}

// Until none of them runs; the rest when time is up.
std::vector<ProcessEntry> wait_for_end(std::vector<ProcessEntry> entries, const Deadline& deadline,
                                       const std::function<bool()>& hurry) {
  for (;;) {
    std::erase_if(entries, [](const ProcessEntry& entry) { return !runs(entry); });
    if (entries.empty() || deadline.expired() || hurry()) return entries;
    (void)::poll(nullptr, 0, kLookEveryMs);  // not all of them are children of ours: nobody tells of their end
  }
}

// Those found now, and those known that run on although nothing ties them to the mark any more.
std::vector<ProcessEntry> all_of(const std::string& mark, int main, std::vector<ProcessEntry> known) {
  std::erase_if(known, [](const ProcessEntry& entry) { return !runs(entry); });
  for (auto& entry : members_now(mark, main))
    if (std::ranges::none_of(known, [&](const ProcessEntry& one) { return one.pid == entry.pid; }))
      known.push_back(std::move(entry));
  return known;
}

}  // namespace

EndReport end_processes(const std::string& mark, const std::optional<ProcessIdentity>& main, Duration grace,
                        const Clock& clock, const std::function<bool()>& hurry, std::vector<ProcessEntry> known) {
  EndReport report;
  const auto never = [] { return false; };
  const int leader = main && still_runs(*main) ? main->pid : 0;
  auto members = all_of(mark, leader, std::move(known));
  if (leader > 0) {
    std::vector<ProcessEntry> first;
    std::ranges::copy_if(members, std::back_inserter(first), [&](const auto& entry) { return entry.pid == leader; });
    for (const auto& entry : first) (void)signal_exactly(entry, SIGTERM);
    const bool ended = wait_for_end(first, Deadline::after(clock, grace), hurry).empty();
    members = all_of(mark, ended ? 0 : leader, std::move(members));
    if (ended) report.left_behind = members;
    grace = ended ? std::min(grace, kLeftoverGrace) : Duration(0);
  }
  if (grace > Duration(0) && !members.empty()) {
    for (const auto& entry : members) (void)signal_exactly(entry, SIGTERM);
    members = all_of(mark, 0, wait_for_end(std::move(members), Deadline::after(clock, grace), hurry));
  }
  // A process that forks without end is met again until none is left.
  const Deadline sure = Deadline::after(clock, kKillPatience);
  while (!members.empty() && !sure.expired()) {
    for (const auto& entry : members) {
      (void)signal_exactly(entry, SIGKILL);
      if (std::ranges::none_of(report.killed, [&](const ProcessEntry& one) { return one.pid == entry.pid; }))
        report.killed.push_back(entry);
    }
    members = all_of(mark, 0, wait_for_end(std::move(members), sure.at_most(clock, kKillPatience / 5), never));
  }
  report.survivors = std::move(members);
  return report;
}

std::string names_of(const std::vector<ProcessEntry>& entries) {
  std::string text;
  for (std::size_t i = 0; i < std::min(entries.size(), kShownNames); ++i)
    text += fmt::format("{}{} (pid {})", i == 0 ? "" : ", ", entries[i].name, entries[i].pid);
  if (entries.size() > kShownNames) text += fmt::format(" and {} more", entries.size() - kShownNames);
  return text;
}

std::string describe_exit(int code) {
  constexpr int kSignalled = 128;
  const char* name = code > kSignalled ? ::sigabbrev_np(code - kSignalled) : nullptr;
  return name ? fmt::format("was killed by SIG{}", name) : fmt::format("exited with code {}", code);
}

}  // namespace pandora
