// Sources: how far a domain can be relied on, learnt from every fetch.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace pandora {

enum class SourceOverride { kNone, kAllow, kBlock };
std::string_view to_string(SourceOverride value);
Result<SourceOverride> parse_source_override(std::string_view text);

struct Source {
  std::string domain;  // lower case, no scheme, port or trailing dot
  std::int64_t successes = 0, failures = 0;
  std::int64_t recent_successes = 0, recent_failures = 0;  // of the last 30 days, when the attempt log is there
  std::optional<Timestamp> last_success, last_failure;
  SourceOverride manual = SourceOverride::kNone;
  std::vector<std::string> worked, failed;  // what did on this site, newest first, at most kMaxSitePatterns each
  bool operator==(const Source&) const = default;
};
inline constexpr std::size_t kMaxSitePatterns = 20;

// (successes + 1) / (successes + failures + 2): 0.5 without evidence. The last 30 days count when there are any.
double source_score(const Source& source);
// What a source's score does to a claim's confidence: ≥ 0.85 × 1.1, ≤ 0.50 × 0.8, linear between; the result ≤ 0.99.
double weighed_confidence(double confidence, double score);
// "HTTPS://Www.Example.COM:443/x" → "www.example.com". kInvalidArgument when there is no domain in it.
Result<std::string> normalise_domain(std::string_view url_or_domain);

}  // namespace pandora
