#include "pipeline/turn_board.h"

#include <algorithm>
#include <array>
#include <future>

#include <fmt/format.h>

#include "base/hash.h"
#include "base/text.h"
#include "wire/json_reader.h"

namespace pandora {
namespace {

constexpr const char* kChannel = "turns";
constexpr Duration kGlance = std::chrono::seconds(5);           // at the cache, whose own limit is lower
constexpr Duration kTick = std::chrono::milliseconds(10);       // while somebody waits
constexpr Duration kSlowTick = std::chrono::milliseconds(500);  // while somebody follows
constexpr int kTicksApart = 10;  // of looks at the cache for who waits: a message may be lost
constexpr int kTicksApartForFollowers = 100;
constexpr int kMissesInARow = 5;    // a second apart; then what is followed is over
constexpr int kSlowTicksApart = 2;  // the same while nobody waits
constexpr std::size_t kMaxDetail = 200;

constexpr std::array<std::pair<TurnStage, std::string_view>, 9> kStages = {{{TurnStage::kGathering, "gathering"},
                                                                            {TurnStage::kAnswering, "answering"},
                                                                            {TurnStage::kTool, "tool"},
                                                                            {TurnStage::kSaving, "saving"},
                                                                            {TurnStage::kAcknowledged, "acknowledged"},
                                                                            {TurnStage::kFindable, "findable"},
                                                                            {TurnStage::kWaits, "waits"},
                                                                            {TurnStage::kUnsaved, "unsaved"},
                                                                            {TurnStage::kEnded, "ended"}}};

std::string name_of(const UserId& user, const SessionId& session) { return user.str() + '\0' + session.str(); }
std::string session_key(const UserId& user, const SessionId& session) {
  return "session:" + sha256_hex(name_of(user, session));
}
std::string turn_key(const Uuid& turn) { return "turn:" + turn.to_string(); }

bool is_answered(TurnStage stage) {
  return stage == TurnStage::kGathering || stage == TurnStage::kAnswering || stage == TurnStage::kTool;
}
Duration lifetime_of(TurnStage stage) {
  if (is_last(stage)) return kEndedKept;
  return is_answered(stage) ? kAnsweringKept : kSavingKept;
}

// `asked`: the question that this answers; empty: none.
std::string encode(const TurnProgress& progress, const std::string& place, const std::string& asked = "") {
  return dump_json({{"turn", progress.turn.to_string()},
                    {"user", progress.user.str()},
                    {"session", progress.session.empty() ? Json() : Json(progress.session.str())},
                    {"stage", to_string(progress.stage)},
                    {"at", progress.at.micros},
                    {"detail", progress.detail},
                    {"step", progress.step},
                    {"place", place},
                    {"asked", asked}});
}

struct Told {
  TurnProgress progress;
  std::string place, asked;
};
Result<Told> decode(const Json& json) {
  JsonReader in(json, "a turn's progress");
  Told told;
  told.progress.turn = in.value("turn", Uuid::parse);
  told.progress.user = in.value("user", UserId::parse);
  told.progress.session = in.optional_value("session", SessionId::parse).value_or(SessionId());
  told.progress.stage = in.value("stage", parse_turn_stage);
  told.progress.at = {in.integer("at")};
  told.progress.detail = in.text("detail");
  told.progress.step = in.integer("step");
  told.place = in.text("place");
  told.asked = in.text("asked");
  PANDORA_CHECK(in.finish());
  return told;
}

tl::unexpected<Error> not_findable(const SessionId& session) {
  return fail(ErrorCode::kDeadlineExceeded,
              fmt::format("the last turn of session {} is not yet findable", session.str()));
}

}  // namespace

std::string_view to_string(TurnStage stage) {
  return std::ranges::find(kStages, stage, &std::pair<TurnStage, std::string_view>::first)->second;
}
Result<TurnStage> parse_turn_stage(std::string_view text) {
  const auto found = std::ranges::find(kStages, text, &std::pair<TurnStage, std::string_view>::second);
  if (found != kStages.end()) return found->first;
  return fail(ErrorCode::kInvalidArgument, fmt::format("\"{}\" is no stage of a turn", ellipsize(text, 40)));
}
bool is_last(TurnStage stage) {
  return stage == TurnStage::kFindable || stage == TurnStage::kWaits || stage == TurnStage::kUnsaved ||
         stage == TurnStage::kEnded;
}

struct TurnBoard::Followed {
  Followed(const Uuid& of_turn, UserId of_user) : turn(of_turn), user(std::move(of_user)) {}
  const Uuid turn;
  const UserId user;
  std::mutex busy;  // held while it is called, so that nobody is called who has gone
  std::function<void(const TurnProgress&)> call;
  std::int64_t step = 0;  // that it was told of
  int misses = 0;         // since then

