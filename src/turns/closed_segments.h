// Which segments of the journal are needed no more. Internal to turns; not thread-safe.
//
// The journal goes on in a new segment from time to time. Those it left may go once every turn in them has its row and
// its directory. A turn that waits for long holds up the segments that were left with it, not those that came later.
#pragma once
#include <cstdint>
#include <deque>
#include <set>
#include <vector>

#include "base/ids.h"

namespace pandora {

class ClosedSegments {
 public:
  struct Range {
    std::uint64_t first, last;
  };
  bool empty() const { return closed_.empty(); }  // nothing waits
  // Everything up to `last` is left, with these turns under way; who waits already does so once.
  void close(std::uint64_t last, std::set<Uuid> under_way);
  void arrived(const Uuid& turn);
  // What may go, ascending; each is told once.
  std::vector<Range> take_done();

 private:
  struct Closed {
    Range segments;
    std::set<Uuid> waiting;
  };
  std::deque<Closed> closed_;  // ascending; bounded by the turns that wait
};

}  // namespace pandora
