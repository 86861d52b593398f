#include "recall/replay.h"

#include <algorithm>
#include <array>
#include <bit>
#include <map>

#include <fmt/format.h>

#include "domain/analyzer.h"
#include "recall/rank_receipt.h"

namespace pandora {
namespace {

// All that ranking needs is in the receipt: what is not there was not there.
class NothingMore final : public RowReader {
 public:
  void read_turns(std::span<RecallCandidate* const>) override {}
  void read_memory(RecallCandidate&) override {}
  void read_research(RecallCandidate&) override {}
  void count_tokens(const Uuid&, RowFacts&) override {}
};

std::string difference(std::string_view where, const RecallGiven& then, const RecallGiven& again) {
  if (then.fate != again.fate)
    return fmt::format("{} {}: it was {}, and is {} now", where, then.uid.to_string(), to_string(then.fate),
                       to_string(again.fate));
  if (then.place != again.place)
    return fmt::format("{} {}: it was at place {}, and is at {} now", where, then.uid.to_string(), then.place,
                       again.place);
  return {};
}

std::string difference(std::string_view where, const RecallCandidate& then, const RecallCandidate& again) {
  if (then.uid != again.uid)
    return fmt::format("{}: it was {}, and is {} now", where, then.uid.to_string(), again.uid.to_string());
  if (std::bit_cast<std::uint64_t>(then.score) != std::bit_cast<std::uint64_t>(again.score))
    return fmt::format("{} {}: its score was {}, and is {} now", where, then.uid.to_string(), then.score, again.score);
  return difference(where, RecallGiven{.uid = then.uid, .fate = then.fate, .place = then.place},
                    RecallGiven{.uid = again.uid, .fate = again.fate, .place = again.place});
}

template <class T>
std::string first_difference(std::string_view list, const std::vector<T>& then, const std::vector<T>& again) {
  for (std::size_t i = 0; i < then.size(); ++i)
    if (std::string found = difference(fmt::format("{}, rank {}", list, i + 1), then[i], again[i]); !found.empty())
      return found;
  return {};
}

std::string first_difference(const RecallReceipt& then, const RecallReceipt& again) {
  for (std::string found :
       {first_difference("given", then.given, again.given), first_difference("turns", then.turns, again.turns),
        first_difference("memories", then.memories, again.memories),
        first_difference("research", then.research, again.research)})
    if (!found.empty()) return found;
  if (then.tokens == again.tokens) return {};
  return fmt::format("tokens: they were {}, and are {} now", then.tokens, again.tokens);
}

std::vector<RankingTerms> terms_of(const std::vector<Ranked>& ranked) {
  std::vector<RankingTerms> terms;
  for (const auto& one : ranked) terms.push_back(one.terms);
  return terms;
}

struct Standing {
  GatheredKind what = GatheredKind::kTurn;
  std::int64_t place = 0;
  RecallFate fate = RecallFate::kNoise;
};

// A row may be given and found: where it was injected counts, else the last reason why not.
std::map<Uuid, Standing> standings(const RecallReceipt& receipt) {
  std::map<Uuid, Standing> found;
  const auto add = [&](const Uuid& uid, GatheredKind what, std::int64_t place, RecallFate fate) {
    auto& known = found.try_emplace(uid, Standing{what, place, fate}).first->second;
    if (known.place == 0) known = {what, place, fate};
  };
  for (const auto& one : receipt.given) add(one.uid, one.kind, one.place, one.fate);
  for (const auto& one : receipt.turns) add(one.uid, GatheredKind::kTurn, one.place, one.fate);
  for (const auto& one : receipt.memories) add(one.uid, GatheredKind::kMemory, one.place, one.fate);
  for (const auto& one : receipt.research) add(one.uid, GatheredKind::kResearch, one.place, one.fate);
  return found;
}

}  // namespace

std::string_view to_string(ReplayVerdict verdict) {
  static constexpr std::array<std::string_view, 4> kNames = {"same", "differs", "forgotten", "other formula"};
  return kNames[static_cast<std::size_t>(verdict)];
}
std::string_view to_string(RecallChangeKind kind) {
  static constexpr std::array<std::string_view, 3> kNames = {"new", "moved", "gone"};
  return kNames[static_cast<std::size_t>(kind)];
}

Replay replay(const RecallReceipt& receipt) {
  if (receipt.forgotten > 0)
    return {ReplayVerdict::kForgotten, fmt::format("of what was ranked, {} {} forgotten since", receipt.forgotten,
                                                   receipt.forgotten == 1 ? "was" : "were")};
  if (receipt.formula != kRankingFormula || receipt.analyzer != kAnalyzerVersion)
    return {ReplayVerdict::kOtherFormula,
            fmt::format("ranked by formula {} and analyser {}, this program has {} and {}", receipt.formula,
                        receipt.analyzer, kRankingFormula, kAnalyzerVersion)};
  RecallReceipt again = receipt;
  NothingMore rows;
  rank(again, rows);
  std::string found = first_difference(receipt, again);
  return {found.empty() ? ReplayVerdict::kSame : ReplayVerdict::kDiffers, std::move(found)};
}

ExplainedReceipt explain(const RecallReceipt& receipt) {
  return {terms_of(rank_turns(receipt.turns, {receipt.question, receipt.at, receipt.time})),
          terms_of(rank_knowledge(receipt.memories, receipt.at)),
          terms_of(rank_knowledge(receipt.research, receipt.at))};
}

std::vector<RecallChange> changes_since(const RecallReceipt& then, const RecallReceipt& now) {
  const auto before = standings(then), after = standings(now);
  std::vector<RecallChange> changes;
  const auto fate_in = [](const auto& standing, const Uuid& uid) {
    const auto found = standing.find(uid);
    return found == standing.end() ? std::nullopt : std::optional(found->second.fate);
  };
  for (const auto& [uid, standing] : after) {
    if (standing.place == 0) continue;
    const auto old = before.find(uid);
    const std::int64_t place = old == before.end() ? 0 : old->second.place;
    if (place == 0)
      changes.push_back({RecallChangeKind::kNew, standing.what, uid, 0, standing.place, fate_in(before, uid)});
    else if (place != standing.place)
      changes.push_back({RecallChangeKind::kMoved, standing.what, uid, place, standing.place, std::nullopt});
  }
  std::ranges::sort(changes, {}, &RecallChange::now);
  std::vector<RecallChange> gone;
  for (const auto& [uid, standing] : before) {
    const auto current = after.find(uid);
    if (standing.place > 0 && (current == after.end() || current->second.place == 0))
      gone.push_back({RecallChangeKind::kGone, standing.what, uid, standing.place, 0, fate_in(after, uid)});
  }
  std::ranges::sort(gone, {}, &RecallChange::then);
  changes.insert(changes.end(), gone.begin(), gone.end());
  return changes;
}

}  // namespace pandora
