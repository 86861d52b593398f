#include "gateway/open_turns.h"

#include "base/hash.h"

namespace pandora {
namespace {

std::string name_of(const UserId& user, const SessionId& session, const std::vector<std::string>& calls) {
  std::string name = user.str() + '\0' + session.str();
  for (const auto& id : calls) name.append(1, '\0').append(id);
  return sha256_hex(name);
}

}  // namespace

void OpenTurns::put(const UserId& user, const SessionId& session, const std::vector<std::string>& calls,
                    OpenTurn turn) {
  if (calls.empty()) return;
  std::string name = name_of(user, session, calls);
  const std::lock_guard lock(mutex_);
  turns_.insert_or_assign(name, std::move(turn));
  order_.push_back(std::move(name));
  while (turns_.size() > kMaxOpenTurns || order_.size() > 2 * kMaxOpenTurns) {
    turns_.erase(order_.front());
    order_.pop_front();
  }
}

std::optional<OpenTurn> OpenTurns::take(const UserId& user, const SessionId& session,
                                        const std::vector<std::string>& calls) {
  if (calls.empty()) return std::nullopt;
  const std::lock_guard lock(mutex_);
  auto node = turns_.extract(name_of(user, session, calls));
  return node ? std::optional(std::move(node.mapped())) : std::nullopt;
}

std::size_t OpenTurns::size() const {
  const std::lock_guard lock(mutex_);
  return turns_.size();
}

}  // namespace pandora