  void tell(const TurnProgress& progress) {
    const std::lock_guard lock(busy);
    if (!call || progress.step <= step) return;
    step = progress.step;
    misses = 0;
    call(progress);
  }
  void miss(TurnProgress over) {
    const std::lock_guard lock(busy);
    if (!call || ++misses != kMissesInARow) return;
    over.step = ++step;
    call(over);
  }
};

TurnBoard::TurnBoard(Cache* shared, std::string place, const Clock& clock)
    : shared_(shared), place_(std::move(place)), clock_(clock) {
  watcher_ = std::thread([this] { watch(); });
  if (!shared_) return;
  heard_ = std::make_unique<LastingSubscription>(*shared_, kChannel, [this](const std::string& told) { hear(told); });
  writer_ = std::thread([this] { write_out(); });
}

TurnBoard::~TurnBoard() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  unwritten_waits_.notify_all();
  watched_.notify_all();
  watcher_.join();
  if (writer_.joinable()) writer_.join();
  heard_.reset();
}

void TurnBoard::note(TurnProgress progress) {
  Calls calls;
  {
    const std::lock_guard lock(mutex_);
    progress.at = clock_.now();
    progress.detail = ellipsize(one_line(sanitize_utf8(progress.detail)), kMaxDetail);
    const auto known = known_.find(progress.turn);
    progress.step = std::max(progress.at.micros, known == known_.end() ? 0 : known->second.step + 1);
    remember(progress);
    settle(progress, Whose::kOwn, calls);
    if (shared_) {
      const auto waits = std::ranges::find(unwritten_, progress.turn, &TurnProgress::turn);
      if (waits != unwritten_.end())
        *waits = progress;
      else
        unwritten_.push_back(progress);
      if (unwritten_.size() > kMaxUnwritten) unwritten_.pop_front();
      unwritten_waits_.notify_one();
    }
  }
  for (auto& call : calls) call();
}

void TurnBoard::note_when_findable(TurnSaver& saver, const Uuid& turn, const UserId& user, const SessionId& session) {
  const std::function<void(Status)> later = [this, turn, user, session](const Status& how) {
    note({turn, user, session, how ? TurnStage::kFindable : TurnStage::kWaits, {}, ""});
  };
  if (saver.after_session(session, Deadline::after(clock_, kSavingKept), later)) later({});
}

void TurnBoard::remember(const TurnProgress& progress) {
  if (!known_.contains(progress.turn)) order_.push_back(progress.turn);
  known_[progress.turn] = progress;
  last_[name_of(progress.user, progress.session)] = progress.turn;
  while (order_.size() > kMaxKnownTurns) {
    const auto gone = known_.find(order_.front());
    const auto last = last_.find(name_of(gone->second.user, gone->second.session));
    if (last != last_.end() && last->second == order_.front()) last_.erase(last);
    known_.erase(gone);
    order_.pop_front();
  }
}

// What a turn of the same session does about it; none: it waits.
std::optional<Status> TurnBoard::judge(const TurnProgress& progress, Whose whose) {
  if (progress.stage == TurnStage::kSaving) return std::nullopt;
  if (whose == Whose::kOwn) return Status();
  if (progress.stage == TurnStage::kWaits) return Status(not_findable(progress.session));
  if (is_last(progress.stage)) return Status();
  return std::nullopt;
}

void TurnBoard::settle(const TurnProgress& progress, Whose whose, Calls& calls) {
  std::erase_if(waiters_, [&](Waiter& one) {
    if (one.turn != progress.turn) return false;
    one.is_saving |= !is_answered(progress.stage);
    auto how = judge(progress, whose);
    if (!how) return false;
    calls.push_back([call = std::move(one.call), how = *std::move(how)] { call(how); });
    return true;
  });
  const auto [begin, end] = followers_.equal_range(progress.turn);
  for (auto at = begin; at != end; ++at)
    if (at->second->user == progress.user)
      calls.push_back([followed = at->second, progress] { followed->tell(progress); });
}

// The cache does not know of it: whoever carried it has died, or the cache has lost it, and is told of the next stage.
// Who has asked its gateway just now waits for the answer.
void TurnBoard::give_up(const Uuid& turn, Calls& calls) {
  std::erase_if(waiters_, [&](Waiter& one) {
    if (one.turn != turn || one.whose == Whose::kOwn || !one.is_saving) return false;
    calls.push_back([call = std::move(one.call)] { call({}); });
    return true;
  });
  const auto [begin, end] = followers_.equal_range(turn);
  for (auto at = begin; at != end; ++at) {
    const TurnProgress over{turn, at->second->user, {}, TurnStage::kEnded, clock_.now(), "nobody knows of it any more"};
    calls.push_back([followed = at->second, over] { followed->miss(over); });
  }
}

