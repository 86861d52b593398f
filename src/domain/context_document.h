// The context document, §0 to §6: what a turn was asked, gathered, planned, did, said and was judged.
//
// Append-only by section; §4, §5, §6 grow by attempts, each labelled. `render` makes Markdown that a person likes to
// read; `parse` gives back the very same value: for every document d with valid UTF-8, parse(render(d)) == d (property
// test and fuzzer). The format carries a version in its first line; every version has a golden file in
// tests/domain/golden/. `parse` of anything else is kDataCorrupt, naming the line.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/turn.h"

namespace pandora {

struct QuerySection {    // §0, phase 0
  std::string message;   // as the user wrote it
  std::string question;  // made self-contained
  bool operator==(const QuerySection&) const = default;
};

enum class Reflection { kProceed, kClarify };
struct ReflectionSection {  // §1, phase 1
  Reflection decision = Reflection::kProceed;
  std::string reason;
  std::string question;  // what to ask back; only for kClarify
  bool operator==(const ReflectionSection&) const = default;
};

enum class GatheredKind { kPreference, kPreviousTurn, kTurn, kResearch, kMemory, kSource };
struct GatheredItem {
  GatheredKind kind = GatheredKind::kTurn;
  std::string source;   // "turn 12", "memory 0190…", "research …", a domain: how the reply names it
  std::string id;       // uid of what it is
  std::string session;  // where it was said; empty: nowhere
  Timestamp at;
  Trust trust = Trust::kUser;
  double confidence = 1;  // after decay
  double score = 0;       // of the ranking that put it here
  std::string text;       // quoted, as injected
  bool operator==(const GatheredItem&) const = default;
};
enum class RecallMode { kHybrid, kLexical, kRecent, kNone };  // how far the search got; worse ones are said
struct GatherSection {                                        // §2, phase 2
  RecallMode mode = RecallMode::kNone;
  std::vector<GatheredItem> items;   // in the order injected
  std::vector<std::string> missing;  // what could not be found or searched, and why
  std::int64_t tokens = 0;           // of all items' text
  bool operator==(const GatherSection&) const = default;
};

enum class Route { kSynthesis, kTools };
struct PlanSection {  // §3, phase 3
  int attempt = 1;
  std::vector<std::string> goals;
  Route route = Route::kSynthesis;
  bool operator==(const PlanSection&) const = default;
};

enum class ToolStatus { kOk, kFailed, kTimedOut, kRefused, kCancelled };
struct ToolBlock {  // one block of §4, phase 4
  int attempt = 1;
  int pass = 1;
  std::string tool;
  std::string arguments;  // JSON text, as the model gave it
  ToolStatus status = ToolStatus::kOk;
  std::string result;  // quoted data
  std::vector<std::string> claims;
  bool operator==(const ToolBlock&) const = default;
};

struct SynthesisAttempt {  // §5, phase 5
  int attempt = 1;
  std::string model;
  std::string text;
  bool operator==(const SynthesisAttempt&) const = default;
};

enum class Verdict { kApprove, kRevise, kRetry, kFail };
struct ValidationAttempt {  // §6, phase 6
  int attempt = 1;
  Verdict verdict = Verdict::kApprove;
  double confidence = 0;
  std::vector<std::string> issues;
  bool operator==(const ValidationAttempt&) const = default;
};

struct ContextDocument {
  Uuid turn_uid;
  QuerySection query;
  ReflectionSection reflection;
  GatherSection gathered;
  std::vector<PlanSection> plans;
  std::vector<ToolBlock> tools;
  std::vector<SynthesisAttempt> replies;
  std::vector<ValidationAttempt> validations;
  bool operator==(const ContextDocument&) const = default;
};

inline constexpr int kContextDocumentVersion = 1;
inline constexpr std::size_t kMaxContextDocumentBytes = 64 * 1024 * 1024;

std::string render(const ContextDocument& document);
Result<ContextDocument> parse_context_document(std::string_view markdown);

std::string_view to_string(Reflection value);
std::string_view to_string(GatheredKind value);
std::string_view to_string(RecallMode value);
std::string_view to_string(Route value);
std::string_view to_string(ToolStatus value);
std::string_view to_string(Verdict value);
Result<Reflection> parse_reflection(std::string_view text);
Result<GatheredKind> parse_gathered_kind(std::string_view text);
Result<RecallMode> parse_recall_mode(std::string_view text);
Result<Route> parse_route(std::string_view text);
Result<ToolStatus> parse_tool_status(std::string_view text);
Result<Verdict> parse_verdict(std::string_view text);

// APPROVE ≥ 0.80, REVISE 0.50–0.79, RETRY 0.30–0.49, FAIL below.
Verdict verdict_for(double confidence);

}  // namespace pandora
