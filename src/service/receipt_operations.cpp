#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "recall/replay.h"
#include "service/search_items.h"

namespace pandora {
namespace {

// How the rows behind uids are called today: a turn by its number.
class RowNames {
 public:
  static Result<RowNames> of(const OperationCall& call, std::span<const Uuid> turns) {
    PANDORA_TRY(rows, call.parts.stores.turns.find_all(turns, call.who, call.deadline));
    RowNames names;
    for (const auto& turn : rows) names.numbers_[turn.uid] = turn.number;
    return names;
  }
  Json number(const Uuid& turn) const {
    const auto found = numbers_.find(turn);
    return found == numbers_.end() ? Json() : Json(found->second.value);
  }
  std::string name(GatheredKind what, const Uuid& uid) const {
    if (what == GatheredKind::kResearch) return "research " + uid.to_string();
    if (what == GatheredKind::kMemory || what == GatheredKind::kPreference) return "memory " + uid.to_string();
    const auto found = numbers_.find(uid);
    return found == numbers_.end() ? "turn " + uid.to_string() : fmt::format("turn {}", found->second.value);
  }

 private:
  std::map<Uuid, TurnNumber> numbers_;
};

std::vector<Uuid> turns_of(const RecallReceipt& receipt) {
  std::vector<Uuid> uids;
  if (receipt.turn) uids.push_back(*receipt.turn);
  for (const auto& one : receipt.given)
    if (one.kind == GatheredKind::kTurn || one.kind == GatheredKind::kPreviousTurn) uids.push_back(one.uid);
  for (const auto& one : receipt.turns) uids.push_back(one.uid);
  return uids;
}

template <class List>
std::int64_t injected_in(const List& list) {
  return std::ranges::count_if(list, [](const auto& one) { return one.place > 0; });
}
std::int64_t injected_in(const RecallReceipt& receipt) {
  return injected_in(receipt.given) + injected_in(receipt.turns) + injected_in(receipt.memories) +
         injected_in(receipt.research);
}

Json summary(const RecallReceipt& receipt, const RowNames& names) {
  return {{"id", receipt.id.to_string()},
          {"turn_uid", receipt.turn ? Json(receipt.turn->to_string()) : Json()},
          {"turn", receipt.turn ? names.number(*receipt.turn) : Json()},
          {"session", receipt.session.str()},
          {"question", receipt.question},
          {"at", to_iso8601(receipt.at)},
          {"mode", to_string(receipt.mode)},
          {"missing", receipt.missing},
          {"injected", injected_in(receipt)},
          {"candidates", receipt.turns.size() + receipt.memories.size() + receipt.research.size()},
          {"forgotten", receipt.forgotten},
          {"tokens", receipt.tokens},
          {"token_budget", receipt.token_budget},
          {"micros", to_json(receipt.micros)}};
}

Json row_json(const RowFacts& row) {
  return {{"state", to_string(row.state)},
          {"only_asked", row.only_asked},
          {"confidence", row.confidence},
          {"tokens", row.tokens ? Json(*row.tokens) : Json()}};
}

Json given_json(const RecallGiven& given, const RowNames& names) {
  return {{"kind", to_string(given.kind)}, {"uid", given.uid.to_string()},  {"name", names.name(given.kind, given.uid)},
          {"row", row_json(given.row)},    {"fate", to_string(given.fate)}, {"place", given.place}};
}

Json terms_json(const RankingTerms& terms) {
  return {{"dense", terms.dense},     {"lexical", terms.lexical}, {"session", terms.session},
          {"recency", terms.recency}, {"quality", terms.quality}, {"asking", terms.asking},
          {"speaker", terms.speaker}, {"time", terms.time},       {"answering", terms.answering}};
}

// `terms`: of those that are no noise; null when they are not known any more.
Json candidates_json(GatheredKind what, const std::vector<RecallCandidate>& candidates,
                     const std::vector<RankingTerms>* terms, const RowNames& names) {
  Json list = Json::array();
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const RecallCandidate& one = candidates[i];
    const bool noise = one.fate == RecallFate::kNoise;
    Json features = {{"at", one.at ? Json(to_iso8601(*one.at)) : Json()}};
    if (what == GatheredKind::kTurn) {
      features["session"] = one.session;
      features["speaker"] = one.speaker;
      features["quality"] = one.quality;
      features["asks"] = one.asks;
      features["follows"] = one.follows ? Json(one.follows->to_string()) : Json();
    }
    list.push_back({{"rank", noise ? Json() : Json(i + 1)},
                    {"uid", one.uid.to_string()},
                    {"name", names.name(what, one.uid)},
                    {"score", noise ? Json() : Json(one.score)},
                    {"dense", one.dense ? Json(*one.dense) : Json()},
                    {"lexical", one.lexical ? Json(*one.lexical) : Json()},
                    {"features", std::move(features)},
                    {"terms", terms && i < terms->size() ? terms_json((*terms)[i]) : Json()},
                    {"row", one.row ? row_json(*one.row) : Json()},
                    {"fate", to_string(one.fate)},
                    {"place", one.place}});
  }
  return list;
}

Result<RecallReceipt> find_receipt(OperationCall& call) {
  const Uuid id = call.in.value("id", Uuid::parse);
  PANDORA_CHECK(call.in.finish());
  return call.parts.stores.receipts.find(id, call.who, call.deadline);
}

Result<Json> list(OperationCall& call) {
  ReceiptQuery query;
  query.before = call.in.optional_value("before", Uuid::parse);
  const bool of_turn = call.in.any("turn") != nullptr;
  const TurnNumber number{call.in.integer_or("turn", 0)};
  PANDORA_TRY(limit, read_limit(call.in, 50, kMaxPage));
  query.limit = limit;
  PANDORA_CHECK(call.in.finish());
  if (of_turn) {
    PANDORA_TRY(turn, call.parts.stores.turns.find(number, call.who, call.deadline));
    query.turn = turn.uid;
  }
  PANDORA_TRY(receipts, call.parts.stores.receipts.list(query, call.who, call.deadline));
  std::vector<Uuid> asking;
  for (const auto& receipt : receipts)
    if (receipt.turn) asking.push_back(*receipt.turn);
  PANDORA_TRY(names, RowNames::of(call, asking));
  Json recalls = Json::array(), missing = Json::array();
  for (const auto& receipt : receipts) recalls.push_back(summary(receipt, names));
  PANDORA_TRY(status, call.parts.stores.receipts.status(call.deadline));
  if (status.lost > 0)
    missing.push_back(fmt::format("{} receipts could not be written: {}", status.lost, status.last_error));
  return Json{{"recalls", recalls}, {"missing", missing}};
}

Result<Json> show(OperationCall& call) {
  PANDORA_TRY(receipt, find_receipt(call));
  PANDORA_TRY(names, RowNames::of(call, turns_of(receipt)));
  const Replay again = replay(receipt);
  const bool known = again.verdict == ReplayVerdict::kSame;
  const ExplainedReceipt terms = known ? explain(receipt) : ExplainedReceipt();
  Json given = Json::array();
  for (const auto& one : receipt.given) given.push_back(given_json(one, names));
  Json result = summary(receipt, names);
  result["question_cut"] = receipt.question_cut;
  result["scope"] = to_string(receipt.scope);
  result["limit"] = receipt.limit;
  result["candidates_a_leg"] = receipt.candidates;
  result["encoder"] = receipt.embedder;
  result["analyzer"] = receipt.analyzer;
  result["formula"] = receipt.formula;
  result["given"] = std::move(given);
  result["turns"] = candidates_json(GatheredKind::kTurn, receipt.turns, known ? &terms.turns : nullptr, names);
  result["memories"] =
      candidates_json(GatheredKind::kMemory, receipt.memories, known ? &terms.memories : nullptr, names);
  result["research"] =
      candidates_json(GatheredKind::kResearch, receipt.research, known ? &terms.research : nullptr, names);
  if (!known) result["terms_unknown"] = again.difference;
  return result;
}

Result<Json> replay_receipt(OperationCall& call) {
  PANDORA_TRY(receipt, find_receipt(call));
  const Replay again = replay(receipt);
  RecallRequest request{call.who,
                        receipt.session,
                        receipt.question,
                        receipt.scope,
                        receipt.token_budget,
                        static_cast<std::size_t>(receipt.limit),
                        static_cast<std::size_t>(receipt.candidates)};
  const RecallReceipt now =
      call.parts.recall.run(request, call.deadline.at_most(call.parts.clock, call.parts.recall_deadline)).receipt;
  std::vector<Uuid> uids = turns_of(receipt);
  for (const Uuid& uid : turns_of(now)) uids.push_back(uid);
  PANDORA_TRY(names, RowNames::of(call, uids));
  Json changes = Json::array();
  for (const auto& change : changes_since(receipt, now))
    changes.push_back({{"change", to_string(change.kind)},
                       {"uid", change.uid.to_string()},
                       {"name", names.name(change.what, change.uid)},
                       {"then", change.then},
                       {"now", change.now},
                       {"why", change.why ? Json(to_string(*change.why)) : Json()}});
  Json today = summary(now, names);
  for (const char* field : {"id", "turn", "turn_uid", "session", "question"}) today.erase(field);
  today["changes"] = std::move(changes);
  return Json{{"receipt", summary(receipt, names)},
              {"verdict", to_string(again.verdict)},
              {"difference", again.difference},
              {"question_cut", receipt.question_cut},
              {"today", std::move(today)}};
}

}  // namespace

std::vector<Operation> receipt_operations() {
  return {
      {{"recalls.list", "turn?, before?, limit? = 50", "receipts of recalls, newest first"}, list},
      {{"recalls.show", "id", "what a recall was decided by: every candidate, its features, and what came of it"},
       show},
      {{"recalls.replay", "id", "ranks a recall again from its receipt, and asks the same today"}, replay_receipt},
  };
}

}  // namespace pandora