std::optional<Status> TurnBoard::after_session(const UserId& user, const SessionId& session, const Deadline& deadline,
                                               std::function<void(Status)> call) {
  {
    const std::lock_guard lock(mutex_);
    const auto last = last_.find(name_of(user, session));
    if (last != last_.end() && !judge(known_.at(last->second), Whose::kOwn)) {
      waiters_.push_back(
          {++last_waiter_, last->second, session, Whose::kOwn, deadline, deadline, true, std::move(call)});
      watched_.notify_one();
      return std::nullopt;
    }
  }
  if (!shared_) return Status();
  const auto latest = shared_->get(session_key(user, session), deadline.at_most(clock_, kGlance));
  if (!latest || !*latest) return Status();
  const auto turn = Uuid::parse(**latest);
  if (!turn) return Status();
  std::uint64_t mine = 0;
  {
    const std::lock_guard lock(mutex_);
    if (known_.contains(*turn)) return Status();
    // Before it is looked at, so that what is told meanwhile is heard.
    mine = ++last_waiter_;
    waiters_.push_back({mine, *turn, session, Whose::kAnothers, deadline, deadline.at_most(clock_, kEndIsTold), false,
                        std::move(call)});
    watched_.notify_one();
  }
  const auto known = look(*turn, deadline.at_most(clock_, kGlance));
  std::optional<Status> how;
  if (!known)
    how = Status();  // nobody can say
  else if (*known)
    how = judge(**known, Whose::kAnothers);
  const bool may_be_answered = known && (!*known || is_answered((*known)->stage));
  // What stands there may be of a moment ago: its gateway knows better.
  if (!how && may_be_answered) {
    const Json question = {{"question", question_of(mine)}, {"turn", turn->to_string()}};
    if (!shared_->publish(kChannel, dump_json(question), deadline.at_most(clock_, kGlance))) how = Status();
  }
  const std::lock_guard lock(mutex_);
  const auto waiter = std::ranges::find(waiters_, mine, &Waiter::id);
  if (waiter == waiters_.end()) return std::nullopt;  // it is being called
  if (how)
    waiters_.erase(waiter);
  else
    waiter->is_saving |= !may_be_answered;
  return how;
}

Status TurnBoard::wait_session(const UserId& user, const SessionId& session, const Deadline& deadline) {
  const auto told = std::make_shared<std::promise<Status>>();
  auto later = told->get_future();
  const auto now = after_session(user, session, deadline, [told](Status how) { told->set_value(std::move(how)); });
  return now ? *now : later.get();
}

Result<std::optional<TurnProgress>> TurnBoard::look(const Uuid& turn, const Deadline& deadline) {
  PANDORA_TRY(value, shared_->get(turn_key(turn), deadline));
  if (!value) return std::optional<TurnProgress>();
  PANDORA_TRY(json, parse_json(*value, kMaxProgressBytes, "a turn's progress"));
  PANDORA_TRY(told, decode(json));
  return std::optional(std::move(told.progress));
}

Result<std::optional<TurnProgress>> TurnBoard::find(const Uuid& turn, const UserId& user, const Deadline& deadline) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = known_.find(turn); known != known_.end())
      return known->second.user == user ? std::optional(known->second) : std::nullopt;
  }
  if (!shared_) return std::optional<TurnProgress>();
  PANDORA_TRY(progress, look(turn, deadline));
  if (progress && progress->user != user) progress.reset();
  return progress;
}

std::unique_ptr<TurnBoard::Follower> TurnBoard::follow(const Uuid& turn, const UserId& user,
                                                       std::function<void(const TurnProgress&)> call) {
  auto followed = std::make_shared<Followed>(turn, user);
  followed->call = std::move(call);
  const std::lock_guard lock(mutex_);
  if (followers_.size() >= kMaxFollowers) return nullptr;
  followers_.emplace(turn, followed);
  watched_.notify_one();
  return std::unique_ptr<Follower>(new Follower(*this, std::move(followed)));
}

TurnBoard::Follower::~Follower() {
  {
    const std::lock_guard lock(board_.mutex_);
    const auto [begin, end] = board_.followers_.equal_range(followed_->turn);
    const auto mine = std::find_if(begin, end, [this](const auto& one) { return one.second == followed_; });
    if (mine != end) board_.followers_.erase(mine);
  }
  const std::lock_guard lock(followed_->busy);
  followed_->call = nullptr;
}

// ── what other gateways are told, and tell ──

void TurnBoard::hear(const std::string& message) {
  const auto json = parse_json(message, kMaxProgressBytes, "a turn's progress");
  if (!json || !json->is_object()) return;
  if (json->contains("question")) {
    const auto turn = Uuid::parse(json->value("turn", ""));
    if (turn) be_asked(json->value("question", ""), *turn);
    return;
  }
  const auto told = decode(*json);
  if (!told || told->place == place_) return;
  if (!told->asked.empty()) be_told(told->asked, told->progress);
  Calls calls;
  {
    const std::lock_guard lock(mutex_);
    settle(told->progress, Whose::kAnothers, calls);
  }
  for (auto& call : calls) call();
}

