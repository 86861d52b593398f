#include "pipeline/turn_machine.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "domain/analyzer.h"
#include "domain/derive.h"
#include "pipeline/extractive_reply.h"
#include "pipeline/prompt.h"
#include "pipeline/validation.h"

namespace pandora {
namespace {

// A question of nothing but pointing words, with nothing before it that it could point to.
bool points_nowhere(std::string_view message, const std::vector<Turn>& last_turns) {
  constexpr std::size_t kShort = 60;
  if (!last_turns.empty() || message.size() > kShort || !trim(message).ends_with('?')) return false;
  if (!analyze(message).empty()) return false;
  std::string low(message);
  std::ranges::transform(low, low.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const std::string_view word : {"it", "that", "this", "they", "them", "those", "these"})
    if ((" " + low + " ").find(" " + std::string(word)) != std::string::npos) return true;
  return false;
}

class Step {
 public:
  Step(TurnState& state, Timestamp at) : state_(state), now_(at) {}
  std::vector<Action> take() { return std::move(actions_); }

  void on(const Started& event) {
    state_.started_at = state_.step_began = now_;
    Turn& turn = state_.record.turn;
    turn.uid = event.uid;
    turn.user = event.user;
    turn.session = event.session;
    turn.created_at = now_;
    turn.message = event.message;
    context().turn_uid = event.uid;
    context().query = {event.message.text, self_contained_question(event.message.text, event.last_turns)};
    turn.question = context().query.question;
    observe_phase("phase 0");
    rate_previous(event);

    if (points_nowhere(event.message.text, event.last_turns)) {
      context().reflection = {Reflection::kClarify, "it refers to something that was not said",
                              "What do you mean? Please name it."};
      observe_phase("phase 1");
      act(EmitAction{context().reflection.question});
      return finish(Ending::kClarified, context().reflection.question, false, std::nullopt);
    }
    context().reflection = {Reflection::kProceed, "it can be answered as it stands", ""};
    observe_phase("phase 1");
    state_.phase = TurnPhase::kGathering;
    ask(RecallAction{context().query.question});
  }

  void on(const Recalled& event) {
    if (!answers(event.id)) return;
    context().gathered = event.section;
    observe_phase("phase 2", event.section.missing.empty() ? "" : event.section.missing.front());
    if (state_.stop) return stop_without_reply();
    context().plans.push_back(
        {1, {context().query.question}, state_.options.tools.empty() ? Route::kSynthesis : Route::kTools});
    observe_phase("phase 3");
    if (!state_.options.has_model) return answer_by_quoting(kNoModelConfigured);
    state_.messages = first_messages(context().query, context().gathered);
    start_model();
  }

  void on(const ModelDelta& event) {
    if (event.id != state_.waiting_for || state_.phase != TurnPhase::kModel) return;
    state_.streamed += event.text;
    act(EmitAction{event.text});
  }

  void on(const ModelDone& event) {
    if (!answers(event.id)) return;
    observe(ObservationKind::kModel, event.result.model, true, event.result.finish_reason, event.result.tokens_in,
            event.result.tokens_out);
    if (state_.streamed.empty() && !event.result.content.empty()) act(EmitAction{event.result.content});
    const std::string text = state_.streamed.empty() ? event.result.content : state_.streamed;
    state_.record.turn.model = event.result.model;
    if (!event.result.tool_calls.empty() && !state_.stop) return begin_tools(event.result);
    judge(text, ReplyEnd::kWhole);
  }

  void on(const ModelFailed& event) {
    if (!answers(event.id)) return;
    observe(ObservationKind::kModel, "model", false, event.error.to_line());
    state_.failure = event.error;
    if (!state_.streamed.empty()) return judge(state_.streamed, ReplyEnd::kCutOff);
    if (state_.stop) return stop_without_reply();
    answer_by_quoting(
        fmt::format("The language model did not answer ({})", one_line(ellipsize(event.error.message, 200))));
  }

  void on(const ToolDone& event) {
    if (!answers(event.id)) return;
    record_tool(event.outcome.status, event.outcome.result, event.outcome.claims);
    auto& research = state_.record.research;
    research.insert(research.end(), event.outcome.research.begin(), event.outcome.research.end());
    auto& fetches = state_.record.fetches;
    fetches.insert(fetches.end(), event.outcome.fetches.begin(), event.outcome.fetches.end());
    next_tool();
  }

  void on(const ToolFailed& event) {
    if (!answers(event.id)) return;
    const ToolStatus status = event.error.code == ErrorCode::kDeadlineExceeded   ? ToolStatus::kTimedOut
                              : event.error.code == ErrorCode::kCancelled        ? ToolStatus::kCancelled
                              : event.error.code == ErrorCode::kPermissionDenied ? ToolStatus::kRefused
                                                                                 : ToolStatus::kFailed;
    record_tool(status, event.error.to_line(), {});
    next_tool();
  }

