#include "pipeline/turn_runtime.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>

#include <fmt/format.h>

#include "base/log.h"
#include "base/text.h"
#include "domain/derive.h"

namespace pandora {
namespace {
constexpr std::size_t kLastTurns = 3;
constexpr Duration kPoll = std::chrono::milliseconds(50);  // looks at cancel and deadline while a model is silent
constexpr Duration kStopGrace = std::chrono::seconds(5);   // for a model to end once it was told to
// Of what goes with saving: done also when the turn's own time is up, and yet not waited for without end.
constexpr Duration kSavingBudget = std::chrono::seconds(5);
}  // namespace

// One turn. Its events are taken up one at a time, by whichever thread pumps: the calling one of `run`; of a turn that
// was started the thread that brings the event, which hands everything that may block to one that may.
class TurnRuntime::Run final : public RunningTurn, private ChatSink, public std::enable_shared_from_this<Run> {
 public:
  using What = decltype(Event::what);
  Run(TurnRuntime& runtime, TurnRequest request, TurnSink& sink, const Deadline& deadline)
      : runtime_(runtime),
        request_(std::move(request)),
        who_(Principal::of(request_.user)),
        sink_(sink),
        deadline_(deadline) {
    state_.options.has_model = runtime_.model_ != nullptr;
    state_.options.passes_on = request_.client.has_value();
    offer_tools();
    state_.options.clarifies = !request_.client || request_.client->clarifies;
    state_.options.saves = request_.memory != MemoryUse::kRead;
    outcome_.uid =
        request_.client && request_.client->continues ? request_.client->continues->uid : runtime_.ids_.next();
  }

  // On the calling thread.
  TurnOutcome run() {
    begin();
    while (state_.phase != TurnPhase::kFinished) wait_for_event();
    return std::move(outcome_);
  }

  void start(std::shared_ptr<TurnListener> listener, TurnThreads threads) {
    listener_ = std::move(listener);
    threads_ = std::move(threads);
    self_ = shared_from_this();
    threads_.blocking([self = self_] { self->begin(); });
  }
  void cancel() override {
    told_to_end_ = true;
    {
      const std::lock_guard lock(mutex_);
      if (!begun_) {
        cancel_waits_ = true;
        return;
      }
    }
    post(Cancelled{});
  }
  void pause() override {
    if (const auto handle = handle_or_note(true)) handle->pause();
  }
  void resume() override {
    if (const auto handle = handle_or_note(false)) handle->resume();
  }

 private:
  Timestamp now() const { return runtime_.clock_.now(); }
  std::int64_t steady_micros() const {
    return std::chrono::duration_cast<Duration>(runtime_.clock_.steady().time_since_epoch()).count();
  }

  // A client's tool of the same name hides ours.
  void offer_tools() {
    const bool wanted = !request_.client || request_.client->offers_tools;
    if (!runtime_.tools_ || !wanted || !runtime_.model_ || steady_micros() < runtime_.no_tools_until_) return;
    if (request_.client) state_.options.client_tools = request_.client->tool_names;
    for (const auto& tool : runtime_.tools_->catalogue())
      if (std::ranges::find(state_.options.client_tools, tool.name) == state_.options.client_tools.end())
        state_.options.tools.push_back(tool);
  }

  // What a reply waits for of the stores, at a time.
  Deadline for_reading() const { return deadline_.at_most(runtime_.clock_, runtime_.options_.recall_deadline); }
  Deadline for_saving() const { return Deadline::after(runtime_.clock_, kSavingBudget); }

