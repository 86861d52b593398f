#include "turns/memory_admission.h"

#include "base/log.h"
#include "domain/derive.h"

namespace pandora {
namespace {

constexpr double kConfidence[] = {0.5, 0.6, 0.8, 0.9};  // by trust: web, model, tool, user

Result<std::vector<Memory>> all_memories(MemoryStore& store, const UserId& user, const Deadline& deadline) {
  std::vector<Memory> all;
  MemoryQuery query;
  for (;;) {
    PANDORA_TRY(page, store.list(query, Principal::of(user), deadline));
    all.insert(all.end(), page.begin(), page.end());
    if (page.size() < query.limit) return all;
    query.after = page.back().id;
  }
}

}  // namespace

Result<AdmittedMemory> MemoryAdmission::decide(const MemoryCandidate& candidate,
                                               std::span<const std::string_view> recalled,
                                               std::span<const std::string_view> system_prompts,
                                               const Deadline& deadline) {
  PANDORA_TRY(known, all_memories(memories_, candidate.user, deadline));
  std::vector<std::string_view> existing;
  for (const auto& memory : known) existing.push_back(memory.content);

  AdmittedMemory decided;
  const MemoryProposal& proposal = candidate.proposal;
  decided.admission = admit(proposal.content, {recalled, system_prompts, existing});
  if (decided.admission != Admission::kAdmit) {
    log_info(
        "memory.not_kept",
        {{"reason", to_string(decided.admission)}, {"user", candidate.user.str()}, {"bytes", proposal.content.size()}});
    return decided;
  }
  Memory& memory = decided.memory;
  memory.id = ids_.next();
  memory.user = candidate.user;
  memory.session = candidate.session;
  memory.source_turn = candidate.source_turn;
  memory.kind = proposal.kind;
  memory.content = proposal.content;
  memory.topic = derive_topic(proposal.content, {});
  memory.keywords = derive_keywords(proposal.content, "", {});
  memory.trust = proposal.trust;
  memory.confidence = kConfidence[static_cast<int>(proposal.trust)];
  memory.created_at = clock_.now();
  for (const auto& other : known)
    if (other.user == candidate.user && other.trust <= proposal.trust && contradicts(proposal.content, other.content))
      decided.supersedes.push_back(other.id);
  return decided;
}

}  // namespace pandora