  void on(const Saved& event) {
    if (answers(event.id)) finish(ending_, reply(), true, state_.failure ? state_.failure : state_.stop);
  }
  void on(const SaveFailed& event) {
    if (answers(event.id)) finish(ending_, reply(), false, event.error);
  }

  void on(const Cancelled&) { stop({ErrorCode::kCancelled, "cancelled", ""}); }
  void on(const DeadlinePassed&) { stop({ErrorCode::kDeadlineExceeded, "the turn took longer than allowed", ""}); }
  void on(const GuidanceAdded& event) {
    // Honoured before the next model call; when none comes it is part of what was said.
    if (state_.phase != TurnPhase::kSaving && state_.phase != TurnPhase::kFinished)
      state_.messages.push_back({ChatRole::kUser, event.text, {}, ""});
  }

 private:
  ContextDocument& context() { return state_.record.context; }

  ActionId act(decltype(Action::what) what) {
    actions_.push_back({++state_.last_id, std::move(what)});
    return state_.last_id;
  }
  void ask(decltype(Action::what) what) {
    state_.step_began = now_;
    state_.waiting_for = act(std::move(what));
  }
  bool answers(ActionId id) {
    if (state_.phase == TurnPhase::kFinished || id != state_.waiting_for || id == 0) return false;
    state_.waiting_for = 0;
    return true;
  }

  void observe(ObservationKind kind, std::string name, bool ok, std::string detail, std::int64_t tokens_in = 0,
               std::int64_t tokens_out = 0) {
    state_.record.observations.push_back({state_.record.turn.uid, kind, std::move(name), now_,
                                          std::max<std::int64_t>(0, (now_ - state_.step_began).count()), tokens_in,
                                          tokens_out, ok, std::move(detail), std::nullopt});
  }
  void observe_phase(const char* name, std::string problem = "") {
    const bool ok = problem.empty();
    observe(ObservationKind::kPhase, name, ok, std::move(problem));
    state_.step_began = now_;
  }

  void rate_previous(const Started& event) {
    if (event.last_turns.empty()) return;
    const TurnNumber previous = event.last_turns.front().number;
    switch (derive_feedback(event.message.text)) {
      case Feedback::kContinues:
        act(RateAction{previous, kContinuedQuality, false});
        break;
      case Feedback::kRejects:
        act(RateAction{previous, kRejectedQuality, true});
        break;
      case Feedback::kNone:
        break;
    }
  }

  void start_model() {
    if (state_.stop) return stop_without_reply();
    ++state_.model_calls;
    state_.phase = TurnPhase::kModel;
    state_.streamed.clear();
    ChatRequest request;
    request.messages = state_.messages;
    const bool may_call =
        state_.passes < kMaxPasses && state_.tool_calls < kMaxToolCalls && state_.model_calls < kMaxModelCalls;
    if (may_call) request.tools = state_.options.tools;
    ask(StartModelAction{std::move(request)});
  }

  void begin_tools(const ChatResult& result) {
    if (state_.model_calls >= kMaxModelCalls || state_.passes >= kMaxPasses || state_.tool_calls >= kMaxToolCalls)
      return judge(state_.streamed.empty() ? result.content : state_.streamed, ReplyEnd::kWhole);
    ++state_.passes;
    state_.messages.push_back({ChatRole::kAssistant, result.content, result.tool_calls, ""});
    state_.calls.assign(result.tool_calls.begin(), result.tool_calls.end());
    state_.phase = TurnPhase::kTools;
    next_tool();
  }

  void next_tool() {
    if (state_.stop) return stop_without_reply();
    while (!state_.calls.empty()) {
      if (state_.tool_calls < kMaxToolCalls) {
        ++state_.tool_calls;
        return ask(RunToolAction{state_.calls.front()});
      }
      record_tool(ToolStatus::kRefused, "no more tools may run in this turn", {});
    }
    start_model();
  }

  void record_tool(ToolStatus status, const std::string& result, std::vector<std::string> claims) {
    const ToolCall call = std::move(state_.calls.front());
    state_.calls.pop_front();
    context().tools.push_back({1, state_.passes, call.name, call.arguments, status, result, std::move(claims)});
    observe(ObservationKind::kTool, call.name, status == ToolStatus::kOk, std::string(to_string(status)));
    state_.messages.push_back({ChatRole::kTool, result, {}, call.id});
  }

