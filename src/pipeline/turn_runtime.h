// Carries out what the turn machine decides: recall, model, tools, saving.
//
// `run` is synchronous and bounded by its deadline: for the command line, and for a pool of a server. Thread-safe: any
// number of turns at once. No byte of the reply waits for the save; the outcome says whether the turn is acknowledged.
#pragma once
#include <functional>
#include <string>

#include "pipeline/turn_machine.h"
#include "ports/stores.h"
#include "turns/turn_saver.h"

namespace pandora {

struct TurnRequest {
  UserId user;
  SessionId session;
  Utterance message;  // cleaned of broken UTF-8 and NUL by the runtime
  Scope scope = Scope::kUser;
};

class TurnSink {
 public:
  virtual ~TurnSink() = default;
  virtual void on_text(std::string_view text) = 0;  // of the reply, in order
  virtual bool cancelled() = 0;                     // asked between steps and while a model speaks
};

struct TurnOutcome {
  Ending ending = Ending::kAnswered;
  Uuid uid;
  std::string reply;
  bool acknowledged = false;
  std::optional<Error> error;  // of an answered turn too: the model did not answer, a memory was not kept
  GatherSection gathered;
  std::optional<Uuid> receipt;   // of the recall; none: there was none, or no place for it (gathered.missing)
  std::vector<Memory> memories;  // kept of what the message told
};

struct RuntimeOptions {
  std::int64_t message_bytes = 4 << 20;  // a record holds the text four times, and at most 64 MiB
  std::int64_t token_budget = 1600;
  std::size_t recall_limit = 40, recall_candidates = 200;
  Duration recall_deadline = std::chrono::seconds(2);
  Duration findable_wait = std::chrono::seconds(2);  // for the session's turn before
};

// Which proposals become memories (turns/memory_admission.h).
struct AdmissionRequest {
  const Turn& turn;
  const std::vector<MemoryProposal>& proposals;
  std::vector<std::string_view> recalled, system_prompts;
};
struct Admitted {
  std::vector<Memory> memories;
  std::vector<std::pair<Uuid, Uuid>> superseded;  // old memory → the one that replaces it
};
using AdmitMemories = std::function<Result<Admitted>(const AdmissionRequest&, const Deadline&)>;

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

  // Errors: kInvalidArgument (an empty message), kTooLarge. Everything later is in the outcome.
  Result<TurnOutcome> run(const TurnRequest& request, TurnSink& sink, const Deadline& deadline);

 private:
  class Run;
  RuntimeOptions options_;
  Stores stores_;
  Recall& recall_;
  TurnSaver& saver_;
  UuidV7Generator& ids_;
  const Clock& clock_;
  AdmitMemories admit_;
  ChatModel* model_;
  ToolRunner* tools_;
};

}  // namespace pandora
