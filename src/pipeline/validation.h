// Phase 6 by rules: what can be said of a reply without asking a model. Pure.
//
// Starts from 0.9 and takes away: no words at all → 0; the reply stopped in the middle → 0.4 at most; every tool failed
// → 0.45 at most; some failed → 0.7 at most; it only repeats the message → 0.4 at most. verdict_for decides from the
// confidence.
#pragma once
#include <span>
#include <string_view>

#include "domain/context_document.h"

namespace pandora {

enum class ReplyEnd { kWhole, kCutOff };

ValidationAttempt validate_reply(std::string_view message, std::string_view reply, ReplyEnd end,
                                 std::span<const ToolBlock> tools);

}  // namespace pandora
