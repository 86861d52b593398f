#include "host/host_board.h"

#include <algorithm>
#include <cstdint>

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"

namespace pandora {

std::string_view to_string(HostState state) {
  switch (state) {
    case HostState::kWaiting:
      return "waiting";
    case HostState::kStarting:
      return "starting";
    case HostState::kReady:
      return "ready";
    case HostState::kUnhealthy:
      return "unhealthy";
    case HostState::kBackOff:
      return "back-off";
    case HostState::kCold:
      return "cold";
    case HostState::kStopping:
      return "stopping";
    case HostState::kStopped:
      return "stopped";
    case HostState::kFailed:
      return "failed";
    case HostState::kLeft:
      return "left";
  }
  return "";
}

Alarm::Alarm() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
Alarm::~Alarm() {
  if (fd_ >= 0) ::close(fd_);
}
void Alarm::ring() {
  const std::uint64_t one = 1;
  (void)!::write(fd_, &one, sizeof one);
}
void Alarm::clear() {
  std::uint64_t count = 0;
  (void)!::read(fd_, &count, sizeof count);
}

void HostBoard::add(HostEvent event) {
  log_info("host.event", {{"process", event.process}, {"state", to_string(event.state)}, {"text", event.text}});
  events_.push_back(std::move(event));
  if (events_.size() > kMaxHostEvents) {
    events_.pop_front();
    ++first_;
  }
  changed_.notify_all();
  for (Alarm* alarm : alarms_) alarm->ring();
}

void HostBoard::post(const std::string& process, HostState state, std::string text) {
  const std::lock_guard lock(mutex_);
  states_[process] = state;
  add({clock_.now(), process, state, std::move(text)});
}

void HostBoard::note(const std::string& process, std::string text) {
  const std::lock_guard lock(mutex_);
  const auto known = states_.find(process);
  add({clock_.now(), process, known == states_.end() ? HostState::kStopped : known->second, std::move(text)});
}

void HostBoard::forget(const std::string& process) {
  const std::lock_guard lock(mutex_);
  states_.erase(process);
}

std::optional<HostState> HostBoard::state_of(const std::string& process) const {
  const std::lock_guard lock(mutex_);
  const auto known = states_.find(process);
  return known == states_.end() ? std::nullopt : std::optional(known->second);
}

std::uint64_t HostBoard::next() const {
  const std::lock_guard lock(mutex_);
  return first_ + events_.size();
}

HostBoard::Read HostBoard::read(std::uint64_t from, const Deadline& deadline) {
  std::unique_lock lock(mutex_);
  const auto there = [&] { return first_ + events_.size() > from; };
  const Duration longest = std::chrono::hours(1);
  while (!there() && !deadline.expired()) changed_.wait_for(lock, std::min(deadline.remaining(), longest), there);
  Read read;
  read.next = first_ + events_.size();
  for (std::uint64_t number = std::max(from, first_); number < read.next; ++number)
    read.events.push_back(events_[number - first_]);
  return read;
}

void HostBoard::enroll(Alarm& alarm) {
  const std::lock_guard lock(mutex_);
  alarms_.push_back(&alarm);
}

void HostBoard::dismiss(Alarm& alarm) {
  const std::lock_guard lock(mutex_);
  std::erase(alarms_, &alarm);
}

}  // namespace pandora
