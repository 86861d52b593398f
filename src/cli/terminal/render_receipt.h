// Receipts of recalls for people: tables that fit a terminal of 120 columns. `--json` has everything. Pure.
#pragma once
#include <string>

#include "wire/json_reader.h"

namespace pandora {

// Of each list so many are shown, besides those that were injected.
inline constexpr std::size_t kShownCandidates = 20;

std::string render_recalls(const Json& result);  // of recalls.list
std::string render_recall(const Json& result);   // of recalls.show
std::string render_replay(const Json& result);   // of recalls.replay

}  // namespace pandora
