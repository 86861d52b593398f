#include "domain/research.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "domain/memory.h"

namespace pandora {
namespace {

std::string normal_claim(std::string_view claim) {
  std::string text = research_topic_key(claim);
  while (text.ends_with('.')) text.pop_back();
  return text;
}

// Of the same subject, yet saying something else: `contradicts` of memory.h judges by form.
bool conflicting(const Finding& a, const Finding& b) { return a.type == b.type && contradicts(a.claim, b.claim); }

}  // namespace

std::string research_topic_key(std::string_view topic) {
  std::string key = collapse_space(topic);
  std::ranges::transform(key, key.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return key;
}

double research_completeness(std::size_t findings) { return std::min(1.0, static_cast<double>(findings) / 5.0); }

double research_quality(std::size_t findings, double source_quality, double extraction) {
  return 0.40 * research_completeness(findings) + 0.35 * source_quality + 0.25 * extraction;
}

Duration research_lifetime(ResearchKind kind) {
  return std::chrono::hours(kind == ResearchKind::kTransactional ? 6 : 24);
}

Duration fact_lifetime(ContentType type) {
  switch (type) {
    case ContentType::kAvailability:
      return std::chrono::hours(2);
    case ContentType::kPrice:
      return std::chrono::hours(6);
    case ContentType::kVendor:
      return std::chrono::hours(168);
    default:
      return std::chrono::hours(720);
  }
}

double agreeing_confidence(double a, double b) {
  return std::max(std::max(a, b), std::min(0.99, std::max(a, b) + 0.05));
}

MergedFindings merge_findings(std::vector<Finding> known, const std::vector<Finding>& incoming) {
  MergedFindings merged{std::move(known), {}};
  for (const Finding& finding : incoming) {
    const auto same = std::ranges::find_if(merged.findings, [&](const Finding& other) {
      return normal_claim(other.claim) == normal_claim(finding.claim);
    });
    if (same != merged.findings.end()) {
      const auto is_new = [&](const std::string& domain) {
        return std::ranges::find(same->domains, domain) == same->domains.end();
      };
      const bool another_source = std::ranges::any_of(finding.domains, is_new);
      same->confidence = another_source ? agreeing_confidence(same->confidence, finding.confidence)
                                        : std::max(same->confidence, finding.confidence);
      for (const auto& domain : finding.domains)
        if (is_new(domain)) same->domains.push_back(domain);
      continue;
    }
    const auto other = std::ranges::find_if(merged.findings, [&](const Finding& f) { return conflicting(f, finding); });
    if (other == merged.findings.end()) {
      if (merged.findings.size() < kMaxFindings) merged.findings.push_back(finding);
      continue;
    }
    const bool wins = finding.confidence > other->confidence;
    const Finding& winner = wins ? finding : *other;
    const Finding& loser = wins ? *other : finding;
    merged.conflicts.push_back(fmt::format("\"{}\" ({:.2f}) against \"{}\" ({:.2f})", winner.claim, winner.confidence,
                                           loser.claim, loser.confidence));
    if (wins) *other = finding;
  }
  return merged;
}

}  // namespace pandora
