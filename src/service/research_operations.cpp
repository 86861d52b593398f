#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "domain/confidence.h"
#include "domain/scope_promotion.h"
#include "service/operation.h"

namespace pandora {
namespace {

Result<Finding> read_finding(const Json& json, const std::string& place) {
  JsonReader in(json, place, ErrorCode::kInvalidArgument);
  Finding finding;
  finding.claim = collapse_space(sanitize_utf8(in.text("claim")));
  finding.type = in.optional_value("type", parse_content_type).value_or(ContentType::kOther);
  finding.confidence = in.any("confidence") ? in.number("confidence") : 0.7;
  if (in.any("domains"))
    for (const auto& name : in.texts("domains")) {
      const auto domain = normalise_domain(name);
      if (!domain)
        in.fault("domains", domain.error().message);
      else
        finding.domains.push_back(*domain);
    }
  if (in.ok() && finding.claim.empty()) in.fault("claim", "is empty");
  if (in.ok() && !(finding.confidence >= 0 && finding.confidence <= 1))
    in.fault("confidence", "must be between 0 and 1");
  PANDORA_CHECK(in.finish());
  return finding;
}

// Quality, confidence and expiry follow from the findings and what is known of their sources.
Status judge(OperationCall& call, Research& research) {
  double scores = 0, confidence = 0;
  std::size_t sources = 0;
  Duration lifetime = research_lifetime(research.kind);
  for (const auto& finding : research.findings) {
    confidence += finding.confidence;
    lifetime = std::min(lifetime, fact_lifetime(finding.type));
    for (const auto& domain : finding.domains) {
      const auto source = call.parts.stores.sources.find(domain, call.parts.clock.now(), call.deadline);
      if (!source && source.error().code != ErrorCode::kNotFound) return fail(source.error());
      scores += source ? source_score(*source) : 0.5;
      ++sources;
    }
  }
  const auto count = static_cast<double>(research.findings.size());
  research.completeness = research_completeness(research.findings.size());
  research.source_quality = sources ? scores / static_cast<double>(sources) : 0.5;
  research.extraction = confidence / count;
  research.quality = research_quality(research.findings.size(), research.source_quality, research.extraction);
  research.confidence = confidence / count;
  research.expires_at = research.created_at + lifetime;
  return {};
}

Result<Json> add(OperationCall& call) {
  Research research;
  research.user = call.who.user;
  research.primary_topic = collapse_space(sanitize_utf8(call.in.text("topic")));
  research.kind = call.in.optional_value("kind", parse_research_kind).value_or(ResearchKind::kInformational);
  research.session = call.in.optional_value("session", SessionId::parse);
  std::vector<Finding> findings;
  if (const Json* array = call.in.array("findings"))
    for (std::size_t i = 0; i < array->size() && call.in.ok(); ++i) {
      auto finding = read_finding((*array)[i], fmt::format("research.add.findings[{}]", i));
      if (finding)
        findings.push_back(*std::move(finding));
      else
        call.in.absorb(fail(std::move(finding).error()));
    }
  if (call.in.ok() && research.primary_topic.empty()) call.in.fault("topic", "is empty");
  if (call.in.ok() && (findings.empty() || findings.size() > kMaxFindings))
    call.in.fault("findings", fmt::format("must hold 1 to {}", kMaxFindings));
  PANDORA_CHECK(call.in.finish());

  research.created_at = call.parts.clock.now();
  PANDORA_TRY(known, call.parts.stores.research.list({research.primary_topic, research.created_at, {}, 1}, call.who,
                                                     call.deadline));
  const bool mine = !known.empty() && known.front().user == call.who.user;
  research.id = mine ? known.front().id : call.parts.ids.next();
  research.scope = mine ? known.front().scope : Scope::kSession;
  research.uses = mine ? known.front().uses : 0;
  auto merged = merge_findings(mine ? known.front().findings : std::vector<Finding>(), findings);
  research.findings = std::move(merged.findings);
  research.conflicts = std::move(merged.conflicts);
  PANDORA_CHECK(judge(call, research));
  PANDORA_CHECK(call.parts.stores.research.put(research, call.who, call.deadline));
  return Json{{"research", to_json(research)}, {"merged", mine}};
}

Json shown(const Research& research, Timestamp now) {
  Json json = to_json(research);
  json["confidence_now"] = decayed_confidence(research.confidence, ContentType::kOther, now - research.created_at);
  json["expired"] = research.expires_at <= now;
  return json;
}

Result<Json> list(OperationCall& call) {
  ResearchQuery query;
  if (!call.in.boolean_or("all", false)) query.valid_at = call.parts.clock.now();
  query.after = call.in.optional_value("after", Uuid::parse);
  PANDORA_TRY(limit, read_limit(call.in, 200, kMaxPage));
  query.limit = limit;
  PANDORA_CHECK(call.in.finish());
  PANDORA_TRY(found, call.parts.stores.research.list(query, call.who, call.deadline));
  Json array = Json::array();
  for (const auto& research : found) array.push_back(shown(research, call.parts.clock.now()));
  return Json{{"research", array}};
}

// What is fresh enough is reused, and every use counts towards its scope.
Result<Json> find(OperationCall& call) {
  const std::string topic = call.in.text("topic");
  PANDORA_CHECK(call.in.finish());
  const Timestamp now = call.parts.clock.now();
  PANDORA_TRY(found, call.parts.stores.research.list({topic, now, {}, 10}, call.who, call.deadline));
  Json array = Json::array();
  const auto use = [now](Research& research) {
    ++research.uses;
    research.scope = next_scope(research.scope, research.uses, research.source_quality, now - research.created_at);
  };
  for (auto& research : found) {
    if (research.user == call.who.user) {
      // Of the row as it is now: others use it as well, and what was forgotten meanwhile is not used any more.
      auto used = call.parts.stores.research.change(research.id, use, call.who, call.deadline);
      if (!used && used.error().code == ErrorCode::kNotFound) continue;
      if (!used) return fail(std::move(used).error());
      research = *std::move(used);
    }
    array.push_back(shown(research, now));
  }
  return Json{{"research", array}};
}

}  // namespace

std::vector<Operation> research_operations() {
  return {
      {{"research.add", "topic, findings: [{claim, type?, confidence?, domains?}], kind?, session?",
        "keeps findings; merges with fresh ones of the same topic"},
       add},
      {{"research.list", "all? = false, after?, limit? = 200", "research that still holds"}, list},
      {{"research.find", "topic", "fresh research of a topic; counts the use"}, find},
  };
}

}  // namespace pandora
