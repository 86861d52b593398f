#include "contract/rows_contract.h"

#include <algorithm>
#include <tuple>

namespace pandora::testing {

SessionId session_id(const std::string& name) { return SessionId::parse(name).value(); }

std::vector<std::int64_t> numbers_of(const std::vector<Turn>& turns) {
  std::vector<std::int64_t> numbers;
  for (const auto& turn : turns) numbers.push_back(turn.number.value);
  return numbers;
}

std::vector<RowsFactory> factories_that_find_words() {
  std::vector<RowsFactory> factories = rows_factories();
  std::erase_if(factories, [](const RowsFactory& one) { return !one.finds_words; });
  return factories;
}

RowsContract::RowsContract() : rows(GetParam().make(clock)) {}

TurnRecord RowsContract::record(const std::string& session, const std::string& message, const Principal& who) {
  TurnRecord record;
  Turn& turn = record.turn;
  turn.uid = ids.next();
  turn.session = session_id(session);
  turn.user = who.user;
  turn.created_at = clock.now();
  turn.status = TurnStatus::kCancelled;
  turn.message = {Role::kUser, "Ana \"A.\"", message};
  turn.reply = Utterance{Role::kAssistant, "", "Sì:\n\t“" + message + "” \\ 🐼"};
  turn.question = "question: " + message;
  turn.summary = "summary";
  turn.topic = "topic of " + message;
  turn.intent = Intent::kShopping;
  turn.keywords = {"café", message};
  turn.quality = 1.0 / 3;
  turn.model = "a-model";
  turn.content_sha256 = content_sha256(turn.user, turn.message, turn.reply);
  return record;
}

Memory RowsContract::memory(const std::string& content, const Principal& who) {
  Memory memory;
  memory.id = ids.next();
  memory.user = who.user;
  memory.session = session_id("s");
  memory.kind = MemoryKind::kFact;
  memory.content = content;
  memory.topic = "a topic";
  memory.keywords = {"one", "two"};
  memory.trust = Trust::kTool;
  memory.confidence = 2.0 / 3;
  memory.created_at = clock.now();
  return memory;
}

Research RowsContract::research(const std::string& topic, const Principal& who) {
  Research research;
  research.id = ids.next();
  research.user = who.user;
  research.session = session_id("s");
  research.primary_topic = topic;
  research.kind = ResearchKind::kTransactional;
  research.scope = Scope::kUser;
  research.findings = {{"it costs 3", ContentType::kPrice, 0.7, {"example.com"}}};
  research.conflicts = {"one says 4"};
  research.completeness = 0.2, research.source_quality = 0.3, research.extraction = 0.4;
  research.quality = 1.0 / 3, research.confidence = 0.6;
  research.uses = 2;
  research.created_at = clock.now();
  research.expires_at = clock.now() + std::chrono::hours(6);
  return research;
}

Observation RowsContract::observation(const Uuid& turn, const std::string& name) {
  return {turn, ObservationKind::kTool, name, clock.now(), 1'234, 5, 6, false, "a detail", 1.0 / 7};
}

Turn RowsContract::commit(TurnRecord record) {
  record.turn.number = rows->turns().commit_turn(record, Principal::of(record.turn.user), kNever).value();
  return record.turn;
}

std::vector<Turn> RowsContract::conversation(const std::string& session, int turns, const Principal& who) {
  std::vector<Turn> all;
  for (int i = 0; i < turns; ++i) {
    all.push_back(commit(record(session, session + " " + std::to_string(i), who)));
    clock.advance(std::chrono::seconds(1));
  }
  return all;
}

std::vector<OutboxItem> RowsContract::take_outbox() {
  std::vector<OutboxItem> items;
  for (;;) {
    const auto claimed = rows->outbox().claim("taker", std::chrono::seconds(1), kMaxClaim, kNever).value();
    if (claimed.empty()) break;
    for (const auto& entry : claimed) items.push_back(entry.item);
    EXPECT_EQ(rows->outbox().ack_all(claimed, kNever).value(), claimed.size());
  }
  return sorted(items);
}

std::vector<OutboxItem> RowsContract::sorted(std::vector<OutboxItem> items) {
  std::ranges::sort(items, {}, [](const OutboxItem& item) { return std::tie(item.kind, item.key); });
  return items;
}

std::vector<OutboxItem> RowsContract::of_turn(const Turn& turn) {
  return {{OutboxKind::kTurnDirectory, turn.uid.to_string()}, point_of(turn)};
}
std::vector<OutboxItem> RowsContract::of_memory(const Uuid& id) {
  return {{OutboxKind::kMemoryFile, id.to_string()}, {OutboxKind::kMemoryPoint, id.to_string()}};
}
std::vector<OutboxItem> RowsContract::of_research(const Uuid& id) {
  return {{OutboxKind::kResearchFile, id.to_string()}, {OutboxKind::kResearchPoint, id.to_string()}};
}

}  // namespace pandora::testing
