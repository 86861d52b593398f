#include "domain/source.h"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "base/text.h"

namespace pandora {

double source_score(const Source& source) {
  const bool recent = source.recent_successes + source.recent_failures > 0;
  const auto good = static_cast<double>(recent ? source.recent_successes : source.successes);
  const auto bad = static_cast<double>(recent ? source.recent_failures : source.failures);
  return (good + 1) / (good + bad + 2);
}

double weighed_confidence(double confidence, double score) {
  constexpr double kLow = 0.50, kHigh = 0.85, kLowFactor = 0.8, kHighFactor = 1.1;
  const double position = std::clamp((score - kLow) / (kHigh - kLow), 0.0, 1.0);
  return std::min(0.99, confidence * (kLowFactor + (kHighFactor - kLowFactor) * position));
}

Result<std::string> normalise_domain(std::string_view url_or_domain) {
  constexpr std::size_t kMaxDomain = 253, kMaxLabel = 63;
  std::string_view rest = trim(url_or_domain);
  if (const auto scheme = rest.find("://"); scheme != std::string_view::npos) rest.remove_prefix(scheme + 3);
  rest = rest.substr(0, rest.find_first_of("/?#"));
  if (const auto at = rest.rfind('@'); at != std::string_view::npos) rest.remove_prefix(at + 1);
  rest = rest.substr(0, rest.find(':'));
  while (rest.ends_with('.')) rest.remove_suffix(1);
  std::string domain(rest);
  std::ranges::transform(domain, domain.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });

  std::size_t label = 0;
  bool good = !domain.empty() && domain.size() <= kMaxDomain;
  char before = '.';
  for (const char c : domain) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    good = good && (letter || (c == '-' && before != '.') || (c == '.' && before != '.' && before != '-'));
    label = c == '.' ? 0 : label + 1;
    good = good && label <= kMaxLabel;
    before = c;
  }
  if (good && before != '-') return domain;
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("\"{}\" names no domain", one_line(ellipsize(url_or_domain, 100))),
              "write it as example.com");
}

}  // namespace pandora