  // The session's turn before must be findable; when that takes too long the turn goes on, and recall says what is
  // missing. A turn that was started holds no thread meanwhile, so that sessions that wait are in nobody's way.
  void begin() {
    const Deadline wait = deadline_.at_most(runtime_.clock_, runtime_.options_.findable_wait);
    if (!board()) return wait_for_saver({}, wait);
    if (!listener_) return wait_for_saver(board()->wait_session(request_.user, request_.session, wait), wait);
    const auto later = [self = shared_from_this(), wait](Status found) {
      self->threads_.blocking([self, found = std::move(found), wait] { self->wait_for_saver(found, wait); });
    };
    if (const auto found = board()->after_session(request_.user, request_.session, wait, later))
      wait_for_saver(*found, wait);
  }
  void wait_for_saver(const Status& told, const Deadline& wait) {
    if (!told) return begin_after(told);
    if (!listener_) return begin_after(runtime_.saver_.wait_session(request_.session, wait));
    const auto later = [self = shared_from_this()](Status found) {
      self->threads_.blocking([self, found = std::move(found)] { self->begin_after(found); });
    };
    if (runtime_.saver_.after_session(request_.session, wait, later)) begin_after({});
  }

  TurnBoard* board() const { return runtime_.options_.board; }
  void note(TurnStage stage, std::string detail = "") {
    if (board()) board()->note({outcome_.uid, request_.user, request_.session, stage, {}, std::move(detail)});
  }

  void begin_after(const Status& found) {
    note(TurnStage::kGathering);
    if (!found) missing_.push_back(found.error().message);
    auto last = runtime_.stores_.turns.list({.session = request_.session, .limit = kLastTurns}, who_, for_reading());
    if (!last) {
      log_warn("turn.no_history", {{"error", last.error().to_line()}});
      missing_.push_back(fmt::format("the last turns: {}", last.error().to_line()));
    }
    if (last) last_turns_ = *std::move(last);

    Utterance message = request_.message;
    message.text = sanitize_utf8(message.text);
    message.name = sanitize_utf8(message.name);
    Started started{outcome_.uid, request_.user, request_.session, std::move(message), last_turns_, {}, {}, {}};
    if (request_.client) {
      if (const auto& open = request_.client->continues) {
        started.tools_run = open->tools, started.research = open->research, started.fetches = open->fetches;
        pages_ = open->pages;
      }
      const auto& theirs = request_.client->tools_run;
      started.tools_run.insert(started.tools_run.end(), theirs.begin(), theirs.end());
      tools_of_client_ = theirs;
    }
    {
      const std::lock_guard lock(mutex_);
      events_.emplace_back(std::move(started));
      begun_ = true;
      if (cancel_waits_) events_.emplace_back(Cancelled{});
      if (!listener_) return;
      pumping_ = true;
    }
    pump(true);
  }

  // ── events, in order ──

  // A model that is faster than its reader makes one growing delta of many, and no more than a reply may hold.
  void post(What what, bool may_block = false) {
    {
      const std::lock_guard lock(mutex_);
      auto* delta = std::get_if<ModelDelta>(&what);
      auto* last = events_.empty() || !delta ? nullptr : std::get_if<ModelDelta>(&events_.back());
      if (last) {
        constexpr std::size_t kOneTooMany = kMaxReplyBytes + 1;  // so that the machine sees it
        last->text += std::string_view(delta->text).substr(0, kOneTooMany - std::min(kOneTooMany, last->text.size()));
      } else {
        events_.push_back(std::move(what));
      }
      arrived_.notify_one();
      if (!listener_ || pumping_) return;
      pumping_ = true;
    }
    pump(may_block);
  }

  void pump(bool may_block) {
    const auto self = shared_from_this();
    const LogScope scope(request_.client ? request_.client->request_id : current_request());
    for (;;) {
      std::optional<What> what;
      {
        const std::lock_guard lock(mutex_);
        if (events_.empty()) {
          pumping_ = false;
          return;
        }
        if (may_block || is_light(events_.front())) {
          what = std::move(events_.front());
          events_.pop_front();
        }
      }
      if (!what) return threads_.blocking([self] { self->pump(true); });
      may_block_ = may_block;
      take_up(std::move(*what));
    }
  }
  static bool is_light(const What& what) {
    return std::holds_alternative<ModelDelta>(what) || std::holds_alternative<Cancelled>(what);
  }

