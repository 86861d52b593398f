#include "service/approval_desk.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"

namespace pandora {
namespace {

constexpr Duration kLook = std::chrono::milliseconds(20);  // for a caller that leaves, and for clocks that tests tick

}  // namespace

std::string_view to_string(ApprovalAnswer answer) {
  switch (answer) {
    case ApprovalAnswer::kOnce:
      return "once";
    case ApprovalAnswer::kSession:
      return "session";
    case ApprovalAnswer::kDeny:
      return "deny";
  }
  return "";
}

Result<ApprovalAnswer> parse_approval_answer(std::string_view text) {
  for (const auto answer : {ApprovalAnswer::kOnce, ApprovalAnswer::kSession, ApprovalAnswer::kDeny})
    if (to_string(answer) == text) return answer;
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("\"{}\" is none of once, session and deny", ellipsize(text, 40)));
}

Result<ApprovalAnswer> ApprovalDesk::ask(const ApprovalRequest& request, const std::function<bool()>& cancelled,
                                         const Deadline& deadline) {
  const auto denied = [&](std::string_view why) {
    return fail(ErrorCode::kPermissionDenied, fmt::format("{} was not approved: {}", request.tool, why),
                "answer without it");
  };
  const Allowance allowance{request.user.str(), request.session.str(), request.tool};
  PendingApproval pending{ids_.next(), request, clock_.now(), clock_.now() + wait_};
  pending.what.arguments = ellipsize(sanitize_utf8(request.arguments), kMaxShownArguments);
  std::shared_ptr<Watcher> watcher;
  {
    const std::lock_guard lock(mutex_);
    if (!request.session.empty() && allowed_.contains(allowance)) return ApprovalAnswer::kSession;
    if (waiting_.size() >= kMaxPendingApprovals)
      return denied(fmt::format("{} others wait for an answer already", kMaxPendingApprovals));
    waiting_[pending.id] = Waiting{pending, std::nullopt, ""};
    if (const auto found = watchers_.find(request.turn); found != watchers_.end()) watcher = found->second;
  }
  if (watcher) {
    const std::lock_guard lock(watcher->busy);
    if (watcher->call) watcher->call(pending);  // it may answer at once
  }
  const Deadline end = deadline.at_most(clock_, wait_);
  std::unique_lock lock(mutex_);
  for (;;) {
    const Waiting& mine = waiting_.at(pending.id);
    if (mine.answer) break;
    lock.unlock();
    const bool left = cancelled && cancelled();
    const bool late = end.expired();
    lock.lock();
    if (waiting_.at(pending.id).answer) break;
    if (left || late) {
      waiting_.erase(pending.id);
      if (left) return fail(ErrorCode::kCancelled, "nobody waits for the approval any more");
      PANDORA_CHECK(deadline.check(fmt::format("waiting for an approval of {}", request.tool)));
      return denied("nobody answered in time");
    }
    answered_.wait_for(lock, kLook);
  }
  const Waiting mine = std::move(waiting_.extract(pending.id).mapped());
  if (*mine.answer == ApprovalAnswer::kDeny) return denied(mine.why.empty() ? "the user said no" : mine.why);
  if (*mine.answer == ApprovalAnswer::kSession && allowed_.insert(allowance).second) {
    order_.push_back(allowance);
    if (order_.size() > kMaxSessionAllowances) {
      allowed_.erase(order_.front());
      order_.erase(order_.begin());
    }
  }
  return *mine.answer;
}

std::vector<PendingApproval> ApprovalDesk::list(const Principal& who) const {
  const std::lock_guard lock(mutex_);
  std::vector<PendingApproval> all;
  for (const auto& [id, waiting] : waiting_)
    if (!waiting.answer && who.may_see(waiting.pending.what.user)) all.push_back(waiting.pending);
  return all;
}

Status ApprovalDesk::answer(const Uuid& id, ApprovalAnswer answer, const std::string& why, const Principal& who) {
  const std::lock_guard lock(mutex_);
  const auto found = waiting_.find(id);
  if (found == waiting_.end() || found->second.answer || !who.may_see(found->second.pending.what.user))
    return fail(ErrorCode::kNotFound, fmt::format("no approval {} waits", id.to_string()),
                "`pandora approvals list` shows those that do");
  if (answer == ApprovalAnswer::kSession && found->second.pending.what.session.empty())
    return fail(ErrorCode::kInvalidArgument, "this call belongs to no session", "allow it once");
  found->second.answer = answer;
  found->second.why = why;
  answered_.notify_all();
  return {};
}

ApprovalDesk::Watch::Watch(ApprovalDesk& desk, const Uuid& turn, std::function<void(const PendingApproval&)> call)
    : desk_(desk), turn_(turn) {
  auto watcher = std::make_shared<Watcher>();
  watcher->call = std::move(call);
  const std::lock_guard lock(desk_.mutex_);
  desk_.watchers_[turn_] = std::move(watcher);
}

ApprovalDesk::Watch::~Watch() {
  std::shared_ptr<Watcher> watcher;
  {
    const std::lock_guard lock(desk_.mutex_);
    if (auto node = desk_.watchers_.extract(turn_)) watcher = node.mapped();
  }
  if (!watcher) return;
  const std::lock_guard lock(watcher->busy);
  watcher->call = nullptr;
}

}  // namespace pandora
