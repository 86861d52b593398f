#include "pipeline/turn_runtime.h"

#include <condition_variable>
#include <mutex>

#include <fmt/format.h>

#include "base/log.h"
#include "base/text.h"
#include "domain/derive.h"
#include "pipeline/prompt.h"
#include "turns/term_statistics.h"

namespace pandora {
namespace {
constexpr std::size_t kLastTurns = 3;
constexpr Duration kPoll = std::chrono::milliseconds(50);  // looks at cancel and deadline while a model is silent
constexpr Duration kStopGrace = std::chrono::seconds(5);   // for a model to end once it was told to
// Of what goes with saving: done also when the turn's own time is up, and yet not waited for without end.
constexpr Duration kSavingBudget = std::chrono::seconds(5);
}  // namespace

class TurnRuntime::Run : private ChatSink {
 public:
  Run(TurnRuntime& runtime, const TurnRequest& request, TurnSink& sink, const Deadline& deadline)
      : runtime_(runtime), request_(request), who_(Principal::of(request.user)), sink_(sink), deadline_(deadline) {}

  TurnOutcome run() {
    // The session's turn before must be findable; when that takes too long the turn goes on, and recall says what is
    // missing.
    const Deadline wait = deadline_.at_most(runtime_.clock_, runtime_.options_.findable_wait);
    if (const Status found = runtime_.saver_.wait_session(request_.session, wait); !found)
      missing_.push_back(found.error().message);
    auto last = runtime_.stores_.turns.list({.session = request_.session, .limit = kLastTurns}, who_, deadline_);
    if (!last) {
      log_warn("turn.no_history", {{"error", last.error().to_line()}});
      missing_.push_back(fmt::format("the last turns: {}", last.error().to_line()));
    }
    if (last) last_turns_ = *std::move(last);

    state_.options.has_model = runtime_.model_ != nullptr;
    if (runtime_.tools_) state_.options.tools = runtime_.tools_->catalogue();
    const Uuid uid = runtime_.ids_.next();
    Utterance message = request_.message;
    message.text = sanitize_utf8(message.text);
    message.name = sanitize_utf8(message.name);
    feed(Started{uid, request_.user, request_.session, std::move(message), last_turns_});
    while (state_.phase != TurnPhase::kFinished) wait_for_model();
    outcome_.uid = uid;
    outcome_.gathered = std::move(state_.record.context.gathered);
    keep_receipt();
    return std::move(outcome_);
  }

 private:
  Timestamp now() const { return runtime_.clock_.now(); }
  Deadline for_saving() const { return Deadline::after(runtime_.clock_, kSavingBudget); }

  // Feeds an event and carries out what follows, which may be further events.
  template <class What>
  void feed(What what) {
    auto actions = step(state_, {now(), std::move(what)});
    for (auto& action : actions) std::visit([&](auto& one) { carry_out(action.id, one); }, action.what);
  }

  void look_for_stop() {
    if (state_.stop || state_.phase == TurnPhase::kFinished) return;
    if (sink_.cancelled())
      feed(Cancelled{});
    else if (deadline_.expired())
      feed(DeadlinePassed{});
  }

  void carry_out(ActionId id, RecallAction& action) {
    RecallRequest request{who_,
                          request_.session,
                          action.question,
                          request_.scope,
                          runtime_.options_.token_budget,
                          runtime_.options_.recall_limit,
                          runtime_.options_.recall_candidates};
    auto result = runtime_.recall_.run(request, deadline_.at_most(runtime_.clock_, runtime_.options_.recall_deadline));
    auto& missing = result.section.missing;
    missing.insert(missing.end(), missing_.begin(), missing_.end());
    receipt_ = std::move(result.receipt);
    receipt_->missing = missing;
    look_for_stop();
    feed(Recalled{id, std::move(result.section)});
  }