// Somebody is about to go on, and asks whether this turn's reply is out.
void TurnBoard::be_asked(const std::string& question, const Uuid& turn) {
  const std::lock_guard lock(mutex_);
  if (!known_.contains(turn) || asked_.size() >= kMaxUnwritten) return;
  asked_.emplace_back(question, turn);
  unwritten_waits_.notify_one();
}

// It was not when the question came: two requests at once are two turns at once.
void TurnBoard::be_told(const std::string& question, const TurnProgress& progress) {
  if (!is_answered(progress.stage)) return;
  std::function<void(Status)> call;
  {
    const std::lock_guard lock(mutex_);
    const auto waiter =
        std::ranges::find_if(waiters_, [&](const Waiter& one) { return question_of(one.id) == question; });
    if (waiter == waiters_.end()) return;
    call = std::move(waiter->call);
    waiters_.erase(waiter);
  }
  call({});
}

// What was noted before the end is still told, as long as the cache takes it.
void TurnBoard::write_out() {
  std::unique_lock lock(mutex_);
  for (;;) {
    unwritten_waits_.wait(lock, [this] { return ending_ || !unwritten_.empty() || !asked_.empty(); });
    if (!asked_.empty()) {
      const auto [question, turn] = std::move(asked_.front());
      asked_.pop_front();
      const auto known = known_.find(turn);
      if (known == known_.end()) continue;
      const std::string answer = encode(known->second, place_, question);
      lock.unlock();
      (void)shared_->publish(kChannel, answer, Deadline::after(clock_, kGlance));
      lock.lock();
      continue;
    }
    if (unwritten_.empty()) return;
    const TurnProgress next = std::move(unwritten_.front());
    unwritten_.pop_front();
    lock.unlock();
    const bool written = write(next);
    lock.lock();
    if (!written && ending_) return;
  }
}

bool TurnBoard::write(const TurnProgress& progress) {
  const auto soon = [this] { return Deadline::after(clock_, kGlance); };
  const std::string value = encode(progress, place_);
  const Duration lifetime = lifetime_of(progress.stage);
  const bool is_latest = progress.stage == TurnStage::kGathering || progress.stage == TurnStage::kSaving;
  if (is_latest &&
      !shared_->set(session_key(progress.user, progress.session), progress.turn.to_string(), lifetime, soon()))
    return false;
  if (!shared_->set(turn_key(progress.turn), value, lifetime, soon())) return false;
  return shared_->publish(kChannel, value, soon()).has_value();
}

// Deadlines, and what no message told.
void TurnBoard::watch() {
  std::unique_lock lock(mutex_);
  for (int ticks = 0;; ++ticks) {
    watched_.wait(lock, [this] { return ending_ || !waiters_.empty() || (shared_ && !followers_.empty()); });
    if (ending_) return;
    Calls calls;
    std::erase_if(waiters_, [&](Waiter& one) {
      const bool is_late = one.deadline.expired();
      const bool goes_on = one.whose == Whose::kAnothers && !one.is_saving && one.end_is_told.expired();
      if (!is_late && !goes_on) return false;
      Status how = goes_on ? Status() : Status(not_findable(one.session));
      calls.push_back([call = std::move(one.call), how = std::move(how)] { call(how); });
      return true;
    });
    std::set<Uuid> turns;
    const bool waits = !waiters_.empty();
    if (shared_ && waits && ticks % kTicksApart == 0)
      for (const auto& one : waiters_)
        if (one.whose == Whose::kAnothers) turns.insert(one.turn);
    if (shared_ && ticks % (waits ? kTicksApartForFollowers : kSlowTicksApart) == 0)
      for (const auto& [turn, followed] : followers_)
        if (!known_.contains(turn)) turns.insert(turn);
    lock.unlock();
    for (auto& call : calls) call();
    calls.clear();
    look_again(turns);
    lock.lock();
    watched_.wait_for(lock, waits ? kTick : kSlowTick, [&] { return ending_ || (!waits && !waiters_.empty()); });
  }
}

void TurnBoard::look_again(const std::set<Uuid>& turns) {
  for (const Uuid& turn : turns) {
    const auto found = look(turn, Deadline::after(clock_, kGlance));
    if (!found) return;  // it is away: deadlines go on
    Calls calls;
    {
      const std::lock_guard lock(mutex_);
      if (*found)
        settle(**found, Whose::kAnothers, calls);
      else
        give_up(turn, calls);
    }
    for (auto& call : calls) call();
  }
}

}  // namespace pandora
