#include "service/approval_desk.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "service/shared_approvals.h"

namespace pandora {
namespace {

constexpr Duration kLook = std::chrono::milliseconds(20);  // for a caller that leaves, and for clocks that tests tick
constexpr int kLooksApart = 25;                            // at what others share, when no message comes

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

ApprovalDesk::ApprovalDesk(UuidV7Generator& ids, const Clock& clock, Duration wait, Cache* shared)
    : ids_(ids), clock_(clock), wait_(wait) {
  if (!shared) return;
  shared_ = std::make_unique<SharedApprovals>(*shared, clock, [this] {
    const std::lock_guard lock(mutex_);
    ++heard_;
    answered_.notify_all();
  });
}
ApprovalDesk::~ApprovalDesk() = default;

Result<ApprovalAnswer> ApprovalDesk::ask(const ApprovalRequest& request, const std::function<bool()>& cancelled,
                                         const Deadline& deadline) {
  const auto denied = [&](std::string_view why) {
    return fail(ErrorCode::kPermissionDenied, fmt::format("{} was not approved: {}", request.tool, why),
                "answer without it");
  };
  const Allowance allowance{request.user.str(), request.session.str(), request.tool};
  const Deadline end = deadline.at_most(clock_, wait_);  // from now on, however long it takes to tell others of it
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
  if (shared_ && !request.session.empty() && shared_->is_allowed(request)) {
    const std::lock_guard lock(mutex_);
    waiting_.erase(pending.id);
    remember(allowance);
    return ApprovalAnswer::kSession;
  }
  if (shared_) shared_->offer(pending, wait_);
  if (watcher) {
    const std::lock_guard lock(watcher->busy);
    if (watcher->call) watcher->call(pending);  // it may answer at once
  }
  Waiting mine = wait_for_answer(pending, cancelled, end);
  // Whoever answers at another gateway in the last moment is told that it counts, and it does.
  if (shared_)
    if (const auto late = shared_->withdraw(pending); late && !mine.answer)
      mine.answer = late->answer, mine.why = late->why;
  if (!mine.answer) {
    if (cancelled && cancelled()) return fail(ErrorCode::kCancelled, "nobody waits for the approval any more");
    PANDORA_CHECK(deadline.check(fmt::format("waiting for an approval of {}", request.tool)));
    return denied("nobody answered in time");
  }
  if (*mine.answer == ApprovalAnswer::kDeny) return denied(mine.why.empty() ? "the user said no" : mine.why);
  if (*mine.answer == ApprovalAnswer::kSession) {
    if (shared_) shared_->allow(request);
    const std::lock_guard lock(mutex_);
    remember(allowance);
  }
  return *mine.answer;
}

// Until there is one, its caller has left, or it is too late for one.
ApprovalDesk::Waiting ApprovalDesk::wait_for_answer(const PendingApproval& pending,
                                                    const std::function<bool()>& cancelled, const Deadline& end) {
  std::uint64_t heard = 0;
  std::unique_lock lock(mutex_);
  for (int look = 1;; ++look) {
    if (waiting_.at(pending.id).answer) break;
    const bool looks = shared_ && (look % kLooksApart == 0 || heard != heard_);
    heard = heard_;
    lock.unlock();
    const bool is_over = (cancelled && cancelled()) || end.expired();
    const auto elsewhere = looks ? shared_->answer_of(pending) : std::nullopt;
    lock.lock();
    Waiting& mine = waiting_.at(pending.id);
    if (elsewhere && !mine.answer) mine.answer = elsewhere->answer, mine.why = elsewhere->why;
    if (mine.answer || is_over) break;
    if (heard == heard_) answered_.wait_for(lock, kLook);
  }
  return std::move(waiting_.extract(pending.id).mapped());
}

void ApprovalDesk::remember(const Allowance& allowance) {
  if (!allowed_.insert(allowance).second) return;
  order_.push_back(allowance);
  if (order_.size() <= kMaxSessionAllowances) return;
  allowed_.erase(order_.front());
  order_.erase(order_.begin());
}

std::vector<PendingApproval> ApprovalDesk::list(const Principal& who) const {
  std::vector<PendingApproval> all;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, waiting] : waiting_)
      if (!waiting.answer && who.may_see(waiting.pending.what.user)) all.push_back(waiting.pending);
  }
  if (!shared_ || who.user.empty()) return all;
  for (auto& pending : shared_->list(who.user))
    if (std::ranges::find(all, pending.id, &PendingApproval::id) == all.end()) all.push_back(std::move(pending));
  std::ranges::sort(all, {}, &PendingApproval::id);  // which rise with time
  return all;
}

Status ApprovalDesk::answer(const Uuid& id, ApprovalAnswer answer, const std::string& why, const Principal& who) {
  const auto waits_no_more = [&] {
    return fail(ErrorCode::kNotFound, fmt::format("no approval {} waits", id.to_string()),
                "`pandora approvals list` shows those that do");
  };
  std::optional<PendingApproval> here;
  {
    const std::lock_guard lock(mutex_);
    const auto found = waiting_.find(id);
    if (found != waiting_.end()) {
      if (found->second.answer || !who.may_see(found->second.pending.what.user)) return waits_no_more();
      here = found->second.pending;
    }
  }
  if (here && answer == ApprovalAnswer::kSession && here->what.session.empty())
    return fail(ErrorCode::kInvalidArgument, "this call belongs to no session", "allow it once");
  if (!shared_ && !here) return waits_no_more();
  bool counts_everywhere = false;
  if (shared_) {
    // What the others cannot be asked about, or were never told of, is answered here alone.
    const Status counts = shared_->answer(id, {answer, why}, here ? here->what.user : who.user);
    if (!here) return counts;
    if (!counts && counts.error().code == ErrorCode::kNotFound && shared_->answer_of(*here)) return waits_no_more();
    counts_everywhere = counts.has_value();
  }
  const std::lock_guard lock(mutex_);
  const auto found = waiting_.find(id);
  if (found == waiting_.end() || found->second.answer) return counts_everywhere ? Status() : waits_no_more();
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
