// Where a tool call waits for somebody's yes or no.
//
// One desk a process. Thread-safe. What waits is bounded in number and in time: nobody's answer is a no. A yes is for
// once, or for this tool in this session: then it is not asked again until the desk goes. Nobody sees or answers
// another user's.
//
// With a cache that gateways share, what waits at one is listed and answered at each, and a yes for the session holds
// at the others as well, for kSharedAllowance. Calls may then wait for the cache.
#pragma once
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "base/clock.h"
#include "domain/principal.h"
#include "ports/cache.h"

namespace pandora {

inline constexpr std::size_t kMaxPendingApprovals = 16;
inline constexpr std::size_t kMaxSessionAllowances = 1000;  // the oldest goes first
inline constexpr std::size_t kMaxShownArguments = 2000;     // bytes of a call's arguments that whoever answers sees
inline constexpr Duration kApprovalWait = std::chrono::minutes(2);  // unless the settings say otherwise

class SharedApprovals;
enum class ApprovalAnswer { kOnce, kSession, kDeny };
std::string_view to_string(ApprovalAnswer answer);
Result<ApprovalAnswer> parse_approval_answer(std::string_view text);

struct ApprovalRequest {
  UserId user;
  SessionId session;  // empty: none, and so no answer for it
  Uuid turn;          // nil: none
  std::string key, tool, arguments;
};
struct PendingApproval {
  Uuid id;
  ApprovalRequest what;  // the arguments cut to kMaxShownArguments
  Timestamp asked_at, until;
};

class ApprovalDesk {
 public:
  // `shared`: the cache of all gateways, which outlives the desk; null: there is none but this.
  ApprovalDesk(UuidV7Generator& ids, const Clock& clock, Duration wait = kApprovalWait, Cache* shared = nullptr);
  ~ApprovalDesk();

  // Waits for the answer: kOnce or kSession. kPermissionDenied: no, nobody answered in time, or too many wait;
  // kDeadlineExceeded; kCancelled.
  Result<ApprovalAnswer> ask(const ApprovalRequest& request, const std::function<bool()>& cancelled,
                             const Deadline& deadline);
  std::vector<PendingApproval> list(const Principal& who) const;  // the oldest first; the system's: of this desk alone
  // kNotFound: it waits no more, or is another's; kInvalidArgument: it has no session to hold for. `why`, if any, is
  // told to whoever asked.
  Status answer(const Uuid& id, ApprovalAnswer answer, const std::string& why, const Principal& who);

  // Calls back, on the thread that asks, for each approval of that turn's that begins to wait.
  class Watch {
   public:
    Watch(ApprovalDesk& desk, const Uuid& turn, std::function<void(const PendingApproval&)> call);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

   private:
    ApprovalDesk& desk_;
    const Uuid turn_;
  };

 private:
  struct Waiting {
    PendingApproval pending;
    std::optional<ApprovalAnswer> answer;
    std::string why;
  };
  using Allowance = std::tuple<std::string, std::string, std::string>;  // user, session, tool
  struct Watcher {
    std::mutex busy;  // held while it is called: so that nobody is called who has gone
    std::function<void(const PendingApproval&)> call;
  };
  Waiting wait_for_answer(const PendingApproval& pending, const std::function<bool()>& cancelled, const Deadline& end);
  void remember(const Allowance& allowance);  // under mutex_
  UuidV7Generator& ids_;
  const Clock& clock_;
  const Duration wait_;
  mutable std::mutex mutex_;
  std::condition_variable answered_;
  std::map<Uuid, Waiting> waiting_;
  std::set<Allowance> allowed_;
  std::vector<Allowance> order_;
  std::map<Uuid, std::shared_ptr<Watcher>> watchers_;
  std::uint64_t heard_ = 0;                  // so often somebody has answered at another gateway
  std::unique_ptr<SharedApprovals> shared_;  // last: it calls back. Null: there are no others
};

}  // namespace pandora
