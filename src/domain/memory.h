// Memories: what the user wants remembered apart from the turn in which he said it.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/principal.h"
#include "domain/turn.h"

namespace pandora {

enum class MemoryKind { kPreference, kFact, kNote };
std::string_view to_string(MemoryKind kind);
Result<MemoryKind> parse_memory_kind(std::string_view text);

struct Memory {
  Uuid id;  // UUIDv7
  UserId user;
  std::optional<SessionId> session;  // where it was said, if anywhere
  MemoryKind kind = MemoryKind::kNote;
  Scope scope = Scope::kUser;
  std::string content;
  std::string topic;
  std::vector<std::string> keywords;
  Trust trust = Trust::kUser;
  double confidence = 0.9;          // C0 at `created_at`; decays as preference or general fact (confidence.h)
  std::optional<Uuid> source_turn;  // uid of the turn that it came from
  Timestamp created_at;
  std::optional<Timestamp> expires_at;
  std::optional<Uuid> superseded_by;  // a newer memory that contradicts it; both stay, with their time
  bool operator==(const Memory&) const = default;
};
inline constexpr std::size_t kMaxMemoryBytes = 16 * 1024;

// A memory proposed during a turn; kept only when validation approves.
struct MemoryProposal {
  MemoryKind kind = MemoryKind::kFact;
  std::string content;
  Trust trust = Trust::kUser;
  bool operator==(const MemoryProposal&) const = default;
};

// What a message itself asks to be remembered ("remember that …", "I prefer …", "my … is …"), by rules on form. The
// proposals quote the user's words.
std::vector<MemoryProposal> propose_memories(std::string_view message);

// Does `newer` say of the same subject something else than `older` ("my favourite colour is red" / "… is green")?
// A rule on form: same words before the last verb or copula, other words behind it.
bool contradicts(std::string_view newer, std::string_view older);

}  // namespace pandora