  void take_up(What what) {
    if (auto* delta = std::get_if<ModelDelta>(&what)) delta->id = model_id_;
    if (auto* done = std::get_if<ModelDone>(&what)) {
      done->id = model_id_;
      outcome_.tokens_in += done->result.tokens_in;
      outcome_.tokens_out += done->result.tokens_out;
      drop_handle();
      // It answered only when no tools were offered: the next turns need not try.
      if (state_.tools_refused) runtime_.no_tools_until_ = steady_micros() + kWithoutTools.count();
    }
    if (auto* done = std::get_if<ToolDone>(&what))
      std::ranges::move(std::exchange(done->outcome.pages, {}), std::back_inserter(pages_));
    if (auto* failed = std::get_if<ModelFailed>(&what); failed && failed->id == 0)
      failed->id = model_id_, drop_handle();
    look_for_stop();
    feed(std::move(what));
  }

  // Feeds an event and carries out what follows.
  void feed(What what) {
    auto actions = step(state_, {now(), std::move(what)});
    for (auto& action : actions) std::visit([&](auto& one) { carry_out(action.id, one); }, action.what);
  }

  void wait_for_event() {
    look_for_stop();
    if (told_to_stop_ && runtime_.clock_.steady() - *told_to_stop_ > kStopGrace) {
      drop_handle();  // after which it says nothing more
      end(ModelFailed{0, {ErrorCode::kUnavailable, "the language model did not stop when told to", ""}});
    }
    std::optional<What> what;
    {
      std::unique_lock lock(mutex_);
      arrived_.wait_for(lock, kPoll, [&] { return !events_.empty(); });
      if (events_.empty()) return;
      what = std::move(events_.front());
      events_.pop_front();
    }
    take_up(std::move(*what));
  }

  void look_for_stop() {
    if (state_.stop || state_.phase == TurnPhase::kFinished || state_.phase == TurnPhase::kNew) return;
    if (sink_.cancelled())
      feed(Cancelled{});
    else if (deadline_.expired())
      feed(DeadlinePassed{});
  }

  // Work that may block; what it finds out is posted.
  void on_blocking(std::function<void()> work) {
    if (!listener_ || may_block_) return work();
    threads_.blocking([self = shared_from_this(), work = std::move(work)] { work(); });
  }

  // ── actions ──

  void carry_out(ActionId id, RecallAction& action) {
    on_blocking([this, id, question = std::move(action.question)] { recall(id, question); });
  }
  void recall(ActionId id, const std::string& question) {
    GatherSection section;
    if (request_.client && request_.client->continues) {
      section = request_.client->continues->gathered;
      receipt_ = request_.client->continues->receipt;
    } else if (request_.memory == MemoryUse::kWrite) {
      section.missing = missing_;
    } else {
      const RuntimeOptions& options = runtime_.options_;
      const RecallRequest request{who_,
                                  request_.session,
                                  question,
                                  request_.scope,
                                  options.token_budget,
                                  options.recall_limit,
                                  options.recall_candidates,
                                  request_.client ? &request_.client->held : nullptr};
      auto result = runtime_.recall_.run(request, for_reading());
      section = std::move(result.section);
      section.missing.insert(section.missing.end(), missing_.begin(), missing_.end());
      receipt_ = std::move(result.receipt);
      receipt_->id = runtime_.ids_.next();
      receipt_->missing = section.missing;
    }
    sink_.on_gathered(outcome_.uid, receipt_ ? std::optional(receipt_->id) : std::nullopt, section);
    post(Recalled{id, std::move(section)}, true);
  }

