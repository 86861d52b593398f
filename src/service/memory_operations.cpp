#include <fmt/format.h>

#include "base/text.h"
#include "domain/derive.h"
#include "service/search_items.h"
#include "turns/memory_admission.h"

namespace pandora {
namespace {

Result<Json> add(OperationCall& call) {
  const std::string content = collapse_space(sanitize_utf8(call.in.text("content")));
  const auto kind = call.in.optional_value("kind", parse_memory_kind);
  const auto session = call.in.optional_value("session", SessionId::parse);
  const auto expires_at = call.in.optional_value("expires_at", parse_iso8601);
  if (content.empty()) call.in.fault("content", "is empty");
  PANDORA_CHECK(call.in.finish());
  if (content.size() > kMaxMemoryBytes)
    return fail(ErrorCode::kTooLarge, fmt::format("a memory of {} bytes, at most {} are kept", content.size(), kMaxMemoryBytes));

  MemoryAdmission admission(call.parts.stores.memories, call.parts.ids, call.parts.clock);
  MemoryCandidate candidate;
  candidate.user = call.who.user;
  candidate.session = session;
  candidate.proposal = {kind.value_or(MemoryKind::kNote), content, Trust::kUser};
  PANDORA_TRY(decided, admission.decide(candidate, {}, {}, call.deadline));
  if (decided.admission != Admission::kAdmit)
    return fail(ErrorCode::kConflict, fmt::format("this is not kept: {}", to_string(decided.admission)), "`pandora memory list` shows what is known");
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
  const std::string query = sanitize_utf8(call.in.text("query"));
  PANDORA_TRY(limit, read_limit(call.in, 10, 100));
  PANDORA_CHECK(call.in.finish());
  return search_items(call, query, {GatheredKind::kMemory, GatheredKind::kPreference}, limit);
}

Result<Json> forget(OperationCall& call) {
  const Uuid id = call.in.value("id", Uuid::parse);
  PANDORA_CHECK(call.in.finish());
  Forgetting forgetting = make_forgetting(call.parts);
  PANDORA_TRY(report, forgetting.forget_memory(id, call.who, call.deadline));
  return to_json(report);
}

}  // namespace

std::vector<Operation> memory_operations() {
  return {
      {{"memory.add", "content, kind? = note, session?, expires_at?", "keeps a memory; a newer one supersedes what it contradicts"}, add},
      {{"memory.list", "kind?, all? = false, after?, limit? = 200", "memories, oldest first"}, list},
      {{"memory.search", "query, limit? = 10", "memories that mean the same"}, search},
      {{"memory.forget", "id", "removes a memory everywhere and reports it"}, forget},
  };
}

}  // namespace pandora
