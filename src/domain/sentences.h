// Text cut into sentences, for summaries and for what a message tells. Pure.
#pragma once
#include <string_view>
#include <vector>

namespace pandora {

// In order, trimmed, none empty; the mark at the end stays. A sentence ends at . ! ? … followed by white space, at a
// full-width mark, or at a line's end; not after a single letter or a common abbreviation ("e.g.", "Dr.").
std::vector<std::string_view> sentences(std::string_view text);

}  // namespace pandora