  void carry_out(ActionId id, StartModelAction& action) {
    look_for_stop();
    if (state_.stop) return post(ModelFailed{id, *state_.stop});
    model_id_ = id;
    told_to_stop_.reset();
    ChatRequest request = std::move(action.request);
    if (request_.client) {
      request.role = request_.client->role;
      request.model = request_.client->model;
      request.server = request_.client->server;
      request.request_id = request_.client->request_id;
      request.passed_on =
          request_.client->compose(state_.record.context.gathered, rounds(request.messages), request.tools);
      if (!request.tools.empty()) offers_tools_ = true;
      request.messages.clear();
      request.tools.clear();
    }
    note(TurnStage::kAnswering);
    sink_.on_model_call();
    {
      const std::lock_guard lock(mutex_);
      std::erase_if(events_, is_of_model);
      ended_ = refused_ = false;
      refusal_.reset();
    }
    std::shared_ptr<ChatHandle> handle = runtime_.model_->start(std::move(request), deadline_, *this);
    bool paused = false;
    {
      const std::lock_guard lock(mutex_);
      handle_ = handle;
      paused = paused_;
    }
    if (!paused) return;
    handle->pause();
    {
      const std::lock_guard lock(mutex_);
      paused = paused_;
    }
    if (!paused) handle->resume();  // which was asked for before there was anything to resume
  }
  static bool is_of_model(const What& what) {
    return std::holds_alternative<ModelDelta>(what) || std::holds_alternative<ModelDone>(what) ||
           std::holds_alternative<ModelFailed>(what);
  }
  void carry_out(ActionId, CancelModelAction&) {
    const auto handle = handle_or_note(std::nullopt);
    if (!handle) return;
    told_to_stop_ = runtime_.clock_.steady();
    handle->cancel();
  }

  void carry_out(ActionId id, RunToolAction& action) {
    look_for_stop();
    if (state_.stop) return post(ToolFailed{id, *state_.stop});
    note(TurnStage::kTool, action.call.name);
    auto work = [this, id, call = std::move(action.call)] {
      auto outcome = runtime_.tools_->run(
          call,
          {who_, request_.session, outcome_.uid, request_.key, [this] { return told_to_end_ || sink_.cancelled(); }},
          deadline_);
      // What follows is for the threads of turns.
      if (outcome)
        post(ToolDone{id, *std::move(outcome)});
      else
        post(ToolFailed{id, std::move(outcome).error()});
    };
    if (!listener_) return work();
    threads_.running_tools([self = shared_from_this(), work = std::move(work)] { work(); });
  }

  // What the model says to a client's own request reaches it as it is: on_event.
  void carry_out(ActionId, EmitAction& action) {
    if (!request_.client || !action.of_model) sink_.on_text(action.text);
  }

  void carry_out(ActionId, RateAction& action) {
    TurnChange change{.quality = action.quality};
    if (action.rejected) change.rejected = true;
    const auto changed = runtime_.stores_.turns.change(action.turn, change, who_, for_reading());
    if (changed) return;
    log_warn("turn.not_rated", {{"turn", action.turn.value}, {"error", changed.error().to_line()}});
    if (action.rejected)
      missing_.push_back(
          fmt::format("turn {} could not be marked as rejected: {}", action.turn.value, changed.error().to_line()));
  }

  void carry_out(ActionId id, SaveAction& action) {
    end_reply(action.record.turn.status == TurnStatus::kComplete ? std::nullopt : why_not_whole());
    const auto saving = std::make_shared<SaveAction>(std::move(action));
    if (!listener_) return save(id, *saving);
    threads_.saving([this, self = shared_from_this(), id, saving] { save(id, *saving); });
  }
  void save(ActionId id, SaveAction& action) {
    TurnRecord& record = action.record;
    derive_fields(record.turn, last_turns_, runtime_.statistics(who_, for_saving()));
    memories_.admit(record, action.proposals, runtime_.admit_, for_saving());
    AttachedImages images;
    if (request_.client && request_.client->images) images = request_.client->images();
    const std::vector<Attachment> attached =
        kept_attachments(std::move(images), std::move(pages_), record.context.gathered.missing);
    // A turn whose time is up is still saved: what was said must not be lost.
    const Status saved = runtime_.saver_.save(record, attached, Deadline::never());
    if (!saved) {
      log_error("turn.not_saved", saved.error());
      save_failed_ = true;
      note(TurnStage::kUnsaved, saved.error().message);
      return post(SaveFailed{id, saved.error()}, true);
    }
    note(TurnStage::kAcknowledged);
    if (board()) board()->note_when_findable(runtime_.saver_, outcome_.uid, request_.user, request_.session);
    outcome_.memories = std::move(record.memories);
    memories_.supersede(runtime_.stores_.memories, who_, for_saving());
    post(Saved{id}, true);
  }

