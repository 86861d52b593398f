// Receipts as a random world makes them: every kind of candidate, row and number. The outcome is still to be ranked.
#pragma once
#include <string>

#include "base/random.h"
#include "domain/recall_receipt.h"

namespace pandora::testing {

struct ReceiptShape {
  std::size_t turns = 40, memories = 10, research = 6, given = 4;
};

class RandomReceipts {
 public:
  explicit RandomReceipts(std::uint64_t seed) : random_(seed) {}

  RecallReceipt next(const ReceiptShape& shape = {}) {
    RecallReceipt receipt;
    receipt.id = uid();
    if (chance(50)) receipt.turn = uid();
    receipt.user = UserId::parse(chance(80) ? "ana" : "bob").value();
    receipt.session = SessionId::parse("s" + std::to_string(random_.below(3))).value();
    receipt.question = "Where does Ana Lee keep the key?";
    receipt.at = {kNow};
    if (chance(30)) receipt.time = TimeRange{{kNow - 200'000'000'000'000}, {kNow - 100'000'000'000'000}};
    receipt.scope = static_cast<Scope>(random_.below(3));
    receipt.token_budget = static_cast<std::int64_t>(random_.below(600));
    receipt.limit = static_cast<std::int64_t>(random_.below(20));
    receipt.candidates = 200;
    receipt.embedder = "words@1";
    receipt.analyzer = 1;
    receipt.mode = static_cast<RecallMode>(random_.below(4));
    if (chance(30)) receipt.missing.push_back("search by meaning: the encoder is away");
    for (std::size_t i = 0; i < shape.given; ++i)
      receipt.given.push_back({static_cast<GatheredKind>(random_.below(3)), uid(), row()});
    for (std::size_t i = 0; i < shape.turns; ++i) receipt.turns.push_back(candidate());
    for (std::size_t i = 1; i < shape.turns; ++i)
      if (chance(20)) receipt.turns[i].follows = receipt.turns[i - 1].uid;
    for (std::size_t i = 0; i < shape.memories; ++i) receipt.memories.push_back(candidate());
    for (std::size_t i = 0; i < shape.research; ++i) receipt.research.push_back(candidate());
    if (!receipt.turns.empty() && !receipt.given.empty() && chance(50)) receipt.turns[0].uid = receipt.given[0].uid;
    receipt.micros = {micros(), micros(), micros(), micros()};
    return receipt;
  }

  RecallCandidate candidate() {
    RecallCandidate one;
    one.uid = uid();
    const auto legs = random_.below(10);
    if (legs < 7) one.dense = static_cast<float>(random_.below(1'000'000)) / 1'000'000.0F;
    if (legs > 4) one.lexical = chance(10) ? 0.0F : static_cast<float>(random_.below(20'000'000)) / 1'000'000.0F;
    if (chance(20) && one.dense) one.dense = 0.75F;  // ties
    one.session = chance(95) ? "s" + std::to_string(random_.below(12)) : "";
    one.speaker = chance(50) ? "User" : chance(50) ? "Ana Lee" : "";
    if (chance(95)) one.at = Timestamp{kNow - static_cast<std::int64_t>(random_.below(400'000'000'000'000))};
    one.quality = chance(70) ? 0.5 : static_cast<double>(random_.below(1'000)) / 999.0;
    one.asks = chance(20);
    return one;
  }

  RowFacts row() {
    RowFacts facts;
    if (chance(25)) facts.state = static_cast<RowState>(random_.below(7));
    facts.only_asked = chance(20);
    if (chance(50)) facts.confidence = static_cast<double>(random_.below(1'000)) / 999.0;
    return facts;
  }

  Uuid uid() {
    Uuid value;
    for (auto& byte : value.bytes) byte = static_cast<std::uint8_t>(random_.next());
    value.bytes[0] = 0x01;  // a time of this century
    value.bytes[1] = 0x9B;
    return value;
  }
  std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }
  bool chance(std::uint64_t percent) { return random_.below(100) < percent; }

 private:
  static constexpr std::int64_t kNow = 1'767'600'000'000'000;
  std::int64_t micros() { return static_cast<std::int64_t>(random_.below(5'000)); }
  SeededRandom random_;
};

}  // namespace pandora::testing
