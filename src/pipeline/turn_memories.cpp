#include "pipeline/turn_memories.h"

#include "base/log.h"
#include "pipeline/prompt.h"

namespace pandora {
namespace {

Status note_successor(MemoryStore& memories, const Uuid& old_id, const Uuid& new_id, const Principal& who,
                      const Deadline& deadline) {
  PANDORA_TRY(old, memories.find(old_id, who, deadline));
  old.superseded_by = new_id;
  return memories.put(old, {}, who, deadline);
}

}  // namespace

void TurnMemories::admit(TurnRecord& record, const std::vector<MemoryProposal>& proposals, const AdmitMemories& admit,
                         const Deadline& deadline) {
  if (proposals.empty()) return;
  AdmissionRequest request{record.turn, proposals, {}, {}};
  for (const auto& item : record.context.gathered.items)
    if (item.kind != GatheredKind::kMemory && item.kind != GatheredKind::kPreference)
      request.recalled.push_back(item.text);
  const std::string prompt = system_prompt({});
  request.system_prompts.push_back(prompt);
  auto admitted = admit(request, deadline);
  if (!admitted) {
    log_warn("turn.no_memories", {{"error", admitted.error().to_line()}});
    error = std::move(admitted).error().with_context("the turn is saved, but no memory was made of it");
    return;
  }
  record.memories = std::move(admitted->memories);
  superseded_ = std::move(admitted->superseded);
}

void TurnMemories::supersede(MemoryStore& memories, const Principal& who, const Deadline& deadline) {
  for (const auto& [old_id, new_id] : superseded_) {
    const Status done = note_successor(memories, old_id, new_id, who, deadline);
    if (done) continue;
    log_warn("memory.not_superseded", {{"memory", old_id.to_string()}, {"error", done.error().to_line()}});
    error = Error(done.error()).with_context("an older memory that this one replaces still stands");
  }
}

}  // namespace pandora