  // Phase 6, and what follows from it. What has been streamed cannot be taken back, so only a reply without a word is
  // asked for again.
  void judge(const std::string& text, ReplyEnd end) {
    const int attempt = static_cast<int>(context().replies.size()) + 1;
    ValidationAttempt validation = validate_reply(context().query.message, text, end, context().tools);
    validation.attempt = attempt;
    context().replies.push_back({attempt, state_.record.turn.model, text});
    context().validations.push_back(validation);
    if (validation.confidence > state_.best_confidence)
      state_.best_confidence = validation.confidence, state_.best_reply = text;
    const bool said_nothing = trim(text).empty();
    if (said_nothing && state_.stop) return stop_without_reply();
    if (said_nothing && state_.revises < kMaxRevises && state_.revises + state_.retries < kMaxRepeats &&
        state_.model_calls < kMaxModelCalls) {
      ++state_.revises;
      return start_model();
    }
    if (said_nothing) {
      state_.failure = Error{ErrorCode::kUnavailable, "the language model gave an empty reply", ""};
      return answer_by_quoting("The language model gave an empty reply");
    }
    const bool failed = end == ReplyEnd::kCutOff;
    state_.record.turn.status = state_.stop ? TurnStatus::kCancelled
                                : failed    ? TurnStatus::kFailed
                                            : TurnStatus::kComplete;
    save(state_.best_reply, validation);
  }

  void answer_by_quoting(std::string_view reason) {
    const std::string text = extractive_reply(context().query.message, context().gathered, reason);
    state_.record.turn.model = kExtractiveModel;
    act(EmitAction{text});
    const int attempt = static_cast<int>(context().replies.size()) + 1;
    ValidationAttempt validation = validate_reply(context().query.message, text, ReplyEnd::kWhole, context().tools);
    validation.attempt = attempt;
    if (state_.failure) {
      validation.issues.push_back(state_.failure->message);
      validation.confidence = std::min(validation.confidence, 0.6);
      validation.verdict = verdict_for(validation.confidence);
    }
    context().replies.push_back({attempt, std::string(kExtractiveModel), text});
    context().validations.push_back(validation);
    save(text, validation);
  }

  void save(const std::string& text, const ValidationAttempt& validation) {
    observe(ObservationKind::kPhase, "phase 6", validation.verdict == Verdict::kApprove,
            std::string(to_string(validation.verdict)));
    state_.record.observations.back().confidence = validation.confidence;
    Turn& turn = state_.record.turn;
    turn.reply = Utterance{Role::kAssistant, "", text};
    save_record(validation.verdict == Verdict::kApprove ? propose_memories(turn.message.text)
                                                        : std::vector<MemoryProposal>());
  }

  void save_record(std::vector<MemoryProposal> proposals) {
    const Turn& turn = state_.record.turn;
    const Timestamp began = state_.step_began;
    state_.step_began = state_.started_at;
    observe(ObservationKind::kTurn, "turn", turn.status == TurnStatus::kComplete && !state_.failure,
            std::string(to_string(turn.status)));
    state_.step_began = began;
    state_.phase = TurnPhase::kSaving;
    ask(SaveAction{state_.record, std::move(proposals)});
  }

  // Cancelled, or out of time: the model call under way is told; anything else is waited for.
  void stop(Error why) {
    if (state_.stop || state_.phase == TurnPhase::kSaving || state_.phase == TurnPhase::kFinished) return;
    state_.stop = std::move(why);
    if (state_.phase == TurnPhase::kNew) return finish(ending_of_stop(), "", false, state_.stop);
    if (state_.phase == TurnPhase::kModel) act(CancelModelAction{});
  }

  Ending ending_of_stop() const {
    return state_.stop->code == ErrorCode::kCancelled ? Ending::kCancelled : Ending::kFailed;
  }

  // Nothing was said: a cancelled turn leaves nothing; one that ran out of time keeps the message.
  void stop_without_reply() {
    if (state_.stop->code == ErrorCode::kCancelled) return finish(Ending::kCancelled, "", false, state_.stop);
    state_.record.turn.status = TurnStatus::kFailed;
    save_record({});
  }

  std::string reply() const { return state_.record.turn.reply ? state_.record.turn.reply->text : std::string(); }

  void finish(Ending ending, std::string text, bool acknowledged, std::optional<Error> error) {
    state_.phase = TurnPhase::kFinished;
    act(FinishAction{ending, std::move(text), acknowledged, std::move(error)});
  }

  TurnState& state_;
  const Timestamp now_;
  std::vector<Action> actions_;
  const Ending ending_ = state_.record.turn.status == TurnStatus::kComplete    ? Ending::kAnswered
                         : state_.record.turn.status == TurnStatus::kCancelled ? Ending::kCancelled
                                                                               : Ending::kFailed;
};

}  // namespace

bool Action::needs_answer() const {
  return std::holds_alternative<RecallAction>(what) || std::holds_alternative<StartModelAction>(what) ||
         std::holds_alternative<RunToolAction>(what) || std::holds_alternative<SaveAction>(what);
}

std::vector<Action> step(TurnState& state, const Event& event) {
  Step one(state, event.at);
  std::visit([&](const auto& what) { one.on(what); }, event.what);
  return one.take();
}

}  // namespace pandora
