#include "turns/session_waits.h"

#include <algorithm>

namespace pandora {

void SessionWaits::add(SessionId session, Deadline deadline, Call call) {
  waiting_.push_back({std::move(session), std::move(deadline), std::move(call)});
}

std::vector<std::pair<SessionWaits::Call, Status>> SessionWaits::take_told(
    const LiveTurns::Sessions& behind, bool rows_fail, const std::function<Status(const SessionId&)>& why,
    Duration& patience) {
  std::vector<std::pair<Call, Status>> told;
  std::erase_if(waiting_, [&](Waiting& one) {
    const bool is_behind = behind.unfindable.contains(one.session.str());
    const bool is_hopeless = rows_fail && behind.without_row.contains(one.session.str());
    if (is_behind && !one.deadline.expired() && !is_hopeless) {
      patience = std::min<Duration>(patience, one.deadline.remaining());
      return false;
    }
    told.emplace_back(std::move(one.call), is_behind ? why(one.session) : Status());
    return true;
  });
  return told;
}

}  // namespace pandora
