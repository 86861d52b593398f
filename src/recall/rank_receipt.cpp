#include "recall/rank_receipt.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "domain/confidence.h"
#include "recall/ranking.h"

namespace pandora {
namespace {

class Ranking {
 public:
  Ranking(RecallReceipt& receipt, RowReader& rows) : receipt_(receipt), rows_(rows) {}

  void run() {
    receipt_.formula = kRankingFormula;
    receipt_.tokens = 0;
    include_given();
    const auto turns =
        in_order(receipt_.turns, rank_turns(receipt_.turns, {receipt_.question, receipt_.at, receipt_.time}));
    choose_turns(turns);
    choose(receipt_.memories, rank_knowledge(receipt_.memories, receipt_.at), kMaxMemories, &RowReader::read_memory);
    choose(receipt_.research, rank_knowledge(receipt_.research, receipt_.at), kMaxResearch, &RowReader::read_research);
  }

 private:
  // Puts the candidates into their order, noise last; the ranking then names them by their new places.
  static std::vector<Ranked> in_order(std::vector<RecallCandidate>& candidates, std::vector<Ranked> ranked) {
    std::vector<RecallCandidate> ordered;
    ordered.reserve(candidates.size());
    std::vector<char> taken(candidates.size());
    for (auto& one : ranked) {
      taken[one.index] = 1;
      RecallCandidate& candidate = ordered.emplace_back(std::move(candidates[one.index]));
      candidate.score = one.score;
      candidate.fate = RecallFate::kOverLimit;
      candidate.place = 0;
      one.index = ordered.size() - 1;
    }
    const auto noise = static_cast<std::ptrdiff_t>(ordered.size());
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      if (taken[i]) continue;
      RecallCandidate& candidate = ordered.emplace_back(std::move(candidates[i]));
      candidate.score = 0;
      candidate.fate = RecallFate::kNoise;
      candidate.place = 0;
    }
    std::sort(ordered.begin() + noise, ordered.end(),
              [](const RecallCandidate& a, const RecallCandidate& b) { return a.uid < b.uid; });
    candidates = std::move(ordered);
    return ranked;
  }

  // Why the row itself must not be injected; kInjected: it may.
  static RecallFate refusal(const RowFacts& row) {
    switch (row.state) {
      case RowState::kHolds:
        return row.confidence < kMinConfidence ? RecallFate::kDecayed : RecallFate::kInjected;
      case RowState::kGone:
        return RecallFate::kGone;
      case RowState::kRejected:
        return RecallFate::kRejected;
      case RowState::kSuperseded:
        return RecallFate::kSuperseded;
      case RowState::kExpired:
        return RecallFate::kExpired;
      case RowState::kHeld:
        return RecallFate::kAlreadyThere;
      case RowState::kBlocked:
        break;
    }
    return RecallFate::kBlocked;
  }

  // Injects it if its text fits into what is left of `budget`.
  template <class Item>
  void inject(Item& item, RowFacts& row, std::int64_t budget) {
    if (!row.tokens) rows_.count_tokens(item.uid, row);
    if (!row.tokens) {
      item.fate = RecallFate::kUnread;
    } else if (receipt_.tokens + *row.tokens > budget) {
      item.fate = RecallFate::kOverBudget;
    } else {
      receipt_.tokens += *row.tokens;
      item.fate = RecallFate::kInjected;
      item.place = static_cast<std::int64_t>(included_.size()) + 1;
      included_.insert(item.uid);
    }
  }

  void include_given() {
    std::size_t preferences = 0;
    for (auto& given : receipt_.given) {
      given.place = 0;
      given.fate = RecallFate::kAlreadyThere;
      if (included_.contains(given.uid) || given.row.state == RowState::kHeld) continue;
      if (given.kind != GatheredKind::kPreference) {  // whatever its state: it was asked for, or just said
        const bool previous = given.kind == GatheredKind::kPreviousTurn;
        inject(given, given.row, previous ? receipt_.token_budget / 2 : receipt_.token_budget);
        continue;
      }
      given.fate = preferences == kMaxPreferences ? RecallFate::kOverLimit : refusal(given.row);
      if (given.fate != RecallFate::kInjected) continue;
      inject(given, given.row, receipt_.token_budget / 4);
      preferences += given.place > 0 ? 1 : 0;
    }
  }

  // The rows of the best candidates decide: a point whose row is gone is no memory any more.
  void choose_turns(const std::vector<Ranked>& ranked) {
    const auto limit = static_cast<std::size_t>(std::max<std::int64_t>(0, receipt_.limit));
    const auto order = spread_over_sessions(ranked, receipt_.turns, limit * 2);
    std::vector<RecallCandidate*> unread;
    for (const std::size_t i : order)
      if (!receipt_.turns[i].row) unread.push_back(&receipt_.turns[i]);
    if (!unread.empty()) rows_.read_turns(unread);

    std::vector<RecallCandidate*> chosen;
    for (const std::size_t i : order) {
      RecallCandidate& turn = receipt_.turns[i];
      turn.fate = turn.row ? refusal(*turn.row) : RecallFate::kUnread;
      if (turn.fate == RecallFate::kInjected) chosen.push_back(&turn);
    }
    // What was only asked, and answered by quotes, adds no fact of its own: it comes behind everything that does.
    std::ranges::stable_partition(chosen, [](const RecallCandidate* turn) { return !turn->row->only_asked; });
    std::size_t count = 0;
    for (RecallCandidate* turn : chosen) {
      turn->fate = count == limit ? RecallFate::kOverLimit : RecallFate::kAlreadyThere;
      if (count == limit || included_.contains(turn->uid)) continue;
      inject(*turn, *turn->row, receipt_.token_budget);
      count += turn->place > 0 ? 1 : 0;
    }
  }

  void choose(std::vector<RecallCandidate>& candidates, std::vector<Ranked> order, std::size_t most,
              void (RowReader::*read)(RecallCandidate&)) {
    std::size_t count = 0;
    for (const auto& one : in_order(candidates, std::move(order))) {
      if (count == most) break;  // in_order has said so of all
      RecallCandidate& candidate = candidates[one.index];
      candidate.fate = RecallFate::kAlreadyThere;
      if (included_.contains(candidate.uid)) continue;
      if (!candidate.row) (rows_.*read)(candidate);
      candidate.fate = candidate.row ? refusal(*candidate.row) : RecallFate::kUnread;
      if (candidate.fate != RecallFate::kInjected) continue;
      inject(candidate, *candidate.row, receipt_.token_budget);
      count += candidate.place > 0 ? 1 : 0;
    }
  }

  RecallReceipt& receipt_;
  RowReader& rows_;
  std::set<Uuid> included_;
};

}  // namespace

void rank(RecallReceipt& receipt, RowReader& rows) { Ranking(receipt, rows).run(); }

}  // namespace pandora
