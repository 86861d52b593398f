#include "domain/loop_guard.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "base/text.h"
#include "domain/analyzer.h"
#include "domain/memory.h"

namespace pandora {
namespace {

constexpr std::size_t kShingle = 5;
constexpr double kContained = 0.8;
constexpr double kSimilar = 0.85;

// Every word, also the little ones: "I like tea" and "I do not like tea" are not the same.
// And written out: the analyser parts "I'm" into "i" and "m", which is the same as "I am".
std::vector<Term> words(std::string_view text) {
  auto terms = analyze(text.substr(0, std::min(text.size(), kMaxGuardBytes)), StopWords::kKept);
  for (std::size_t i = 1; i < terms.size(); ++i) {
    std::string& tail = terms[i].text;
    std::string& head = terms[i - 1].text;
    if (tail == "m" && head == "i")
      tail = "am";
    else if (tail == "re")
      tail = "are";
    else if (tail == "ve")
      tail = "have";
    else if (tail == "ll")
      tail = "will";
    else if (tail == "t" && head.ends_with('n')) {
      tail = "not";
      if (head == "won")
        head = "will";
      else if (head != "can")
        head.pop_back();  // "don't", "isn't", "haven't"
    }
  }
  return terms;
}

// Sorted, distinct hashes of every run of five words; of the whole when there are fewer.
std::vector<std::uint64_t> shingles(std::string_view text) {
  const auto terms = words(text);
  std::vector<std::uint64_t> result;
  const std::size_t runs = terms.size() < kShingle ? (terms.empty() ? 0 : 1) : terms.size() - kShingle + 1;
  for (std::size_t at = 0; at < runs; ++at) {
    std::uint64_t hash = 14'695'981'039'346'656'037u;
    for (std::size_t i = at; i < std::min(at + kShingle, terms.size()); ++i)
      hash = (hash ^ term_id(terms[i].text)) * 1'099'511'628'211u;
    result.push_back(hash);
  }
  std::ranges::sort(result);
  result.erase(std::ranges::unique(result).begin(), result.end());
  return result;
}

std::size_t common(const std::vector<std::uint64_t>& a, const std::vector<std::uint64_t>& b) {
  std::size_t count = 0;
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    if (a[i] == b[j])
      ++count, ++i, ++j;
    else if (a[i] < b[j])
      ++i;
    else
      ++j;
  }
  return count;
}

// A text of fewer than five words has one shingle, itself: it is contained only where it stands as a whole.
bool short_text_within(std::string_view candidate, std::string_view text) {
  const auto needle = words(candidate), hay = words(text);
  if (needle.empty() || needle.size() >= kShingle) return false;
  const auto same = [](const Term& a, const Term& b) { return a.text == b.text; };
  return std::search(hay.begin(), hay.end(), needle.begin(), needle.end(), same) != hay.end();
}

bool repeats(std::string_view candidate, std::span<const std::string_view> texts) {
  return std::ranges::any_of(texts, [&](std::string_view text) {
    return containment(candidate, text) >= kContained || short_text_within(candidate, text);
  });
}

}  // namespace

std::string_view to_string(Admission admission) {
  switch (admission) {
    case Admission::kAdmit:
      return "admitted";
    case Admission::kEmpty:
      return "empty";
    case Admission::kRecalledText:
      return "recalled text";
    case Admission::kSystemPrompt:
      return "system prompt";
    case Admission::kExactDuplicate:
      return "exact duplicate";
    case Admission::kNearDuplicate:
      return "near duplicate";
  }
  return "";
}

double containment(std::string_view a, std::string_view b) {
  const auto sa = shingles(a), sb = shingles(b);
  return sa.empty() ? 0 : static_cast<double>(common(sa, sb)) / static_cast<double>(sa.size());
}

double similarity(std::string_view a, std::string_view b) {
  const auto sa = shingles(a), sb = shingles(b);
  const std::size_t both = common(sa, sb), all = sa.size() + sb.size() - both;
  return all == 0 ? 0 : static_cast<double>(both) / static_cast<double>(all);
}

Admission admit(std::string_view candidate, const AdmissionContext& context) {
  const std::string normal = collapse_space(candidate);
  if (words(candidate).empty()) return Admission::kEmpty;
  for (const std::string_view existing : context.existing)
    if (collapse_space(existing) == normal) return Admission::kExactDuplicate;
  for (const std::string_view existing : context.existing)
    if (similarity(candidate, existing) >= kSimilar && !contradicts(candidate, existing))
      return Admission::kNearDuplicate;
  if (repeats(candidate, context.system_prompts)) return Admission::kSystemPrompt;
  if (repeats(candidate, context.recalled)) return Admission::kRecalledText;
  return Admission::kAdmit;
}

}  // namespace pandora
