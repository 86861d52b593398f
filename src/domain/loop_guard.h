// Loop-proof writes: what the assistant was shown must not come back as something it was told.
//
// Shingles of five words after normalisation. A candidate is refused when ≥ 0.8 of its shingles stand in a text that
// was injected (recalled text, system prompt), when it equals or nearly equals (Jaccard ≥ 0.85) a memory that exists
// and does not contradict it (memory.h: a correction is new). Texts of fewer than five words are compared as a whole.
// Pure; bounded by kMaxGuardBytes a text (the rest is not looked at).
#pragma once
#include <span>
#include <string>
#include <string_view>

namespace pandora {

inline constexpr std::size_t kMaxGuardBytes = 256 * 1024;

enum class Admission { kAdmit, kEmpty, kRecalledText, kSystemPrompt, kExactDuplicate, kNearDuplicate };
std::string_view to_string(Admission admission);  // for the log: why

struct AdmissionContext {
  std::span<const std::string_view> recalled;  // what §2 injected in this session's turn
  std::span<const std::string_view> system_prompts;
  std::span<const std::string_view> existing;  // memories of this user
};
Admission admit(std::string_view candidate, const AdmissionContext& context);

// Share of a's shingles that stand in b; Jaccard similarity. 0 to 1.
double containment(std::string_view a, std::string_view b);
double similarity(std::string_view a, std::string_view b);

}  // namespace pandora
