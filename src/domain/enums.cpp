// The names of every enumeration of the domain: one table each, both ways.
#include <array>
#include <string>

#include <fmt/format.h>

#include "domain/context_document.h"
#include "domain/memory.h"
#include "domain/observation.h"
#include "domain/principal.h"
#include "domain/recall_receipt.h"
#include "domain/research.h"
#include "domain/source.h"
#include "domain/turn.h"

namespace pandora {
namespace {

template <class E, std::size_t N>
struct Names {
  std::string_view what;
  std::array<std::string_view, N> names;  // by value

  std::string_view name(E value) const { return names[static_cast<std::size_t>(value)]; }
  Result<E> parse(std::string_view text) const {
    for (std::size_t i = 0; i < N; ++i)
      if (names[i] == text) return static_cast<E>(i);
    return fail(ErrorCode::kInvalidArgument, fmt::format("\"{}\" is no {}", text, what),
                fmt::format("use one of {}", fmt::join(names, ", ")));
  }
};

constexpr Names<Scope, 3> kScopes{"scope", {"session", "user", "global"}};
constexpr Names<Role, 2> kRoles{"role", {"user", "assistant"}};
constexpr Names<Trust, 4> kTrusts{"trust", {"web", "model", "tool", "user"}};
constexpr Names<Intent, 10> kIntents{
    "intent",
    {"question", "lookup", "task", "code", "shopping", "research", "preference", "memory", "smalltalk", "other"}};
constexpr Names<TurnStatus, 3> kTurnStatuses{"turn status", {"complete", "failed", "cancelled"}};
constexpr Names<ObjectOrigin, 2> kObjectOrigins{"origin of an object", {"image", "page"}};
constexpr Names<MemoryKind, 3> kMemoryKinds{"kind of memory", {"preference", "fact", "note"}};
constexpr Names<ResearchKind, 2> kResearchKinds{"kind of research", {"transactional", "informational"}};
constexpr Names<ContentType, 9> kContentTypes{"content type",
                                              {"availability", "price", "product_spec", "vendor", "strategy",
                                               "site_pattern", "preference", "general_fact", "other"}};
constexpr Names<SourceOverride, 3> kOverrides{"override", {"none", "allow", "block"}};
constexpr Names<ObservationKind, 5> kObservationKinds{"kind of observation",
                                                      {"turn", "phase", "tool", "model", "source"}};
constexpr Names<Reflection, 2> kReflections{"decision", {"PROCEED", "CLARIFY"}};
constexpr Names<GatheredKind, 6> kGatheredKinds{
    "kind of item", {"preference", "previous turn", "turn", "research", "memory", "source"}};
constexpr Names<RecallMode, 4> kRecallModes{"recall mode", {"hybrid", "lexical", "recent", "none"}};
constexpr Names<RowState, 7> kRowStates{"state of a row",
                                        {"holds", "gone", "rejected", "superseded", "expired", "blocked", "held"}};
constexpr Names<RecallFate, 12> kRecallFates{
    "fate of a candidate",
    {"injected", "already there", "noise", "not read", "gone", "rejected", "superseded", "expired", "decayed",
     "blocked source", "over budget", "over limit"}};
constexpr Names<Route, 2> kRoutes{"route", {"synthesis", "tools"}};
constexpr Names<ToolStatus, 5> kToolStatuses{"tool status", {"ok", "failed", "timed out", "refused", "cancelled"}};
constexpr Names<Verdict, 4> kVerdicts{"verdict", {"APPROVE", "REVISE", "RETRY", "FAIL"}};

}  // namespace

std::string_view to_string(Scope value) { return kScopes.name(value); }
std::string_view to_string(Role value) { return kRoles.name(value); }
std::string_view to_string(Trust value) { return kTrusts.name(value); }
std::string_view to_string(Intent value) { return kIntents.name(value); }
std::string_view to_string(ObjectOrigin value) { return kObjectOrigins.name(value); }
std::string_view to_string(TurnStatus value) { return kTurnStatuses.name(value); }
std::string_view to_string(MemoryKind value) { return kMemoryKinds.name(value); }
std::string_view to_string(ResearchKind value) { return kResearchKinds.name(value); }
std::string_view to_string(ContentType value) { return kContentTypes.name(value); }
std::string_view to_string(SourceOverride value) { return kOverrides.name(value); }
std::string_view to_string(ObservationKind value) { return kObservationKinds.name(value); }
std::string_view to_string(Reflection value) { return kReflections.name(value); }
std::string_view to_string(GatheredKind value) { return kGatheredKinds.name(value); }
std::string_view to_string(RecallMode value) { return kRecallModes.name(value); }
std::string_view to_string(RowState value) { return kRowStates.name(value); }
std::string_view to_string(RecallFate value) { return kRecallFates.name(value); }
std::string_view to_string(Route value) { return kRoutes.name(value); }
std::string_view to_string(ToolStatus value) { return kToolStatuses.name(value); }
std::string_view to_string(Verdict value) { return kVerdicts.name(value); }

Result<Scope> parse_scope(std::string_view text) { return kScopes.parse(text); }
Result<Role> parse_role(std::string_view text) { return kRoles.parse(text); }
Result<Trust> parse_trust(std::string_view text) { return kTrusts.parse(text); }
Result<Intent> parse_intent(std::string_view text) { return kIntents.parse(text); }
Result<ObjectOrigin> parse_object_origin(std::string_view text) { return kObjectOrigins.parse(text); }
Result<TurnStatus> parse_turn_status(std::string_view text) { return kTurnStatuses.parse(text); }
Result<MemoryKind> parse_memory_kind(std::string_view text) { return kMemoryKinds.parse(text); }
Result<ResearchKind> parse_research_kind(std::string_view text) { return kResearchKinds.parse(text); }
Result<ContentType> parse_content_type(std::string_view text) { return kContentTypes.parse(text); }
Result<SourceOverride> parse_source_override(std::string_view text) { return kOverrides.parse(text); }
Result<ObservationKind> parse_observation_kind(std::string_view text) { return kObservationKinds.parse(text); }
Result<Reflection> parse_reflection(std::string_view text) { return kReflections.parse(text); }
Result<GatheredKind> parse_gathered_kind(std::string_view text) { return kGatheredKinds.parse(text); }
Result<RecallMode> parse_recall_mode(std::string_view text) { return kRecallModes.parse(text); }
Result<Route> parse_route(std::string_view text) { return kRoutes.parse(text); }
Result<ToolStatus> parse_tool_status(std::string_view text) { return kToolStatuses.parse(text); }
Result<Verdict> parse_verdict(std::string_view text) { return kVerdicts.parse(text); }

}  // namespace pandora
