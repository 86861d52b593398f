// Inside stack: what the threads of a supervisor tell each other: states, and events that people read.
#pragma once
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "host/host_processes.h"

namespace pandora {

// Wakes a thread that polls. Rung from any thread.
class Alarm {
 public:
  Alarm();
  ~Alarm();
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;
  void ring();
  void clear();
  int descriptor() const { return fd_; }

 private:
  int fd_;
};

class HostBoard {
 public:
  explicit HostBoard(const Clock& clock) : clock_(clock) {}
  // Rings every alarm that is enrolled.
  void post(const std::string& process, HostState state, std::string text);
  void note(const std::string& process, std::string text);  // without a change of state
  void forget(const std::string& process);
  std::optional<HostState> state_of(const std::string& process) const;
  std::uint64_t next() const;  // the number of the event that comes next
  struct Read {
    std::vector<HostEvent> events;
    std::uint64_t next = 0;
  };
  // Those from that number on; waits for one, until the deadline. Those that are too old are left out.
  Read read(std::uint64_t from, const Deadline& deadline);
  void enroll(Alarm& alarm);
  void dismiss(Alarm& alarm);

 private:
  void add(HostEvent event);
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, HostState> states_;
  std::deque<HostEvent> events_;
  std::uint64_t first_ = 0;  // the number of events_.front()
  std::vector<Alarm*> alarms_;
};

}  // namespace pandora
