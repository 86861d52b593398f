// Turns that a question names: "turn 12", "turns 3 and 4", "#12". At most kMaxReferences, in the order of the text.
// Pure.
#pragma once
#include <string_view>
#include <vector>

#include "base/ids.h"

namespace pandora {

inline constexpr std::size_t kMaxReferences = 8;
std::vector<TurnNumber> referenced_turns(std::string_view question);

}  // namespace pandora
