#include <fmt/format.h>

#include "base/text.h"
#include "domain/derive.h"
#include "service/search_items.h"
#include "turns/memory_admission.h"

namespace pandora {
namespace {

Uuid read_id(JsonReader& in) {
  const auto id = Uuid::parse(in.text("id"));
  if (in.ok() && !id) in.fault("id", id.error().message, "`pandora memory list` shows the ids");
  return id.value_or(Uuid());
}

Result<Json> add(OperationCall& call) {
  const std::string content = collapse_space(sanitize_utf8(call.in.text("content")));
  const auto kind = call.in.optional_value("kind", parse_memory_kind);
  const auto trust = call.in.optional_value("trust", parse_trust);
  const auto session = call.in.optional_value("session", SessionId::parse);
  const auto turn = call.in.optional_value("turn", Uuid::parse);
  const auto expires_at = call.in.optional_value("expires_at", parse_iso8601);
  if (call.in.ok() && content.empty()) call.in.fault("content", "is empty", "say what to remember");
  if (call.in.ok() && expires_at && *expires_at <= call.parts.clock.now())
    call.in.fault("expires_at", "is in the past", "name a time that is still to come");
  PANDORA_CHECK(call.in.finish());
  if (content.size() > kMaxMemoryBytes)
    return fail(ErrorCode::kTooLarge,
                fmt::format("a memory of {} bytes, at most {} are kept", content.size(), kMaxMemoryBytes));

  MemoryAdmission admission(call.parts.stores.memories, call.parts.ids, call.parts.clock);
  MemoryCandidate candidate;
  candidate.user = call.who.user;
  candidate.session = session;
  candidate.source_turn = turn;
  candidate.proposal = {kind.value_or(MemoryKind::kNote), content, trust.value_or(Trust::kUser)};
  PANDORA_TRY(decided, admission.decide(candidate, {}, {}, call.deadline));
  if (decided.admission != Admission::kAdmit)
    return fail(ErrorCode::kConflict, fmt::format("this is not kept: {}", to_string(decided.admission)),
                "`pandora memory list` shows what is known");
  decided.memory.expires_at = expires_at;
  PANDORA_CHECK(call.parts.stores.memories.put(decided.memory, decided.supersedes, call.who, call.deadline));
  Json superseded = Json::array();
  for (const auto& id : decided.supersedes) superseded.push_back(id.to_string());
  return Json{{"memory", to_json(decided.memory)}, {"superseded", superseded}};
}

Result<Json> list(OperationCall& call) {
  MemoryQuery query;
  query.kind = call.in.optional_value("kind", parse_memory_kind);
  query.include_superseded = call.in.boolean_or("all", false);
  if (!query.include_superseded) query.valid_at = call.parts.clock.now();
  query.after = call.in.optional_value("after", Uuid::parse);
  PANDORA_TRY(limit, read_limit(call.in, 200, kMaxPage));
  query.limit = limit;
  PANDORA_CHECK(call.in.finish());
  PANDORA_TRY(memories, call.parts.stores.memories.list(query, call.who, call.deadline));
  return Json{{"memories", json_list(memories)}};
}

Result<Json> search(OperationCall& call) {
  PANDORA_TRY(search, read_search(call, {GatheredKind::kMemory, GatheredKind::kPreference}));
  return search_items(call, search);
}

Result<Json> show(OperationCall& call) {
  const Uuid id = read_id(call.in);
  PANDORA_CHECK(call.in.finish());
  PANDORA_TRY(memory, call.parts.stores.memories.find(id, call.who, call.deadline));
  Json said_in = 0;
  if (memory.source_turn) {
    PANDORA_TRY(turns, call.parts.stores.turns.find_all({&*memory.source_turn, 1}, call.who, call.deadline));
    if (!turns.empty()) said_in = turns.front().number.value;
  }
  return Json{{"memory", to_json(memory)}, {"said_in", said_in}};
}

Result<Json> forget(OperationCall& call) {
  const Uuid id = read_id(call.in);
  PANDORA_CHECK(call.in.finish());
  Forgetting forgetting = make_forgetting(call.parts);
  PANDORA_TRY(report, forgetting.forget_memory(id, call.who, call.deadline));
  return to_json(report);
}

}  // namespace

std::vector<Operation> memory_operations() {
  return {
      {{"memory.add", "content, kind? = note, trust? = user, session?, turn?, expires_at?",
        "keeps a memory; a newer one supersedes what it contradicts"},
       add},
      {{"memory.list", "kind?, all? = false, after?, limit? = 200", "memories, oldest first"}, list},
      {{"memory.show", "id", "one memory, and the turn in which it was said"}, show},
      {{"memory.search", "query, session?, limit? = 10", "memories that mean the same"}, search},
      {{"memory.forget", "id", "removes a memory everywhere and reports it"}, forget},
  };
}

}  // namespace pandora
