#include "cli/admission.h"

namespace pandora {

AdmitMemories admit_by(MemoryAdmission& admission) {
  return [&admission](const AdmissionRequest& request, const Deadline& deadline) -> Result<Admitted> {
    Admitted admitted;
    for (const auto& proposal : request.proposals) {
      const MemoryCandidate candidate{request.turn.user, request.turn.session, request.turn.uid, proposal};
      PANDORA_TRY(decided, admission.decide(candidate, request.recalled, request.system_prompts, deadline));
      if (decided.admission != Admission::kAdmit) continue;
      for (const Uuid& old : decided.supersedes) admitted.superseded.emplace_back(old, decided.memory.id);
      admitted.memories.push_back(std::move(decided.memory));
    }
    return admitted;
  };
}

}  // namespace pandora
