// Which proposals become memories.
//
// Refused, with the reason in the log (never the text): what repeats text that was recalled or a system prompt, exact
// and near duplicates of what is known. Admitted: a memory with topic and keywords, and the ids of those that it
// supersedes because they say something else of the same subject. A less trusted text never supersedes a more trusted
// one.
#pragma once
#include <span>
#include <string_view>
#include <vector>

#include "domain/loop_guard.h"
#include "ports/knowledge_stores.h"

namespace pandora {

struct MemoryCandidate {
  UserId user;
  std::optional<SessionId> session;
  std::optional<Uuid> source_turn;
  MemoryProposal proposal;
};
struct AdmittedMemory {
  Admission admission = Admission::kAdmit;
  Memory memory;  // when admitted
  std::vector<Uuid> supersedes;
};

class MemoryAdmission {
 public:
  MemoryAdmission(MemoryStore& memories, UuidV7Generator& ids, const Clock& clock)
      : memories_(memories), ids_(ids), clock_(clock) {}
  Result<AdmittedMemory> decide(const MemoryCandidate& candidate, std::span<const std::string_view> recalled,
                                std::span<const std::string_view> system_prompts, const Deadline& deadline);

 private:
  MemoryStore& memories_;
  UuidV7Generator& ids_;
  const Clock& clock_;
};

}  // namespace pandora