  void carry_out(ActionId, FinishAction& action) {
    const bool is_whole = action.ending != Ending::kCancelled && action.ending != Ending::kFailed;
    end_reply(is_whole ? std::nullopt : why_not_whole());
    if (!action.acknowledged && !save_failed_) note(TurnStage::kEnded, std::string(to_string(action.ending)));
    outcome_.ending = action.ending;
    outcome_.reply = std::move(action.reply);
    outcome_.acknowledged = action.acknowledged;
    outcome_.error = action.error ? std::move(action.error) : std::move(memories_.error);
    outcome_.gathered = std::move(state_.record.context.gathered);
    on_blocking([this] { complete(); });
  }

  void complete() {
    drop_handle();
    if (outcome_.ending == Ending::kHandedBack)
      outcome_.open = open_turn();
    else
      keep_receipt();
    report();
    if (!listener_) return;
    listener_->on_finished(std::move(outcome_));
    self_.reset();  // whoever runs this holds it still
  }

  // What was called of ours since the user's message: before the client's tools were asked for, and now.
  std::vector<OwnRounds> rounds(const std::vector<ChatMessage>& messages) const {
    constexpr std::size_t kFirstMessages = 2;
    std::vector<OwnRounds> all;
    if (request_.client->continues) all = request_.client->continues->rounds;
    if (messages.size() > kFirstMessages)
      all.push_back({request_.client->messages_since, {messages.begin() + kFirstMessages, messages.end()}});
    return all;
  }
  OpenTurn open_turn() {
    OpenTurn open{outcome_.uid, outcome_.gathered, receipt_, rounds(state_.messages), {}, {}, {}, std::move(pages_)};
    // The client sends its own again.
    for (auto& block : state_.record.context.tools)
      if (std::ranges::find(tools_of_client_, block) == tools_of_client_.end()) open.tools.push_back(std::move(block));
    open.research = std::move(state_.record.research);
    open.fetches = std::move(state_.record.fetches);
    return open;
  }

  void report() {
    if (!runtime_.options_.on_turn) return;
    const bool continued = request_.client && request_.client->continues;
    runtime_.options_.on_turn({outcome_.ending,
                               std::chrono::duration_cast<Duration>(runtime_.clock_.steady() - begun_at_),
                               state_.record.observations, receipt_ && !continued ? &*receipt_ : nullptr});
  }

  // Last of all, when the reply is out and the turn acknowledged; and no fault of the turn. A turn that is not kept
  // cannot be forgotten by its uid, so its receipt does not name it.
  void keep_receipt() {
    if (!receipt_) return;
    if (outcome_.acknowledged) receipt_->turn = outcome_.uid;
    const Status kept = runtime_.stores_.receipts.put({&*receipt_, 1}, who_, for_saving());
    if (kept) {
      outcome_.receipt = receipt_->id;
      return;
    }
    log_warn("recall.no_receipt", {{"error", kept.error().to_line()}});
    outcome_.gathered.missing.push_back(fmt::format("the receipt: {}", kept.error().to_line()));
  }

  // ── the model speaks on threads of its own ──

  void on_delta(std::string_view text) override {
    if (has_ended()) return;
    post(ModelDelta{0, std::string(text.substr(0, kMaxReplyBytes + 1))});
  }
  void on_event(std::string_view json) override {
    if (!has_ended()) sink_.on_event(json);
  }
  void on_refusal(const ChatRefusal& refusal) override {
    if (has_ended()) return;
    refused_ = true;
    const std::lock_guard lock(mutex_);
    refusal_ = refusal;
  }
  // Nothing follows on a client's request, unless tools of ours are called: its end waits for no pool.
  void on_done(ChatResult result) override {
    const bool may_go_on = offers_tools_ && !result.tool_calls.empty();
    if (request_.client && !may_go_on && !has_ended()) end_reply(std::nullopt);
    end(ModelDone{0, std::move(result)});
  }
  void on_error(Error error) override {
    const bool is_reported = request_.client && (refused_ || !request_.client->may_quote);
    end(ModelFailed{0, std::move(error), is_reported});
  }