  void carry_out(ActionId id, StartModelAction& action) {
    look_for_stop();
    if (state_.stop) return feed(ModelFailed{id, *state_.stop});
    model_id_ = id;
    told_to_stop_.reset();
    {
      const std::lock_guard lock(mutex_);
      events_.clear();
      ended_ = false;
    }
    handle_ = runtime_.model_->start(std::move(action.request), deadline_, *this);
  }
  void carry_out(ActionId, CancelModelAction&) {
    if (!handle_) return;
    told_to_stop_ = runtime_.clock_.steady();
    handle_->cancel();
  }

  void carry_out(ActionId id, RunToolAction& action) {
    look_for_stop();
    if (state_.stop) return feed(ToolFailed{id, *state_.stop});
    auto outcome = runtime_.tools_->run(action.call, who_, deadline_);
    look_for_stop();
    if (outcome)
      feed(ToolDone{id, *std::move(outcome)});
    else
      feed(ToolFailed{id, std::move(outcome).error()});
  }

  void carry_out(ActionId, EmitAction& action) { sink_.on_text(action.text); }

  void carry_out(ActionId, RateAction& action) {
    TurnChange change{.quality = action.quality};
    if (action.rejected) change.rejected = true;
    const auto changed = runtime_.stores_.turns.change(action.turn, change, who_, deadline_);
    if (changed) return;
    log_warn("turn.not_rated", {{"turn", action.turn.value}, {"error", changed.error().to_line()}});
    if (action.rejected)
      missing_.push_back(
          fmt::format("turn {} could not be marked as rejected: {}", action.turn.value, changed.error().to_line()));
  }

  void carry_out(ActionId id, SaveAction& action) {
    TurnRecord& record = action.record;
    derive_fields(record.turn, last_turns_, term_statistics(runtime_.stores_.turns, who_, for_saving()));
    admit(record, action.proposals);
    // A turn whose time is up is still saved: what was said must not be lost.
    const Status saved = runtime_.saver_.save(record, Deadline::never());
    if (!saved) {
      log_error("turn.not_saved", saved.error());
      return feed(SaveFailed{id, saved.error()});
    }
    outcome_.memories = std::move(record.memories);
    supersede();
    feed(Saved{id});
  }

  void carry_out(ActionId, FinishAction& action) {
    outcome_.ending = action.ending;
    outcome_.reply = std::move(action.reply);
    outcome_.acknowledged = action.acknowledged;
    outcome_.error = action.error ? std::move(action.error) : std::move(not_remembered_);
  }

  // Last of all, when the reply is out and the turn acknowledged; and no fault of the turn. A turn that is not kept
  // cannot be forgotten by its uid, so its receipt does not name it.
  void keep_receipt() {
    if (!receipt_) return;
    receipt_->id = runtime_.ids_.next();
    if (outcome_.acknowledged) receipt_->turn = outcome_.uid;
    const Status kept = runtime_.stores_.receipts.put({&*receipt_, 1}, who_, for_saving());
    if (kept) {
      outcome_.receipt = receipt_->id;
      return;
    }
    log_warn("recall.no_receipt", {{"error", kept.error().to_line()}});
    outcome_.gathered.missing.push_back(fmt::format("the receipt: {}", kept.error().to_line()));
  }

  void admit(TurnRecord& record, const std::vector<MemoryProposal>& proposals) {
    if (proposals.empty()) return;
    AdmissionRequest request{record.turn, proposals, {}, {}};
    for (const auto& item : record.context.gathered.items)
      if (item.kind != GatheredKind::kMemory && item.kind != GatheredKind::kPreference)
        request.recalled.push_back(item.text);
    const std::string prompt = system_prompt({});
    request.system_prompts.push_back(prompt);
    auto admitted = runtime_.admit_(request, for_saving());
    if (!admitted) {
      log_warn("turn.no_memories", {{"error", admitted.error().to_line()}});
      not_remembered_ = std::move(admitted).error().with_context("the turn is saved, but no memory was made of it");
      return;
    }
    record.memories = std::move(admitted->memories);
    superseded_ = std::move(admitted->superseded);
  }

