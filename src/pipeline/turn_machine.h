// A turn, phases 0 to 7, as a state machine without I/O: step(state, event) → actions.
//
// Whoever runs it carries the actions out and answers each that asks for it (`needs_answer`) with exactly one event of
// the same id; such an action is the last of its step, and there is one at a time. An event that answers nothing (late,
// doubled, of another kind, unknown) changes nothing. Time comes with the events; the machine reads no clock, so a run
// can be repeated. Fast mode: phases 0, 1, 3 and 6 are rules, a turn costs one model call unless tools run. Every run
// ends with one Finish; a turn is saved at most once; a clarification saves nothing; the reply is, to the byte, what
// was emitted. States and events: docs/pipeline.md.
#pragma once
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "domain/turn_record.h"
#include "pipeline/spoken_reply.h"
#include "ports/chat_model.h"
#include "ports/tool_runner.h"
#include "recall/recall.h"

namespace pandora {

inline constexpr int kMaxRevises = 2;
inline constexpr int kMaxRetries = 1;
inline constexpr int kMaxRepeats = 3;  // of both together
static_assert(kMaxRevises + kMaxRetries <= kMaxRepeats);
inline constexpr int kMaxPasses = 5;  // of the planner and coordinator
inline constexpr int kMaxModelCalls = 25;
inline constexpr int kMaxToolCalls = 20;
inline constexpr std::size_t kMaxCallsOfOneReply = 32;           // more in one answer of a model are dropped
inline constexpr std::size_t kMaxToolNameBytes = 128;            // a longer name is no tool of ours; cut in the record
inline constexpr std::size_t kMaxToolArgumentBytes = 64 * 1024;  // longer ones are refused, and cut in the record
inline constexpr std::size_t kMaxToolTextBytes = 4 * 1024 * 1024;  // of all results of a turn; what exceeds it is cut

using ActionId = std::uint64_t;

// ── actions ──
struct RecallAction {
  std::string question;
};
struct StartModelAction {
  ChatRequest request;
};
struct CancelModelAction {};
struct RunToolAction {
  ToolCall call;
};
// To the client, in order.
struct EmitAction {
  std::string text;
  bool of_model = false;  // otherwise our own: a quote, a question back
};
// What the message says of the turn before.
struct RateAction {
  TurnNumber turn;
  double quality;
  bool rejected;
};
struct SaveAction {
  TurnRecord record;                      // derived fields and memories are filled in by the runtime
  std::vector<MemoryProposal> proposals;  // staged, approved by validation
};
// kHandedBack: the model calls tools of the client's; the turn goes on when their results come.
enum class Ending { kAnswered, kClarified, kCancelled, kFailed, kHandedBack };
std::string_view to_string(Ending ending);
struct FinishAction {
  Ending ending = Ending::kAnswered;
  std::string reply;
  bool acknowledged = false;   // the save succeeded
  std::optional<Error> error;  // why it failed, or why the save did
};
struct Action {
  ActionId id = 0;
  std::variant<RecallAction, StartModelAction, CancelModelAction, RunToolAction, EmitAction, RateAction, SaveAction,
               FinishAction>
      what;
  bool needs_answer() const;
};

// ── events ──
struct Started {
  Uuid uid;
  UserId user;
  SessionId session;
  Utterance message;
  std::vector<Turn> last_turns;      // of the session, newest first
  std::vector<ToolBlock> tools_run;  // since the message: by the client, and here before its tools were called
  std::vector<Research> research;    // what those here found
  std::vector<FetchAttempt> fetches;
};
struct Recalled {
  ActionId id;
  GatherSection section;
};
struct ModelDelta {
  ActionId id;
  std::string text;
};
struct ModelDone {
  ActionId id;
  ChatResult result;
};
struct ModelFailed {
  ActionId id;
  Error error;
  bool is_reported = false;  // whoever asked is told so, instead of being given quotes
};
struct ToolDone {
  ActionId id;
  ToolOutcome outcome;
};
struct ToolFailed {
  ActionId id;
  Error error;
};
struct Saved {
  ActionId id;
};
struct SaveFailed {
  ActionId id;
  Error error;
};
struct Cancelled {};
struct DeadlinePassed {};
// What the user adds while the turn runs. Not taken in kSaving and kFinished: then it is the next message. Whoever
// feeds it bounds its size together with the message's.
struct GuidanceAdded {
  std::string text;
};
struct Event {
  Timestamp at;
  std::variant<Started, Recalled, ModelDelta, ModelDone, ModelFailed, ToolDone, ToolFailed, Saved, SaveFailed,
               Cancelled, DeadlinePassed, GuidanceAdded>
      what;
};

struct MachineOptions {
  bool has_model = false;
  std::vector<ToolDefinition> tools;
  // The request is a client's own: the model's answer reaches it chunk by chunk, so nothing is asked again, and an
  // answer without a word stands. Tools that the model calls are the client's; when there are some of ours beside them,
  // those that `client_tools` names are, and ours run here first.
  bool passes_on = false;
  std::vector<std::string> client_tools;
  bool clarifies = true;  // asks back when the message points nowhere
  bool saves = true;      // otherwise the turn leaves no trace
};

enum class TurnPhase { kNew, kGathering, kModel, kTools, kSaving, kFinished };

struct TurnState {
  MachineOptions options;
  TurnPhase phase = TurnPhase::kNew;
  TurnRecord record;
  SpokenReply reply;                      // everything emitted
  std::vector<ChatMessage> messages;      // of the model call under way or to come
  std::deque<ToolCall> calls;             // still to be run in this pass
  bool hands_back = false;                // what else the model called is the client's
  bool asked_with_tools = false;          // the model call under way offers some
  bool tools_refused = false;             // the model's server took the request only without tools
  std::vector<std::string> guidance;      // in order
  std::size_t guidance_shown = 0;         // of it, to the model
  std::size_t tool_text = 0;              // bytes of all results
  std::optional<Error> stop;              // cancelled or out of time: nothing new is begun
  std::optional<Error> failure;           // of the model
  ActionId last_id = 0, waiting_for = 0;  // the one action that must still be answered
  int model_calls = 0, tool_calls = 0, passes = 0, revises = 0, retries = 0;
  Timestamp started_at, phase_began, step_began;  // a phase may take several steps: calls of models and tools
};

std::vector<Action> step(TurnState& state, const Event& event);

}  // namespace pandora
