// How far each turn has come, at whichever gateway of an installation: what a turn of the same session waits for, and
// what can be followed while a turn runs.
//
// `note` never waits: this process knows at once, the others learn it from the cache that they share, by a value that
// ends by itself and a message. A message may be lost, so who waits looks as well. Nothing here is the truth of a turn:
// that is the journal and the rows; when the cache is away or has lost all, each process knows its own turns, and a
// turn waits for those of its own process alone. Thread-safe.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "ports/cache.h"
#include "ports/lasting_subscription.h"
#include "turns/turn_saver.h"

namespace pandora {

inline constexpr std::size_t kMaxKnownTurns = 4096;  // of this process; the oldest goes first
inline constexpr std::size_t kMaxUnwritten = 4096;   // turns that the cache is still to be told of; likewise
inline constexpr std::size_t kMaxFollowers = 1024;   // of turns, in this process
inline constexpr std::size_t kMaxProgressBytes = 2048;
// A turn whose gateway says nothing more is taken for ended after so long: while it is answered, and while it is saved.
inline constexpr Duration kAnsweringKept = std::chrono::minutes(35);
inline constexpr Duration kSavingKept = std::chrono::seconds(30);
inline constexpr Duration kEndedKept = std::chrono::minutes(10);
// Of a turn that is still answered, as far as is known, the reply may be out since a moment ago: its gateway is asked,
// and has so long to say it.
inline constexpr Duration kEndIsTold = std::chrono::seconds(3);

enum class TurnStage {
  kGathering,
  kAnswering,     // the model speaks
  kTool,          // `detail`: which
  kSaving,        // the reply is out
  kAcknowledged,  // and the turn safe
  kFindable,      // and found by the next one
  kWaits,         // acknowledged, but rows or points are out of reach: it follows by itself
  kUnsaved,       // `detail`: why
  kEnded,         // it leaves no trace; `detail`: how
};
std::string_view to_string(TurnStage stage);
Result<TurnStage> parse_turn_stage(std::string_view text);
bool is_last(TurnStage stage);

struct TurnProgress {
  Uuid turn;
  UserId user;
  SessionId session;
  TurnStage stage = TurnStage::kGathering;
  Timestamp at;
  std::string detail;
  std::int64_t step = 0;  // counted by the board: of two the later has more
};

class TurnBoard {
 public:
  // `shared`: of all gateways; null: there is none but this. It and the clock outlive the board. `place`: this
  // gateway's name.
  TurnBoard(Cache* shared, std::string place, const Clock& clock);
  ~TurnBoard();  // what waits is not called back any more
  TurnBoard(const TurnBoard&) = delete;
  TurnBoard& operator=(const TurnBoard&) = delete;

  void note(TurnProgress progress);  // `at` and `step` are the board's to give

  // Of a turn that was acknowledged: notes that it is findable, or that it takes long, once the saver says so. The
  // board outlives the saver.
  void note_when_findable(TurnSaver& saver, const Uuid& turn, const UserId& user, const SessionId& session);

  // Until the session's last turn, whose reply is out, can be found: one of this process until it is acknowledged (the
  // saver knows the rest), one of another gateway until it is findable. The answer when it is known already, and `call`
  // is not called; otherwise it is, once, on a thread of the board's that it must not hold up. kDeadlineExceeded: it
  // takes too long, or waits for rows that are away. May itself wait for the cache.
  std::optional<Status> after_session(const UserId& user, const SessionId& session, const Deadline& deadline,
                                      std::function<void(Status)> call);
  Status wait_session(const UserId& user, const SessionId& session, const Deadline& deadline);  // the same, waiting

  // None: nobody knows of it, or it is another user's. An error: nobody can say.
  Result<std::optional<TurnProgress>> find(const Uuid& turn, const UserId& user, const Deadline& deadline);

  // Calls back for each step that the turn takes from now on, in order but not each for sure, until it is let go; one
  // that nobody knows of any more gets kEnded. The call must not block, nor let its own follower go.
  class Follower;
  std::unique_ptr<Follower> follow(const Uuid& turn, const UserId& user,
                                   std::function<void(const TurnProgress&)> call);  // null: too many follow

 private:
  enum class Whose { kOwn, kAnothers };
  struct Waiter {
    std::uint64_t id;
    Uuid turn;
    SessionId session;
    Whose whose;
    Deadline deadline, end_is_told;  // the latter while the turn is still answered, as far as is known here
    bool is_saving = false;
    std::function<void(Status)> call;
  };
  struct Followed;
  using Calls = std::vector<std::function<void()>>;
  static std::optional<Status> judge(const TurnProgress& progress, Whose whose);
  void hear(const std::string& message);
  void be_asked(const std::string& question, const Uuid& turn);
  void be_told(const std::string& question, const TurnProgress& progress);
  void remember(const TurnProgress& progress);                           // under mutex_
  void settle(const TurnProgress& progress, Whose whose, Calls& calls);  // likewise
  void give_up(const Uuid& turn, Calls& calls);                          // likewise
  Result<std::optional<TurnProgress>> look(const Uuid& turn, const Deadline& deadline);
  void write_out();
  bool write(const TurnProgress& progress);
  std::string question_of(std::uint64_t waiter) const { return place_ + "/" + std::to_string(waiter); }
  void watch();
  void look_again(const std::set<Uuid>& turns);

  Cache* const shared_;
  const std::string place_;
  const Clock& clock_;
  std::mutex mutex_;
  std::condition_variable unwritten_waits_, watched_;
  bool ending_ = false;
  std::map<Uuid, TurnProgress> known_;  // turns of this process
  std::deque<Uuid> order_;              // of known_
  std::map<std::string, Uuid> last_;    // turn of this process, by user and session
  std::deque<TurnProgress> unwritten_;
  std::deque<std::pair<std::string, Uuid>> asked_;  // by other gateways, of turns of this process
  std::vector<Waiter> waiters_;                     // bounded by whoever starts turns
  std::uint64_t last_waiter_ = 0;
  std::multimap<Uuid, std::shared_ptr<Followed>> followers_;
  std::unique_ptr<LastingSubscription> heard_;
  std::thread writer_, watcher_;  // last: they use all of the above
};

class TurnBoard::Follower {
 public:
  ~Follower();  // no call runs after that
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

 private:
  friend class TurnBoard;
  Follower(TurnBoard& board, std::shared_ptr<Followed> followed) : board_(board), followed_(std::move(followed)) {}
  TurnBoard& board_;
  const std::shared_ptr<Followed> followed_;
};

}  // namespace pandora
