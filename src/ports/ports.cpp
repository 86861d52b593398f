#include <array>

#include <fmt/format.h>

#include "base/hash.h"
#include "domain/turn.h"
#include "ports/document_store.h"
#include "ports/outbox.h"
#include "ports/tool_runner.h"

namespace pandora {
namespace {
struct KindName {
  OutboxKind kind;
  std::string_view name;
};
constexpr std::array kKinds = {
    KindName{OutboxKind::kTurnDirectory, "turn_directory"}, KindName{OutboxKind::kTurnPoint, "turn_point"},
    KindName{OutboxKind::kMemoryFile, "memory_file"},       KindName{OutboxKind::kMemoryPoint, "memory_point"},
    KindName{OutboxKind::kResearchFile, "research_file"},   KindName{OutboxKind::kResearchPoint, "research_point"},
    KindName{OutboxKind::kSourceFile, "source_file"},
};
}  // namespace

std::string describe_call(ToolStatus status, std::string_view approval, std::string_view arguments,
                          std::size_t result_bytes) {
  constexpr std::size_t kShownDigits = 16;
  return fmt::format("{}; approval {}; arguments {} bytes {}; result {} bytes", to_string(status), approval,
                     arguments.size(), sha256_hex(arguments).substr(0, kShownDigits), result_bytes);
}

std::string_view to_string(OutboxKind kind) { return kKinds[static_cast<std::size_t>(kind)].name; }

Result<OutboxKind> parse_outbox_kind(std::string_view text) {
  for (const auto& [kind, name] : kKinds)
    if (name == text) return kind;
  return fail(ErrorCode::kInvalidArgument, fmt::format("no outbox kind \"{}\"", text));
}

std::string turn_folder(TurnNumber number) { return "turns/" + turn_directory_name(number); }
std::string archived_turn_folder(TurnNumber number) { return "archive/" + turn_directory_name(number); }
std::string memory_path(const Uuid& id) { return "memories/" + id.to_string() + ".json"; }
std::string research_path(const Uuid& id) { return "research/" + id.to_string() + ".json"; }
std::string site_knowledge_path(const std::string& domain) {
  constexpr std::string_view kExtension = ".json";
  const bool fits = domain.size() + kExtension.size() <= kMaxDocumentName;
  return fmt::format("site_knowledge/{}{}", fits ? domain : sha256_hex(domain), kExtension);
}
std::string tombstone_path(const Uuid& uid) { return "forgotten/" + uid.to_string() + ".json"; }

}  // namespace pandora
