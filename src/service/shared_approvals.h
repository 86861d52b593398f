// Approvals that wait at any gateway of an installation, in the cache that they share. Internal to service.
//
// What waits has a value of its own there, which names who may answer, and goes from "waits" to an answer by one
// replacement: so one answer counts, wherever it is given, and whoever gave it knows that it does. A message tells the
// gateway that asks; it looks from time to time as well, as a message may be lost. All of it ends by itself. Without
// the cache each gateway has its own approvals alone. Thread-safe.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ports/cache.h"
#include "ports/lasting_subscription.h"
#include "service/approval_desk.h"

namespace pandora {

inline constexpr std::size_t kMaxSharedApprovals = 256;  // of one user, at all gateways; more are known where they wait
inline constexpr Duration kSharedAllowance = std::chrono::hours(12);  // "in this session", at other gateways

class SharedApprovals {
 public:
  // `answered` is called, on a thread of the cache's, when one may have been. The cache and the clock outlive it.
  SharedApprovals(Cache& cache, const Clock& clock, std::function<void()> answered);

  struct Answer {
    ApprovalAnswer answer = ApprovalAnswer::kDeny;
    std::string why;
  };
  void offer(const PendingApproval& pending, Duration wait);
  // The answer that was given there; none: nobody has, or nobody can say.
  std::optional<Answer> answer_of(const PendingApproval& pending);
  // It waits no more; the answer that was given before that. `pending` as it was offered.
  std::optional<Answer> withdraw(const PendingApproval& pending);

  std::vector<PendingApproval> list(const UserId& user);
  // As ApprovalDesk::answer; kUnavailable and the like: nobody can say.
  Status answer(const Uuid& id, const Answer& answer, const UserId& user);

  void allow(const ApprovalRequest& request);
  bool is_allowed(const ApprovalRequest& request);

 private:
  Deadline soon() const;
  void change_list(const UserId& user, const std::function<void(std::vector<std::string>&)>& how);
  Cache& cache_;
  const Clock& clock_;
  LastingSubscription heard_;
};

}  // namespace pandora
