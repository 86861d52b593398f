#include "pipeline/turn_machine.h"

#include <algorithm>
#include <cassert>

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

constexpr std::string_view kNoMoreTools = "no more tools may run in this turn";
constexpr std::string_view kTooManyTools = "the language model asked for more tools than a turn may run";
constexpr std::string_view kEndedAtLimit = "(It ends here: no more tools may run in this turn.)";
constexpr std::string_view kNoRoom = "(not shown: the results of this turn are too long)";
// Confidence in quotes where a model should have answered: never enough for APPROVE.
constexpr double kQuotesInsteadOfAModel = 0.6;
constexpr std::size_t kMaxNoteBytes = 200;  // of what a server says of itself, in a record or a reply

std::string note(std::string_view text) { return ellipsize(one_line(sanitize_utf8(text)), kMaxNoteBytes); }

class Step {
 public:
  Step(TurnState& state, Timestamp at) : state_(state), now_(at) {}
  std::vector<Action> take() { return std::move(actions_); }

  void on(const Started& event) {
    if (state_.phase != TurnPhase::kNew) return;
    state_.started_at = state_.phase_began = state_.step_began = now_;
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
    context().tools = event.tools_run;
    state_.record.research = event.research;
    state_.record.fetches = event.fetches;
    if (state_.options.saves) rate_previous(event);

    if (state_.options.clarifies && points_nowhere(event.message.text, event.last_turns)) {
      context().reflection = {Reflection::kClarify, "it refers to something that was not said",
                              "What do you mean? Please name it."};
      observe_phase("phase 1");
      emit(state_.reply.add_whole(context().reflection.question));
      return finish(Ending::kClarified, false, std::nullopt);
    }
    context().reflection = {Reflection::kProceed, "it can be answered as it stands", ""};
    observe_phase("phase 1");
    state_.phase = TurnPhase::kGathering;
    ask(RecallAction{context().query.question});
  }

  void on(const Recalled& event) {
    if (!answers(event.id, TurnPhase::kGathering)) return;
    context().gathered = event.section;
    observe_phase("phase 2", event.section.missing.empty() ? "" : event.section.missing.front());
    if (state_.stop) return stopped();
    plan(context().query.question, state_.options.tools.empty() ? Route::kSynthesis : Route::kTools);
    observe_phase("phase 3");
    if (!state_.options.has_model) return answer_by_quoting(kNoModelConfigured);
    state_.messages = first_messages(context().query, context().gathered);
    start_model();
  }

  void on(const ModelDelta& event) {
    if (event.id != state_.waiting_for || state_.phase != TurnPhase::kModel) return;
    hear(event.text);
  }

  void on(const ModelDone& event) {
    if (!answers(event.id, TurnPhase::kModel)) return;
    const ChatResult& result = event.result;
    const std::string model = ellipsize(one_line(sanitize_utf8(result.model)), kMaxNoteBytes);
    observe(ObservationKind::kModel, model, true, note(result.finish_reason), result.tokens_in, result.tokens_out);
    state_.record.turn.model = model;
    if (state_.reply.of_call().empty()) hear(result.content);
    emit(state_.reply.end_call(), kOfModel);
    if (state_.reply.full()) return conclude(ReplyEnd::kCutOff);
    if (!result.tool_calls.empty() && state_.stop) return conclude(ReplyEnd::kCutOff);
    if (!result.tool_calls.empty() && is_the_clients(result.tool_calls)) return hand_back();
    if (!result.tool_calls.empty()) return begin_tools(result);
    if (!ended_by_itself(result.finish_reason)) {
      state_.failure = Error{ErrorCode::kUnavailable,
                             fmt::format("the language model stopped early ({})", note(result.finish_reason)), ""};
      return conclude(ReplyEnd::kCutOff);
    }
    conclude(ReplyEnd::kWhole);
  }

  void on(const ModelFailed& event) {
    if (!answers(event.id, TurnPhase::kModel)) return;
    observe(ObservationKind::kModel, "model", false, note(event.error.to_line()));
    if (!state_.failure) state_.failure = event.error;
    emit(state_.reply.end_call(), kOfModel);
    if (state_.reply.spoke()) return conclude(ReplyEnd::kCutOff);
    if (state_.stop) return stopped();
    if (may_refuse_tools(event.error)) return ask_without_tools();
    if (event.is_reported) return save_failed();
    answer_by_quoting(fmt::format("The language model did not answer ({})", note(state_.failure->message)));
  }

