// A turn that a test carries through the machine, event by event.
#pragma once
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "base/text.h"
#include "pipeline/extractive_reply.h"
#include "pipeline/turn_machine.h"

namespace pandora::testing {

inline constexpr const char* kQuestion = "Which nuts should I avoid?";

// Carries a turn through the machine, and keeps what it does.
class Driven : public ::testing::Test {
 protected:
  Driven() { state.options.has_model = true; }

  void offer(std::vector<std::string> names) {
    for (auto& name : names) state.options.tools.push_back({std::move(name), "", "{}"});
  }
  std::vector<Action> feed(decltype(Event::what) what) {
    now = now + std::chrono::milliseconds(1);
    auto actions = step(state, {now, std::move(what)});
    for (const auto& action : actions) {
      if (const auto* emit = std::get_if<EmitAction>(&action.what)) emitted += emit->text;
      if (const auto* save = std::get_if<SaveAction>(&action.what)) saved = *save;
      if (const auto* model = std::get_if<StartModelAction>(&action.what)) request = model->request;
      if (const auto* tool = std::get_if<RunToolAction>(&action.what)) ran.push_back(tool->call.name);
      if (const auto* finish = std::get_if<FinishAction>(&action.what)) finished = *finish;
      if (std::holds_alternative<CancelModelAction>(action.what)) model_cancelled = true;
      if (std::holds_alternative<RateAction>(action.what)) rated = std::get<RateAction>(action.what);
    }
    return actions;
  }
  ActionId id() const { return state.waiting_for; }

  void start(const std::string& message = kQuestion, std::vector<Turn> last = {}) {
    Uuid uid;
    uid.bytes[0] = 1;
    feed(Started{uid,
                 UserId::parse("ana").value(),
                 SessionId::parse("s1").value(),
                 {Role::kUser, "", message},
                 std::move(last)});
  }
  void recall() { feed(Recalled{id(), {RecallMode::kHybrid, {}, {}, 0}}); }
  void until_model(const std::string& message = kQuestion) { start(message), recall(); }
  void say(const std::string& text) { feed(ModelDelta{id(), text}); }
  void done(const std::string& content = "", std::vector<ToolCall> calls = {}, const std::string& reason = "stop") {
    feed(ModelDone{id(), {"a-model", content, std::move(calls), reason, 1, 2}});
  }
  void call(std::vector<std::string> names, const std::string& content = "") {
    std::vector<ToolCall> calls;
    for (auto& name : names) calls.push_back({"call-" + std::to_string(calls.size()), std::move(name), "{}"});
    done(content, std::move(calls));
  }
  void tool(ToolStatus status = ToolStatus::kOk, const std::string& result = "a result") {
    ToolOutcome outcome;
    outcome.status = status;
    outcome.result = result;
    feed(ToolDone{id(), std::move(outcome)});
  }
  void fail_model(ErrorCode code = ErrorCode::kUnavailable) { feed(ModelFailed{id(), {code, "it is away", ""}}); }
  void save() { feed(Saved{id()}); }
  Turn previous() const {
    Turn turn;
    turn.number = {7};
    turn.topic = "laptops";
    return turn;
  }
  const ContextDocument& context() const { return state.record.context; }
  std::string reply() const { return saved && saved->record.turn.reply ? saved->record.turn.reply->text : ""; }

  TurnState state;
  Timestamp now{1'767'600'000'000'000};
  std::string emitted;
  ChatRequest request;
  std::vector<std::string> ran;
  std::optional<SaveAction> saved;
  std::optional<FinishAction> finished;
  std::optional<RateAction> rated;
  bool model_cancelled = false;
};

}  // namespace pandora::testing
