// Phase 5 without a language model: an answer made of what was found, quoted, dated and named. Pure.
//
// At most kMaxQuotes, best first; each names who said it, and text of the web or a tool is labelled as such. What is
// quoted cannot end its quotation marks, nor carry control characters. A message that tells something is acknowledged.
// What could not be searched is said. `reason`, a sentence without its stop, says last why no model answered.
#pragma once
#include <string>
#include <string_view>

#include "domain/context_document.h"

namespace pandora {

inline constexpr std::size_t kMaxQuotes = 3;
inline constexpr std::size_t kMaxQuoteBytes = 400;

inline constexpr std::string_view kNoModelConfigured = "No language model is configured (setting model.url)";

// What becomes of the memories that the message proposes: "I will remember that" is said only when they are kept.
enum class Staged { kKept, kDropped };

std::string extractive_reply(std::string_view message, const GatherSection& gathered, std::string_view reason,
                             Staged staged = Staged::kKept);

// Does the message want an answer? Otherwise it tells something, and is acknowledged.
bool wants_answer(std::string_view message);

}  // namespace pandora