  // What is replaced says so once its replacement is acknowledged.
  void supersede() {
    for (const auto& [old_id, new_id] : superseded_) {
      const Status done = supersede(old_id, new_id, for_saving());
      if (done) continue;
      log_warn("memory.not_superseded", {{"memory", old_id.to_string()}, {"error", done.error().to_line()}});
      not_remembered_ = Error(done.error()).with_context("an older memory that this one replaces still stands");
    }
  }
  Status supersede(const Uuid& old_id, const Uuid& new_id, const Deadline& deadline) {
    MemoryStore& memories = runtime_.stores_.memories;
    PANDORA_TRY(old, memories.find(old_id, who_, deadline));
    old.superseded_by = new_id;
    return memories.put(old, {}, who_, deadline);
  }

  // ── the model speaks on threads of its own; its events are taken up here ──

  using ModelEvent = std::variant<ModelDelta, ModelDone, ModelFailed>;

  // A model that is faster than its reader makes one growing delta of many, and no more than a reply may hold.
  void on_delta(std::string_view text) override {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    auto* last = events_.empty() ? nullptr : std::get_if<ModelDelta>(&events_.back());
    if (!last) last = &std::get<ModelDelta>(events_.emplace_back(ModelDelta{0, {}}));
    constexpr std::size_t kOneTooMany = kMaxReplyBytes + 1;  // so that the machine sees it
    last->text += text.substr(0, kOneTooMany - last->text.size());
    arrived_.notify_one();
  }
  void on_done(ChatResult result) override { end(ModelDone{0, std::move(result)}); }
  void on_error(Error error) override { end(ModelFailed{0, std::move(error)}); }

  void end(ModelEvent event) {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    ended_ = true;
    events_.push_back(std::move(event));
    arrived_.notify_one();
  }

  void wait_for_model() {
    look_for_stop();
    if (told_to_stop_ && runtime_.clock_.steady() - *told_to_stop_ > kStopGrace) {
      handle_.reset();  // after which it says nothing more
      end(ModelFailed{0, {ErrorCode::kUnavailable, "the language model did not stop when told to", ""}});
    }
    std::optional<ModelEvent> event;
    {
      std::unique_lock lock(mutex_);
      arrived_.wait_for(lock, kPoll, [&] { return !events_.empty(); });
      if (events_.empty()) return;
      event = std::move(events_.front());
      events_.pop_front();
    }
    if (auto* delta = std::get_if<ModelDelta>(&*event)) return feed(ModelDelta{model_id_, std::move(delta->text)});
    handle_.reset();  // it has said its last word
    if (auto* done = std::get_if<ModelDone>(&*event)) return feed(ModelDone{model_id_, std::move(done->result)});
    feed(ModelFailed{model_id_, std::move(std::get<ModelFailed>(*event).error)});
  }

  TurnRuntime& runtime_;
  const TurnRequest& request_;
  const Principal who_;
  TurnSink& sink_;
  const Deadline deadline_;
  TurnState state_;
  TurnOutcome outcome_;
  std::vector<Turn> last_turns_;
  std::vector<std::string> missing_;  // what this turn has to do without, for §2
  std::optional<RecallReceipt> receipt_;
  std::optional<Error> not_remembered_;
  std::vector<std::pair<Uuid, Uuid>> superseded_;

  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<ModelEvent> events_;  // at most a delta and the end
  bool ended_ = false;
  ActionId model_id_ = 0;
  std::optional<SteadyTime> told_to_stop_;
  std::unique_ptr<ChatHandle> handle_;  // last: destroyed first, while the sink still stands
};

Result<TurnOutcome> TurnRuntime::run(const TurnRequest& request, TurnSink& sink, const Deadline& deadline) {
  const auto size = static_cast<std::int64_t>(request.message.text.size());
  if (size > options_.message_bytes)
    return fail(ErrorCode::kTooLarge,
                fmt::format("a message of {} bytes, at most {} are taken", size, options_.message_bytes),
                "send it in parts, or raise limits.message_bytes");
  if (trim(request.message.text).empty())
    return fail(ErrorCode::kInvalidArgument, "the message is empty", "say something");
  return Run(*this, request, sink, deadline).run();
}

}  // namespace pandora
