#include "gateway/open_turns.h"

#include "base/hash.h"

namespace pandora {
namespace {

std::string name_of(const UserId& user, const SessionId& session, const std::vector<std::string>& calls) {
  std::string name = user.str() + '\0' + session.str();
  for (const auto& id : calls) name.append(1, '\0').append(id);
  return sha256_hex(name);
}

std::size_t bytes_of(const OpenTurn& turn) {
  std::size_t bytes = 0;
  for (const auto& page : turn.pages) bytes += page.bytes.size();
  for (const auto& tool : turn.tools) bytes += tool.arguments.size() + tool.result.size();
  for (const auto& round : turn.rounds)
    for (const auto& message : round.messages) bytes += message.content.size();
  return bytes;
}

}  // namespace

void OpenTurns::put(const UserId& user, const SessionId& session, const std::vector<std::string>& calls,
                    OpenTurn turn) {
  if (calls.empty()) return;
  std::string name = name_of(user, session, calls);
  const std::lock_guard lock(mutex_);
  drop(name);
  bytes_ += bytes_of(turn);
  turns_.emplace(name, std::move(turn));
  order_.push_back(std::move(name));
  while (!order_.empty() &&
         (turns_.size() > kMaxOpenTurns || order_.size() > 2 * kMaxOpenTurns || bytes_ > kMaxOpenBytes)) {
    drop(order_.front());
    order_.pop_front();
  }
}

std::optional<OpenTurn> OpenTurns::take(const UserId& user, const SessionId& session,
                                        const std::vector<std::string>& calls) {
  if (calls.empty()) return std::nullopt;
  const std::lock_guard lock(mutex_);
  auto node = turns_.extract(name_of(user, session, calls));
  if (!node) return std::nullopt;
  bytes_ -= bytes_of(node.mapped());
  return std::move(node.mapped());
}

void OpenTurns::drop(const std::string& name) {
  const auto found = turns_.find(name);
  if (found == turns_.end()) return;
  bytes_ -= bytes_of(found->second);
  turns_.erase(found);
}

std::size_t OpenTurns::size() const {
  const std::lock_guard lock(mutex_);
  return turns_.size();
}

}  // namespace pandora
