// Phase 2: finds what a question needs of everything that was said, and cuts it to the token budget.
//
// Embeds the question once, asks both legs (dense vectors and BM25) of turns, research and memories, turns each leg's
// best K into z-scores, sums them, weighs in the session, recency, quality and trust, and keeps what fits. Always
// included: the user's preferences, the previous turn of the session, turns named by number ("turn 12"). Rejected
// turns, expired or superseded memories, and what has decayed below kMinConfidence stay out. Formulas and figures:
// docs/recall.md.
//
// Recall gathers the evidence; rank_receipt.h decides. So the receipt that comes with the section holds all that was
// decided by, and can be ranked again.
//
// It degrades and says so (GatherSection::mode, missing): hybrid → lexical (no vector in time; or no points, and the
// words of the rows instead) → recent (no store in time) → none. So it returns a section always; what went wrong is in
// `missing`. Thread-safe.
#pragma once
#include <cstdint>
#include <string>

#include "base/thread_pool.h"
#include "domain/recall_receipt.h"
#include "ports/stores.h"
#include "ports/text_search.h"
#include "recall/held_texts.h"

namespace pandora {

struct RecallRequest {
  Principal who;
  SessionId session;
  std::string question;              // self-contained
  Scope scope = Scope::kUser;        // kSession: this conversation only
  std::int64_t token_budget = 1600;  // of the injected texts, by the embedder's tokenizer
  std::size_t limit = 40;            // turns, besides those that are always included
  std::size_t candidates = 200;      // K of each leg
  const HeldTexts* held = nullptr;   // what asks says itself is not injected again; outlives the call
};

struct RecallResult {
  GatherSection section;
  RecallReceipt receipt;  // without an id and the asking turn: whoever keeps it gives them
};

class Recall {
 public:
  // `texts`: full text of the rows' turns, for when their points cannot be asked; null: there is none.
  Recall(Stores stores, const PointSpaces& spaces, const Clock& clock, TextSearch* texts = nullptr)
      : stores_(stores), spaces_(spaces), clock_(clock), texts_(texts), pool_(ThreadPool::threads_that_help()) {}
  RecallResult run(const RecallRequest& request, const Deadline& deadline);

 private:
  Stores stores_;
  const PointSpaces& spaces_;
  const Clock& clock_;
  TextSearch* const texts_;
  ThreadPool pool_;
};

}  // namespace pandora
