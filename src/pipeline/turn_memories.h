// What becomes of a turn's proposals: memories that are saved with it, and older ones that they replace.
#pragma once
#include <functional>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "domain/turn_record.h"
#include "ports/knowledge_stores.h"

namespace pandora {

// Which proposals become memories (turns/memory_admission.h).
struct AdmissionRequest {
  const Turn& turn;
  const std::vector<MemoryProposal>& proposals;
  std::vector<std::string_view> recalled, system_prompts;
};
struct Admitted {
  std::vector<Memory> memories;
  std::vector<std::pair<Uuid, Uuid>> superseded;  // old memory → the one that replaces it
};
using AdmitMemories = std::function<Result<Admitted>(const AdmissionRequest&, const Deadline&)>;

// Neither step keeps a turn from being saved; what failed is said. By one thread at a time.
class TurnMemories {
 public:
  // Before the save: those that are admitted go into the record.
  void admit(TurnRecord& record, const std::vector<MemoryProposal>& proposals, const AdmitMemories& admit,
             const Deadline& deadline);
  // After it: what is replaced says so once its replacement is acknowledged.
  void supersede(MemoryStore& memories, const Principal& who, const Deadline& deadline);
  std::optional<Error> error;  // the last

 private:
  std::vector<std::pair<Uuid, Uuid>> superseded_;
};

}  // namespace pandora