  std::optional<Error> why_not_whole() const { return state_.stop ? state_.stop : state_.failure; }
  void end_reply(const std::optional<Error>& broken) {
    if (reply_ended_.exchange(true)) return;
    std::optional<ChatRefusal> refusal;
    {
      const std::lock_guard lock(mutex_);
      refusal.swap(refusal_);
    }
    // Before its client hears the end: whoever says something next, at whatever gateway, waits for what follows.
    if (state_.options.saves) note(TurnStage::kSaving);
    if (broken && refusal) sink_.on_refusal(*refusal);
    sink_.on_reply_end(broken);
  }
  bool has_ended() {
    const std::lock_guard lock(mutex_);
    return ended_;
  }
  void end(What event) {
    {
      const std::lock_guard lock(mutex_);
      if (std::exchange(ended_, true)) return;
    }
    post(std::move(event));
  }

  // Never from within a call of the model's: its going waits for that.
  void drop_handle() {
    std::shared_ptr<ChatHandle> gone;
    const std::lock_guard lock(mutex_);
    gone.swap(handle_);
  }
  std::shared_ptr<ChatHandle> handle_or_note(std::optional<bool> paused) {
    const std::lock_guard lock(mutex_);
    if (paused) paused_ = *paused;
    return handle_;
  }

  TurnRuntime& runtime_;
  const TurnRequest request_;
  const Principal who_;
  TurnSink& sink_;
  const Deadline deadline_;
  TurnState state_;
  TurnOutcome outcome_;
  std::vector<Turn> last_turns_;
  std::vector<std::string> missing_;  // what this turn has to do without, for §2
  std::optional<RecallReceipt> receipt_;
  TurnMemories memories_;
  const SteadyTime begun_at_ = runtime_.clock_.steady();
  ActionId model_id_ = 0;
  std::optional<SteadyTime> told_to_stop_;
  std::vector<ToolBlock> tools_of_client_;
  std::vector<Attachment> pages_;  // that tools fetched
  bool may_block_ = true;          // the thread that pumps
  bool save_failed_ = false;

  // Of a turn that was started.
  std::shared_ptr<TurnListener> listener_;
  TurnThreads threads_;
  std::shared_ptr<Run> self_;  // until it has finished

  std::mutex mutex_;
  std::condition_variable arrived_;
  std::optional<ChatRefusal> refusal_;  // of the model call under way, told when it is the end
  std::deque<What> events_;             // what was posted and not yet taken up: a delta, an answer, a stop
  bool begun_ = false, cancel_waits_ = false, pumping_ = false, ended_ = false, paused_ = false;
  std::atomic<bool> refused_ = false, reply_ended_ = false, told_to_end_ = false, offers_tools_ = false;
  std::shared_ptr<ChatHandle> handle_;  // last: destroyed first, while the sink still stands
};

Status TurnRuntime::check(const TurnRequest& request) const {
  const auto size = static_cast<std::int64_t>(request.message.text.size());
  if (size > options_.message_bytes)
    return fail(ErrorCode::kTooLarge,
                fmt::format("a message of {} bytes, at most {} are taken", size, options_.message_bytes),
                "send it in parts, or raise limits.message_bytes");
  if (trim(request.message.text).empty())
    return fail(ErrorCode::kInvalidArgument, "the message is empty", "say something");
  return {};
}

Result<TurnOutcome> TurnRuntime::run(const TurnRequest& request, TurnSink& sink, const Deadline& deadline) {
  PANDORA_CHECK(check(request));
  return std::make_shared<Run>(*this, request, sink, deadline)->run();
}

Result<std::shared_ptr<RunningTurn>> TurnRuntime::start(TurnRequest request, std::shared_ptr<TurnListener> listener,
                                                        const Deadline& deadline, TurnThreads threads) {
  PANDORA_CHECK(check(request));
  TurnSink& sink = *listener;
  auto run = std::make_shared<Run>(*this, std::move(request), sink, deadline);
  run->start(std::move(listener), std::move(threads));
  return run;
}

}  // namespace pandora
