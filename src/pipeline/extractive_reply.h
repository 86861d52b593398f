// Phase 5 without a language model: an answer made of what was found, quoted, dated and named. Pure.
//
// At most kMaxQuotes, best first; text of the web or a tool is labelled as such. A message that tells something is
// acknowledged. `reason`, a sentence without its stop, says in the last line why no model answered.
#pragma once
#include <string>
#include <string_view>

#include "domain/context_document.h"

namespace pandora {

inline constexpr std::size_t kMaxQuotes = 3;
inline constexpr std::size_t kMaxQuoteBytes = 400;

inline constexpr std::string_view kNoModelConfigured = "No language model is configured (setting model.url)";

std::string extractive_reply(std::string_view message, const GatherSection& gathered, std::string_view reason);

}  // namespace pandora
