#include "turns/closed_segments.h"

#include <algorithm>

namespace pandora {

void ClosedSegments::close(std::uint64_t last, std::set<Uuid> under_way) {
  const std::uint64_t first = closed_.empty() ? 0 : closed_.back().segments.last + 1;
  for (const Closed& one : closed_)
    for (const Uuid& turn : one.waiting) under_way.erase(turn);
  closed_.push_back({{first, last}, std::move(under_way)});
}

void ClosedSegments::arrived(const Uuid& turn) {
  for (Closed& one : closed_) one.waiting.erase(turn);
}

std::vector<ClosedSegments::Range> ClosedSegments::take_done() {
  std::vector<Range> done;
  bool is_first = true;  // then what was before it may go as well, should it still be there
  for (const Closed& one : closed_) {
    if (one.waiting.empty()) done.push_back({is_first ? 0 : one.segments.first, one.segments.last});
    is_first = is_first && one.waiting.empty();
  }
  std::erase_if(closed_, [](const Closed& one) { return one.waiting.empty(); });
  return done;
}

}  // namespace pandora
