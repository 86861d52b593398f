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
constexpr Duration kPoll =
    std::chrono::milliseconds(50);  // between two looks at cancel and deadline while a model speaks
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
      late_ = found.error().message;
    auto last = runtime_.stores_.turns.list({.session = request_.session, .limit = kLastTurns}, who_, deadline_);
    if (!last) log_warn("turn.no_history", {{"error", last.error().to_line()}});
    if (last) last_turns_ = *std::move(last);

    state_.options.has_model = runtime_.model_ != nullptr;
    if (runtime_.tools_) state_.options.tools = runtime_.tools_->catalogue();
    const Uuid uid = runtime_.ids_.next();
    Utterance message = request_.message;
    message.text = sanitize_utf8(message.text);
    feed(Started{uid, request_.user, request_.session, std::move(message), last_turns_});
    while (state_.phase != TurnPhase::kFinished) wait_for_model();
    outcome_.uid = uid;
    outcome_.gathered = std::move(state_.record.context.gathered);
    return std::move(outcome_);
  }

 private:
  Timestamp now() const { return runtime_.clock_.now(); }

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
    if (!late_.empty()) result.section.missing.push_back(late_);
    look_for_stop();
    feed(Recalled{id, std::move(result.section)});
  }

  void carry_out(ActionId id, StartModelAction& action) {
    model_id_ = id;
    handle_ = runtime_.model_->start(std::move(action.request), deadline_, *this);
  }
  void carry_out(ActionId, CancelModelAction&) {
    if (handle_) handle_->cancel();
  }

  void carry_out(ActionId id, RunToolAction& action) {
    look_for_stop();
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
    if (!changed) log_warn("turn.not_rated", {{"turn", action.turn.value}, {"error", changed.error().to_line()}});
  }

  void carry_out(ActionId id, SaveAction& action) {
    TurnRecord& record = action.record;
    derive_fields(record.turn, last_turns_, term_statistics(runtime_.stores_.turns, who_, deadline_));
    admit(record, action.proposals);
    // A turn whose time is up is still saved: what was said must not be lost.
    const Status saved = runtime_.saver_.save(record, Deadline::never());
    if (!saved) {
      log_error("turn.not_saved", saved.error());
      return feed(SaveFailed{id, saved.error()});
    }
    supersede();
    feed(Saved{id});
  }

  void carry_out(ActionId, FinishAction& action) {
    outcome_.ending = action.ending;
    outcome_.reply = std::move(action.reply);
    outcome_.acknowledged = action.acknowledged;
    outcome_.error = std::move(action.error);
  }

  void admit(TurnRecord& record, const std::vector<MemoryProposal>& proposals) {
    if (proposals.empty()) return;
    AdmissionRequest request{record.turn, proposals, {}, {}};
    for (const auto& item : record.context.gathered.items)
      if (item.kind != GatheredKind::kMemory && item.kind != GatheredKind::kPreference)
        request.recalled.push_back(item.text);
    const std::string prompt = system_prompt({});
    request.system_prompts.push_back(prompt);
    auto admitted = runtime_.admit_(request, deadline_);
    if (!admitted) return log_warn("turn.no_memories", {{"error", admitted.error().to_line()}});
    outcome_.memories = admitted->memories;
    record.memories = std::move(admitted->memories);
    superseded_ = std::move(admitted->superseded);
  }

  // What is replaced says so once its replacement is acknowledged.
  void supersede() {
    for (const auto& [old_id, new_id] : superseded_) {
      auto old = runtime_.stores_.memories.find(old_id, who_, deadline_);
      if (old) {
        old->superseded_by = new_id;
        const Status put = runtime_.stores_.memories.put(*old, {}, who_, deadline_);
        if (!put) log_warn("memory.not_superseded", {{"memory", old_id.to_string()}, {"error", put.error().to_line()}});
      }
    }
  }

  // ── the model speaks on threads of its own; its events are taken up here ──

  void on_delta(std::string_view text) override { push(ModelDelta{0, std::string(text)}); }
  void on_done(ChatResult result) override { push(ModelDone{0, std::move(result)}); }
  void on_error(Error error) override { push(ModelFailed{0, std::move(error)}); }

  void push(std::variant<ModelDelta, ModelDone, ModelFailed> event) {
    const std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
    arrived_.notify_one();
  }

  void wait_for_model() {
    look_for_stop();
    std::optional<std::variant<ModelDelta, ModelDone, ModelFailed>> event;
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
  std::string late_;
  std::vector<std::pair<Uuid, Uuid>> superseded_;

  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<std::variant<ModelDelta, ModelDone, ModelFailed>> events_;
  ActionId model_id_ = 0;
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
