// What a search finds, and its order: score descending, then id ascending.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/ids.h"

namespace pandora {

// Where a point stands: every search structure of a collection is an array over slots.
using Slot = std::uint32_t;

struct Hit {
  Slot slot = 0;
  Uuid id;
  float score = 0;
  bool operator==(const Hit&) const = default;
};
bool better(const Hit& a, const Hit& b);

// Which id stands in a slot.
class SlotIds {
 public:
  virtual ~SlotIds() = default;
  virtual const Uuid& id(Slot slot) const = 0;  // in use
  virtual std::size_t bound() const = 0;        // every slot ever given out is below
};

// The best k of what is offered, in order.
class TopHits {
 public:
  explicit TopHits(std::size_t k) : k_(k) {}
  // False when no hit with this score can be among them, whatever its id.
  bool wants(float score) const { return hits_.size() < k_ || (k_ > 0 && score >= hits_.front().score); }
  void offer(const Hit& hit);
  bool full() const { return hits_.size() == k_; }
  const Hit& worst() const { return hits_.front(); }  // there is one
  std::vector<Hit> take();

 private:
  std::size_t k_;
  std::vector<Hit> hits_;  // a heap, the worst in front
};

}  // namespace pandora
