// A receipt ranked again, and beside what the same question finds today. Pure.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/recall_receipt.h"
#include "recall/ranking.h"

namespace pandora {

enum class ReplayVerdict {
  kSame,          // bit for bit
  kDiffers,       // the evidence does not give this outcome: a fault of ours, or of the disk
  kForgotten,     // something that was ranked was forgotten since: what is left cannot tell
  kOtherFormula,  // ranked by another formula or analyser than this program has
};
std::string_view to_string(ReplayVerdict verdict);

struct Replay {
  ReplayVerdict verdict = ReplayVerdict::kSame;
  std::string difference;  // the first one, or why it cannot be told; empty when it is the same
};
Replay replay(const RecallReceipt& receipt);

// What each feature added to the scores, best first, as ranking finds it: for a receipt whose replay is the same.
struct ExplainedReceipt {
  std::vector<RankingTerms> turns, memories, research;  // of the candidates that are no noise, in their order
};
ExplainedReceipt explain(const RecallReceipt& receipt);

// What would be injected now instead of then, by place: what is new and what moved, as it stands now, then what is
// gone.
enum class RecallChangeKind { kNew, kMoved, kGone };
std::string_view to_string(RecallChangeKind kind);
struct RecallChange {
  RecallChangeKind kind = RecallChangeKind::kNew;
  GatheredKind what = GatheredKind::kTurn;
  Uuid uid;
  std::int64_t then = 0, now = 0;  // places; 0: not injected
  std::optional<RecallFate> why;   // of what is new, why it was not injected then; of what is gone, why it is not now;
                                   // none: it was, or is, no candidate
  bool operator==(const RecallChange&) const = default;
};
std::vector<RecallChange> changes_since(const RecallReceipt& then, const RecallReceipt& now);

}  // namespace pandora