  void on(const ToolDone& event) {
    if (!answers(event.id, TurnPhase::kTools)) return;
    record_tool(event.outcome.status, event.outcome.result, event.outcome.claims, event.outcome.trust,
                event.outcome.approval);
    auto& research = state_.record.research;
    research.insert(research.end(), event.outcome.research.begin(), event.outcome.research.end());
    auto& fetches = state_.record.fetches;
    fetches.insert(fetches.end(), event.outcome.fetches.begin(), event.outcome.fetches.end());
    next_tool();
  }

  void on(const ToolFailed& event) {
    if (!answers(event.id, TurnPhase::kTools)) return;
    const ToolStatus status = event.error.code == ErrorCode::kDeadlineExceeded   ? ToolStatus::kTimedOut
                              : event.error.code == ErrorCode::kCancelled        ? ToolStatus::kCancelled
                              : event.error.code == ErrorCode::kPermissionDenied ? ToolStatus::kRefused
                                                                                 : ToolStatus::kFailed;
    record_tool(status, event.error.to_line(), {});
    next_tool();
  }

  void on(const Saved& event) {
    if (!answers(event.id, TurnPhase::kSaving)) return;
    const Ending ending = ending_of(state_.record.turn.status);
    // What came whole was not stopped, though it was told to.
    const bool was_stopped = state_.stop && ending != Ending::kAnswered;
    finish(ending, true, was_stopped ? state_.stop : state_.failure);
  }
  void on(const SaveFailed& event) {
    if (answers(event.id, TurnPhase::kSaving)) finish(ending_of(state_.record.turn.status), false, event.error);
  }

