// Turns that wait for what their client's tools give.
//
// Only a short cut: a request with results that finds its turn here goes on with the same name and the same recall; one
// that does not is a turn of its own with the same content. So another Gateway, or this one after a restart, misses
// nothing. At most kMaxOpenTurns with kMaxOpenBytes of fetched pages and of what tools said, the oldest goes first.
// Thread-safe.
#pragma once
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/turn_runtime.h"

namespace pandora {

inline constexpr std::size_t kMaxOpenTurns = 512;
inline constexpr std::size_t kMaxOpenBytes = 64u << 20;  // of all of them

class OpenTurns {
 public:
  // The calls' ids, which come back with the results, name it; without any it is not kept.
  void put(const UserId& user, const SessionId& session, const std::vector<std::string>& calls, OpenTurn turn);
  std::optional<OpenTurn> take(const UserId& user, const SessionId& session, const std::vector<std::string>& calls);
  std::size_t size() const;

 private:
  void drop(const std::string& name);
  mutable std::mutex mutex_;
  std::size_t bytes_ = 0;
  std::map<std::string, OpenTurn> turns_;
  std::deque<std::string> order_;  // as they came; may name some that are gone
};

}  // namespace pandora
