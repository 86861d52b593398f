// Carries out what the turn machine decides: recall, model, tools, saving.
//
// `run` is synchronous and bounded by its deadline: for the command line. `start` returns at once: a turn whose model
// speaks holds no thread. Thread-safe: any number of turns at once. No byte of the reply waits for the save; the
// outcome says whether the turn is acknowledged.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "pipeline/turn_attachments.h"
#include "pipeline/turn_board.h"
#include "pipeline/turn_machine.h"
#include "pipeline/turn_memories.h"
#include "ports/stores.h"
#include "recall/held_texts.h"
#include "turns/term_statistics.h"
#include "turns/turn_saver.h"

namespace pandora {

enum class MemoryUse {
  kOn,
  kRead,   // recalls, and keeps nothing
  kWrite,  // recalls nothing, and keeps the turn
};

// What the model called of ours and got, in a turn of a client's, which knows nothing of it: calls with their results.
struct OwnRounds {
  std::size_t after = 0;  // so many of the client's own messages since the user's
  std::vector<ChatMessage> messages;
};

// A turn that has called tools of its client's, as far as it has come.
struct OpenTurn {
  Uuid uid;
  GatherSection gathered;
  std::optional<RecallReceipt> receipt;
  std::vector<OwnRounds> rounds;
  std::vector<ToolBlock> tools;  // of ours
  std::vector<Research> research;
  std::vector<FetchAttempt> fetches;
  std::vector<Attachment> pages;
};

// A client's own request, which the model gets as it came, with what was recalled put in.
struct ClientRequest {
  std::function<PassedOnRequest(const GatherSection& gathered, const std::vector<OwnRounds>& rounds,
                                const std::vector<ToolDefinition>& tools)>
      compose;
  ModelRole role = ModelRole::kVoice;
  std::string model, server;  // of ChatRequest
  std::string request_id;
  HeldTexts held;
  std::function<AttachedImages()> images = {};  // of the message; asked once, when the turn is saved. Empty: none
  bool offers_tools = false;                    // ours, beside its own
  std::vector<std::string> tool_names;          // its own
  std::vector<ToolBlock> tools_run;             // by the client, since the message
  std::size_t messages_since = 0;               // the user's: its own
  std::optional<OpenTurn> continues;            // the turn that asked for them, when it is known
  bool clarifies = false;
  bool may_quote = false;  // when the model cannot be reached
};

struct TurnRequest {
  UserId user;
  SessionId session;
  Utterance message;  // cleaned of broken UTF-8 and NUL by the runtime
  Scope scope = Scope::kUser;
  MemoryUse memory = MemoryUse::kOn;
  std::optional<ClientRequest> client;
  std::string key{};  // the name of the key that it came with; empty: none
};

class TurnSink {
 public:
  virtual ~TurnSink() = default;
  virtual void on_text(
      std::string_view text) = 0;  // of the reply, in order; with a client's request only our own words
  virtual bool cancelled() = 0;    // asked between steps and while a model speaks
  // Before the model is asked: which turn it is, and the recall's receipt (none: there was no recall).
  virtual void on_gathered(const Uuid& turn, const std::optional<Uuid>& receipt, const GatherSection& gathered) {
    (void)turn, (void)receipt, (void)gathered;
  }
  // A model call begins; there are several in a turn when tools run here.
  virtual void on_model_call() {}
  // Of a client's request, on the model's threads: see ChatSink.
  virtual void on_event(std::string_view json) { (void)json; }
  virtual void on_refusal(const ChatRefusal& refusal) { (void)refusal; }
  // Once: all of the reply has been given, or why there is no more of it; what follows is saving.
  virtual void on_reply_end(const std::optional<Error>& broken) { (void)broken; }
};

struct TurnOutcome {
  Ending ending = Ending::kAnswered;
  Uuid uid;
  std::string reply;
  bool acknowledged = false;
  std::int64_t tokens_in = 0, tokens_out = 0;  // of all model calls, as the servers counted them
  std::optional<Error> error;  // of an answered turn too: the model did not answer, a memory was not kept
  GatherSection gathered;
  std::optional<Uuid> receipt;   // of the recall; none: there was none, or no place for it (gathered.missing)
  std::vector<Memory> memories;  // kept of what the message told
  std::optional<OpenTurn> open;  // of one that was handed back
};

// Of a turn that was started. Its calls come one at a time; on_finished is the last, on a thread that may block.
class TurnListener : public TurnSink {
 public:
  virtual void on_finished(TurnOutcome outcome) = 0;
  bool cancelled() override { return false; }  // whoever started it calls `cancel`
};
class RunningTurn {
 public:
  virtual ~RunningTurn() = default;  // letting it go stops nothing
  virtual void cancel() = 0;         // from any thread; returns at once
  virtual void pause() = 0;          // the model is read no further; also from within a call of the listener
  virtual void resume() = 0;
};
// Runs work on a thread that may block, soon. It must not refuse: whoever starts turns bounds their number.
using RunBlocking = std::function<void(std::function<void()>)>;
// Where a turn that was started does what may block. Tools may wait for somebody's approval, and a save for a disk that
// hangs: each has threads of its own, so that no turn's reply waits for another's tool or save.
struct TurnThreads {
  RunBlocking blocking, running_tools, saving;
};

// A model server that took a request only without tools is asked without for so long.
inline constexpr Duration kWithoutTools = std::chrono::minutes(10);

// What a turn that has ended was: for figures. Never what was said.
struct TurnReport {
  Ending ending = Ending::kAnswered;
  Duration took{0};
  std::span<const Observation> observations;  // its phases, model and tool calls, as far as it came
  const RecallReceipt* receipt = nullptr;     // of its recall; null: there was none
};

struct RuntimeOptions {
  std::int64_t message_bytes = 4 << 20;  // a record holds the text four times, and at most 64 MiB
  std::int64_t token_budget = 1600;
  std::size_t recall_limit = 40, recall_candidates = 200;
  Duration recall_deadline = std::chrono::seconds(2);
  Duration findable_wait = std::chrono::seconds(2);  // for the session's turn before
  std::function<void(const TurnReport&)> on_turn;    // called once a turn, at its end; none: nobody wants to know
  TurnBoard* board = nullptr;                        // outlives the runtime and the saver; null: nobody follows
};

class TurnRuntime {
 public:
  // model and tools may be null: without a model the reply quotes what was found.
  TurnRuntime(RuntimeOptions options, Stores stores, Recall& recall, TurnSaver& saver, UuidV7Generator& ids,
              const Clock& clock, AdmitMemories admit, ChatModel* model, ToolRunner* tools)
      : options_(std::move(options)),
        stores_(stores),
        recall_(recall),
        saver_(saver),
        ids_(ids),
        clock_(clock),
        admit_(std::move(admit)),
        model_(model),
        tools_(tools) {}

  bool has_model() const { return model_ != nullptr; }
  // For a turn of this user that is derived now.
  TermStatistics statistics(const Principal& who, const Deadline& deadline) {
    return term_statistics(stores_.turns, counts_, who, deadline);
  }
  // Errors of both: kInvalidArgument (an empty message), kTooLarge. Everything later is in the outcome.
  Result<TurnOutcome> run(const TurnRequest& request, TurnSink& sink, const Deadline& deadline);
  // The runtime outlives the turn, which ends with on_finished.
  Result<std::shared_ptr<RunningTurn>> start(TurnRequest request, std::shared_ptr<TurnListener> listener,
                                             const Deadline& deadline, TurnThreads threads);

 private:
  class Run;
  Status check(const TurnRequest& request) const;
  RuntimeOptions options_;
  Stores stores_;
  Recall& recall_;
  TurnSaver& saver_;
  UuidV7Generator& ids_;
  const Clock& clock_;
  AdmitMemories admit_;
  ChatModel* model_;
  ToolRunner* tools_;
  TurnCounts counts_;
  std::atomic<std::int64_t> no_tools_until_ = 0;  // steady microseconds; the model's servers take none
};

}  // namespace pandora