  void on(const Cancelled&) { stop({ErrorCode::kCancelled, "cancelled", ""}); }
  void on(const DeadlinePassed&) { stop({ErrorCode::kDeadlineExceeded, "the turn took longer than allowed", ""}); }
  void on(const GuidanceAdded& event) {
    if (state_.phase == TurnPhase::kSaving || state_.phase == TurnPhase::kFinished) return;
    if (!trim(event.text).empty()) state_.guidance.push_back(sanitize_utf8(event.text));
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
  static constexpr bool kOfModel = true;
  void emit(std::string text, bool of_model = false) {
    if (!text.empty()) act(EmitAction{std::move(text), of_model});
  }
  // Only what is waited for, and only from where it was asked: a stale "saved" must not acknowledge anything.
  bool answers(ActionId id, TurnPhase phase) {
    if (state_.phase != phase || id != state_.waiting_for || id == 0) return false;
    state_.waiting_for = 0;
    return true;
  }

  void observe(ObservationKind kind, std::string name, bool ok, std::string detail, std::int64_t tokens_in = 0,
               std::int64_t tokens_out = 0) {
    const Timestamp began = kind == ObservationKind::kTurn    ? state_.started_at
                            : kind == ObservationKind::kPhase ? state_.phase_began
                                                              : state_.step_began;
    state_.record.observations.push_back({state_.record.turn.uid, kind, std::move(name), now_,
                                          std::max<std::int64_t>(0, (now_ - began).count()), tokens_in, tokens_out, ok,
                                          std::move(detail), std::nullopt});
    state_.step_began = now_;
    if (kind == ObservationKind::kPhase) state_.phase_began = now_;
  }
  void observe_phase(const char* name, std::string problem = "") {
    const bool ok = problem.empty();
    observe(ObservationKind::kPhase, name, ok, std::move(problem));
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

  // §3 grows: by the plan of each attempt, and by what the user adds.
  void plan(const std::string& goal, Route route) {
    context().plans.push_back({static_cast<int>(context().plans.size()) + 1, {goal}, route});
  }

  bool tools_may_run() {
    return context().plans.back().route == Route::kTools && state_.passes < kMaxPasses &&
           state_.tool_calls < kMaxToolCalls && state_.model_calls < kMaxModelCalls;
  }

  void start_model() {
    // Whoever comes here has looked for a stop, and asked tools_may_run or what_to_repeat.
    assert(!state_.stop && state_.model_calls < kMaxModelCalls);
    show_guidance();
    ++state_.model_calls;
    state_.failure.reset();
    state_.phase = TurnPhase::kModel;
    state_.reply.begin_call();
    ChatRequest request;
    request.messages = state_.messages;
    if (tools_may_run()) request.tools = state_.options.tools;
    state_.asked_with_tools = !request.tools.empty();
    ask(StartModelAction{std::move(request)});
  }

  bool guidance_waits() const { return state_.guidance_shown < state_.guidance.size(); }
  void show_guidance() {
    for (; guidance_waits(); ++state_.guidance_shown) {
      const std::string& text = state_.guidance[state_.guidance_shown];
      state_.messages.push_back({ChatRole::kUser, text, {}, ""});
      plan(text, context().plans.back().route);
    }
  }

  // What the model says goes out at once; more than a reply may hold is not listened to.
  void hear(std::string_view text) {
    const bool was_full = state_.reply.full();
    emit(state_.reply.add(text), kOfModel);
    if (was_full || !state_.reply.full()) return;
    state_.failure = Error{ErrorCode::kTooLarge, fmt::format("the reply is longer than {} bytes", kMaxReplyBytes), ""};
    if (state_.waiting_for != 0 && !state_.stop) act(CancelModelAction{});
  }

  // An empty reason is what servers say that name none.
  static bool ended_by_itself(std::string_view finish_reason) {
    return finish_reason != "length" && finish_reason != "content_filter";
  }

  bool is_the_clients(const ToolCall& call) const {
    const MachineOptions& options = state_.options;
    return options.passes_on &&
           (options.tools.empty() || std::ranges::find(options.client_tools, call.name) != options.client_tools.end());
  }
  bool is_the_clients(const std::vector<ToolCall>& calls) const {
    return std::ranges::all_of(calls, [this](const ToolCall& call) { return is_the_clients(call); });
  }
  void hand_back() { finish(Ending::kHandedBack, false, std::nullopt); }

  // Servers that know no tools refuse the whole request, and name them: any other refusal is the caller's to hear. Once
  // a tool has run there is no way back.
  bool may_refuse_tools(const Error& error) const {
    return state_.asked_with_tools && error.code == ErrorCode::kInvalidArgument && names_tools(error.message) &&
           state_.tool_calls == 0 && state_.model_calls < kMaxModelCalls;
  }
  static bool names_tools(std::string_view message) {
    return message.find("tool") != std::string_view::npos || message.find("Tool") != std::string_view::npos;
  }
  void ask_without_tools() {
    state_.tools_refused = true;
    state_.options.tools.clear();
    plan(context().query.question, Route::kSynthesis);
    start_model();
  }

  void begin_tools(const ChatResult& result) {
    std::size_t ours = 0;
    for (const auto& call : result.tool_calls) {
      if (is_the_clients(call)) {
        state_.hands_back = true;
        continue;
      }
      if (++ours > kMaxCallsOfOneReply) continue;
      state_.calls.push_back({sanitize_utf8(call.id), sanitize_utf8(call.name), sanitize_utf8(call.arguments)});
    }
    // What was said stands with the client's own calls, when there are such.
    const std::string said = state_.hands_back ? std::string() : sanitize_utf8(state_.reply.of_call());
    state_.messages.push_back({ChatRole::kAssistant, said, {state_.calls.begin(), state_.calls.end()}, ""});
    if (const std::size_t dropped = ours - state_.calls.size())
      observe(ObservationKind::kTool, "tools", false, fmt::format("{} calls of one reply were dropped", dropped));
    if (!tools_may_run()) {
      while (!state_.calls.empty()) record_tool(ToolStatus::kRefused, std::string(kNoMoreTools), {});
      if (state_.hands_back) return hand_back();
      if (state_.options.passes_on) return end_at_limit();
      return conclude(ReplyEnd::kCutOff, AsksForMore::kYes);
    }
    ++state_.passes;
    state_.phase = TurnPhase::kTools;
    next_tool();
  }

  void next_tool() {
    if (state_.stop) return stopped();
    while (!state_.calls.empty()) {
      const std::string refusal = why_not(state_.calls.front());
      if (refusal.empty()) {
        ++state_.tool_calls;
        return ask(RunToolAction{state_.calls.front()});
      }
      record_tool(guidance_waits() ? ToolStatus::kCancelled : ToolStatus::kRefused, refusal, {});
    }
    observe_phase("phase 4");  // one row a pass: what the model asked for, and what came of it
    if (state_.hands_back) return hand_back();
    start_model();
  }

  // A client's request whose model wants more than a turn may do: what was said stands, and it is told why no more
  // comes.
  void end_at_limit() {
    state_.failure = Error{ErrorCode::kUnavailable, std::string(kTooManyTools), ""};
    emit(state_.reply.add_whole(kEndedAtLimit));
    save(TurnStatus::kComplete, attempt(state_.reply.text(), ReplyEnd::kCutOff));
  }

  // Empty: the call may run.
  std::string why_not(const ToolCall& call) {
    if (guidance_waits()) return "not run: the user has added something first";
    if (state_.tool_calls >= kMaxToolCalls) return std::string(kNoMoreTools);
    if (std::ranges::none_of(state_.options.tools, [&](const auto& tool) { return tool.name == call.name; }))
      return "there is no tool of this name";
    if (call.arguments.size() > kMaxToolArgumentBytes)
      return fmt::format("arguments of more than {} bytes are not taken", kMaxToolArgumentBytes);
    return "";
  }

  void record_tool(ToolStatus status, const std::string& result, std::vector<std::string> claims,
                   Trust trust = Trust::kTool, std::string_view approval = "not asked") {
    const ToolCall call = std::move(state_.calls.front());
    state_.calls.pop_front();
    const std::size_t room = kMaxToolTextBytes - state_.tool_text;
    std::string text = ellipsize(sanitize_utf8(result), kMaxToolResultBytes);
    if (text.size() > room) text = ellipsize(text, room);
    if (text.empty() && !result.empty()) text = kNoRoom;
    state_.tool_text = std::min(kMaxToolTextBytes, state_.tool_text + text.size());
    for (auto& claim : claims) claim = sanitize_utf8(claim);
    const std::string name = ellipsize(one_line(call.name), kMaxToolNameBytes);
    context().tools.push_back({static_cast<int>(context().plans.size()), state_.passes, name,
                               ellipsize(call.arguments, kMaxToolArgumentBytes), status, text, std::move(claims)});
    observe(ObservationKind::kTool, name, status == ToolStatus::kOk,
            describe_call(status, approval, call.arguments, text.size()));
    state_.messages.push_back({ChatRole::kTool, tool_message(status, trust, text), {}, call.id});
  }

  enum class AsksForMore { kNo, kYes };  // tools that may not run any more

  // Phase 6, and what follows from it. What has been said cannot be taken back, so it stands whatever comes later;
  // asked again is only for a reply without a word, and for one that still asks for tools.
  void conclude(ReplyEnd end, AsksForMore more = AsksForMore::kNo) {
    const bool wordless = !state_.reply.spoke();
    if (wordless && state_.stop) return stopped();
    ValidationAttempt& validation = attempt(wordless ? std::string() : state_.reply.text(), end);
    if (wordless && state_.options.passes_on) {
      if (!state_.failure)
        state_.failure = Error{ErrorCode::kUnavailable, "the language model gave an empty reply", ""};
      return save_failed();
    }
    if (wordless || more == AsksForMore::kYes) {
      if (const auto again = what_to_repeat()) {
        validation.verdict = *again;
        return repeat(*again);
      }
      return give_up(more == AsksForMore::kYes ? kTooManyTools.data() : "the language model gave an empty reply");
    }
    save(end == ReplyEnd::kWhole ? TurnStatus::kComplete : cut_status(), validation);
  }

  // REVISE: the same again. RETRY: when tools came to nothing, a plan without them.
  std::optional<Verdict> what_to_repeat() {
    if (state_.model_calls >= kMaxModelCalls) return std::nullopt;
    if (state_.revises < kMaxRevises) return Verdict::kRevise;
    if (state_.retries < kMaxRetries && context().plans.back().route == Route::kTools) return Verdict::kRetry;
    return std::nullopt;
  }
  void repeat(Verdict verdict) {
    if (verdict == Verdict::kRevise) {
      ++state_.revises;
    } else {
      ++state_.retries;
      plan(context().query.question, Route::kSynthesis);
      state_.messages = first_messages(context().query, context().gathered);
      state_.guidance_shown = 0;
    }
    start_model();
  }

  // The model came to no end of its own. What it said stands, as cut off; when it said nothing, what was found is
  // quoted.
  void give_up(const char* why) {
    state_.failure = Error{ErrorCode::kUnavailable, why, ""};
    if (!state_.reply.spoke()) {
      std::string reason = why;
      reason[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(reason[0])));
      return answer_by_quoting(reason);
    }
    save(TurnStatus::kFailed, context().validations.back());
  }

  ValidationAttempt& attempt(const std::string& text, ReplyEnd end) {
    const int number = static_cast<int>(context().replies.size()) + 1;
    context().replies.push_back({number, state_.record.turn.model, text});
    context().validations.push_back(validate_reply(context().query.message, text, end, context().tools));
    context().validations.back().attempt = number;
    return context().validations.back();
  }

  void answer_by_quoting(std::string_view reason) {
    // A question wants more than quotes when there is a model; what was told needs no more than to be noted.
    const bool lacking = state_.failure && wants_answer(context().query.message);
    state_.record.turn.model = kExtractiveModel;
    const auto compose = [&](Staged staged) {
      return extractive_reply(context().query.message, context().gathered, reason, staged);
    };
    std::string text = compose(Staged::kKept);
    ValidationAttempt validation = validate_reply(context().query.message, text, ReplyEnd::kWhole, context().tools);
    if (state_.failure) validation.issues.push_back(note(state_.failure->message));
    if (lacking) validation.confidence = std::min(validation.confidence, kQuotesInsteadOfAModel);
    validation.verdict = verdict_for(validation.confidence);
    // "I will remember that" only when it is so.
    if (validation.verdict != Verdict::kApprove) text = compose(Staged::kDropped);
    emit(state_.reply.add_whole(text));
    const int number = static_cast<int>(context().replies.size()) + 1;
    validation.attempt = number;
    context().replies.push_back({number, state_.record.turn.model, state_.reply.text()});
    context().validations.push_back(validation);
    save(TurnStatus::kComplete, validation);
  }

  // With what was said before the call that failed, if anything.
  void save_failed() {
    if (state_.reply.text().empty()) return save_record(TurnStatus::kFailed, Verdict::kFail);
    save(TurnStatus::kFailed, attempt(state_.reply.text(), ReplyEnd::kCutOff));
  }

  // Something was said, or time ran out: it is kept.
  void save(TurnStatus status, const ValidationAttempt& validation) {
    observe_phase("phase 5");
    observe(ObservationKind::kPhase, "phase 6", validation.verdict == Verdict::kApprove,
            std::string(to_string(validation.verdict)));
    state_.record.observations.back().confidence = validation.confidence;
    state_.record.turn.reply = Utterance{Role::kAssistant, "", state_.reply.text()};
    save_record(status, validation.verdict);
  }

  void save_record(TurnStatus status, Verdict verdict) {
    Turn& turn = state_.record.turn;
    turn.status = status;
    for (const auto& text : state_.guidance) turn.message.text += "\n\n" + text;  // he said it, heard in time or not
    std::vector<MemoryProposal> proposals;
    if (verdict == Verdict::kApprove) proposals = propose_memories(turn.message.text);
    observe(ObservationKind::kTurn, "turn", status == TurnStatus::kComplete && !state_.failure,
            std::string(to_string(status)));
    if (!state_.options.saves) return finish(ending_of(status), false, state_.stop ? state_.stop : state_.failure);
    state_.phase = TurnPhase::kSaving;
    ask(SaveAction{state_.record, std::move(proposals)});
  }

  // Cancelled, or out of time: the model call under way is told; anything else is waited for.
  void stop(Error why) {
    if (state_.stop || state_.phase == TurnPhase::kSaving || state_.phase == TurnPhase::kFinished) return;
    state_.stop = std::move(why);
    if (state_.phase == TurnPhase::kNew) return finish(ending_of(cut_status()), false, state_.stop);
    if (state_.phase == TurnPhase::kModel) act(CancelModelAction{});
  }

  TurnStatus cut_status() const {
    return state_.stop && state_.stop->code == ErrorCode::kCancelled ? TurnStatus::kCancelled : TurnStatus::kFailed;
  }
  static Ending ending_of(TurnStatus status) {
    return status == TurnStatus::kComplete    ? Ending::kAnswered
           : status == TurnStatus::kCancelled ? Ending::kCancelled
                                              : Ending::kFailed;
  }

  // Nothing more is begun. What was said by then is kept. When nothing was, a cancelled turn leaves nothing; one that
  // ran out of time keeps the message.
  void stopped() {
    if (!state_.reply.text().empty()) return save(cut_status(), attempt(state_.reply.text(), ReplyEnd::kCutOff));
    if (cut_status() == TurnStatus::kCancelled) return finish(Ending::kCancelled, false, state_.stop);
    save_record(TurnStatus::kFailed, Verdict::kFail);
  }

  void finish(Ending ending, bool acknowledged, std::optional<Error> error) {
    state_.phase = TurnPhase::kFinished;
    act(FinishAction{ending, state_.reply.text(), acknowledged, std::move(error)});
  }

  TurnState& state_;
  const Timestamp now_;
  std::vector<Action> actions_;
};

}  // namespace

std::string_view to_string(Ending ending) {
  switch (ending) {
    case Ending::kAnswered:
      return "answered";
    case Ending::kClarified:
      return "clarified";
    case Ending::kCancelled:
      return "cancelled";
    case Ending::kFailed:
      return "failed";
    case Ending::kHandedBack:
      return "tool_calls";
  }
  return "";
}

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
