// From the evidence of a receipt to its outcome: the one function that a recall runs when it happens, and that `replay`
// runs again.
//
// Candidates are put in order, and what fits the request is injected: what was given first (preferences into a quarter
// of the budget, the previous turn into a half), then turns, memories and research. Deterministic: the same evidence
// and the same answers of `rows` give the same outcome, bit for bit, in whatever order the candidates come.
#pragma once
#include <cstddef>
#include <span>

#include "domain/recall_receipt.h"

namespace pandora {

inline constexpr std::size_t kMaxPreferences = 20;
inline constexpr std::size_t kMaxMemories = 5;
inline constexpr std::size_t kMaxResearch = 3;

// What ranking must know of the rows behind candidates. It asks only as far as it goes, and only for what the receipt
// does not hold yet, and what it is told stays in the receipt: so a receipt that is ranked again asks nobody.
class RowReader {
 public:
  virtual ~RowReader() = default;
  // Fills in `row`; leaves it empty when it could not be read.
  virtual void read_turns(std::span<RecallCandidate* const> turns) = 0;
  virtual void read_memory(RecallCandidate& memory) = 0;
  virtual void read_research(RecallCandidate& research) = 0;
  // Fills in the tokens of a row that was read or given.
  virtual void count_tokens(const Uuid& uid, RowFacts& row) = 0;
};

// Sets every outcome (order, score, fate, place, tokens) and the formula; what they were before is no matter.
void rank(RecallReceipt& receipt, RowReader& rows);

}  // namespace pandora
