// Who is called once a session's turns are findable, or when waiting is in vain. Not thread-safe: the saver's lock.
#pragma once
#include <functional>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "turns/live_turns.h"

namespace pandora {

class SessionWaits {
 public:
  using Call = std::function<void(Status)>;

  void add(SessionId session, Deadline deadline, Call call);
  bool empty() const { return waiting_.empty(); }  // bounded by whoever starts turns
  // Takes out those who are to be called, with what each is told: nothing is behind in its session, or `why`: its
  // deadline has passed, or a turn of it lacks its row while rows fail. `patience` is shortened to the next deadline.
  std::vector<std::pair<Call, Status>> take_told(const LiveTurns::Sessions& behind, bool rows_fail,
                                                 const std::function<Status(const SessionId&)>& why,
                                                 Duration& patience);

 private:
  struct Waiting {
    SessionId session;
    Deadline deadline;
    Call call;
  };
  std::vector<Waiting> waiting_;
};

}  // namespace pandora
