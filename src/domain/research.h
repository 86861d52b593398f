// Research: what was found out about a topic, from where, how good it is and how long it holds.
// Formulas and figures: "Research and confidence" of the rules (docs/rules.md).
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/principal.h"
#include "domain/turn.h"

namespace pandora {

enum class ResearchKind { kTransactional, kInformational };  // expires after 6 h, 24 h

// What a statement is about decides how fast it ages.
enum class ContentType {
  kAvailability,
  kPrice,
  kProductSpec,
  kVendor,
  kStrategy,
  kSitePattern,
  kPreference,
  kGeneralFact,
  kOther,
};
std::string_view to_string(ResearchKind kind);
std::string_view to_string(ContentType type);
Result<ResearchKind> parse_research_kind(std::string_view text);
Result<ContentType> parse_content_type(std::string_view text);

struct Finding {
  std::string claim;
  ContentType type = ContentType::kOther;
  double confidence = 0.5;
  std::vector<std::string> domains;  // the sources that say so
  bool operator==(const Finding&) const = default;
};

struct Research {
  Uuid id;  // UUIDv7
  UserId user;
  std::optional<SessionId> session;
  std::optional<Uuid> source_turn;
  std::string primary_topic;
  ResearchKind kind = ResearchKind::kInformational;
  Scope scope = Scope::kSession;  // promoted and demoted: scope_promotion.h
  std::vector<Finding> findings;
  std::vector<std::string> conflicts;                           // where sources disagreed, in words
  double completeness = 0, source_quality = 0, extraction = 0;  // parts of the quality, each 0..1
  double quality = 0;
  double confidence = 0;  // C0 at created_at
  int uses = 0;
  Timestamp created_at;
  Timestamp expires_at;
  bool operator==(const Research&) const = default;
};
inline constexpr std::size_t kMaxFindings = 200;

// overall = 0.40 completeness + 0.35 source quality + 0.25 extraction; completeness = min(1, findings / 5).
double research_quality(std::size_t findings, double source_quality, double extraction);
double research_completeness(std::size_t findings);
// How long research of a kind, and a fact of a type, hold.
Duration research_lifetime(ResearchKind kind);  // 6 h, 24 h
Duration fact_lifetime(ContentType type);       // availability 2 h, price 6 h, vendor 168 h, anything else 720 h

// By which topics are compared: white space collapsed, A to Z lower; other letters as they are.
std::string research_topic_key(std::string_view topic);

// Two findings of the same claim: agreement adds 0.05 (at most 0.99); on conflict the higher confidence wins.
double agreeing_confidence(double a, double b);
struct MergedFindings {
  std::vector<Finding> findings;
  std::vector<std::string> conflicts;
};
// Merges `incoming` into `known`; equal claims (after collapsing space and case) agree. `same_subject` decides
// conflict.
MergedFindings merge_findings(std::vector<Finding> known, const std::vector<Finding>& incoming);

}  // namespace pandora
