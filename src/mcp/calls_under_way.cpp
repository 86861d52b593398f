#include "mcp/calls_under_way.h"

#include <utility>
#include <vector>

namespace pandora {

// "1" is not 1: an id is what it is as JSON.
std::shared_ptr<McpCallState> CallsUnderWay::begin(const std::string& owner, const Json& id,
                                                   std::function<void()> when_cancelled) {
  auto call = std::make_shared<McpCallState>();
  call->when_cancelled_ = std::move(when_cancelled);
  const std::lock_guard lock(mutex_);
  return calls_[owner].emplace(dump_json(id), call).second ? call : nullptr;
}

void CallsUnderWay::end(const std::string& owner, const Json& id) {
  std::shared_ptr<McpCallState> gone;  // what it holds goes without the lock
  const std::lock_guard lock(mutex_);
  const auto found = calls_.find(owner);
  if (found == calls_.end()) return;
  if (auto node = found->second.extract(dump_json(id))) gone = std::move(node.mapped());
  if (found->second.empty()) calls_.erase(found);
}

bool CallsUnderWay::cancel(const std::string& owner, const Json& id) {
  std::shared_ptr<McpCallState> call;
  {
    const std::lock_guard lock(mutex_);
    const auto of_owner = calls_.find(owner);
    if (of_owner == calls_.end()) return false;
    const auto found = of_owner->second.find(dump_json(id));
    if (found == of_owner->second.end()) return false;
    call = found->second;
  }
  if (!call->cancelled_.exchange(true) && call->when_cancelled_) call->when_cancelled_();
  return true;
}

void CallsUnderWay::cancel_all(const std::string& owner) {
  std::vector<std::shared_ptr<McpCallState>> calls;
  {
    const std::lock_guard lock(mutex_);
    const auto found = calls_.find(owner);
    if (found == calls_.end()) return;
    for (const auto& [id, call] : found->second) calls.push_back(call);
  }
  for (const auto& call : calls)
    if (!call->cancelled_.exchange(true) && call->when_cancelled_) call->when_cancelled_();
}

std::size_t CallsUnderWay::size() const {
  const std::lock_guard lock(mutex_);
  std::size_t count = 0;
  for (const auto& [owner, calls] : calls_) count += calls.size();
  return count;
}

}  // namespace pandora
