#include "vecdb/posting_list.h"

#include <algorithm>

namespace pandora {
namespace {

auto place_in(auto& postings, Slot slot) { return std::ranges::lower_bound(postings, slot, {}, &Posting::slot); }

void measure(PostingList::Block& block) {
  block.first = block.postings.front().slot;
  block.last = block.postings.back().slot;
  block.largest = std::ranges::max(block.postings, {}, &Posting::weight).weight;
}

}  // namespace

std::size_t PostingList::block_of(Slot slot, std::size_t from) const {
  const auto rest = std::span(blocks_).subspan(from);
  return from + static_cast<std::size_t>(std::ranges::lower_bound(rest, slot, {}, &Block::last) - rest.begin());
}

void PostingList::put(Slot slot, float weight) {
  ++size_;
  if (blocks_.empty() || slot > blocks_.back().last) {  // behind all: fill the last block, then begin another
    if (blocks_.empty() || blocks_.back().postings.size() == kBlock) blocks_.emplace_back();
    Block& block = blocks_.back();
    block.postings.push_back({slot, weight});
    block.first = block.postings.front().slot;
    block.last = slot;
    block.largest = block.postings.size() == 1 ? weight : std::max(block.largest, weight);
    return;
  }
  std::size_t at = block_of(slot, 0);
  if (blocks_[at].postings.size() == kBlock) {
    Block upper;
    auto& all = blocks_[at].postings;
    upper.postings.assign(all.begin() + kBlock / 2, all.end());
    all.resize(kBlock / 2);
    measure(upper);
    measure(blocks_[at]);
    blocks_.insert(blocks_.begin() + static_cast<std::ptrdiff_t>(at) + 1, std::move(upper));
    if (slot > blocks_[at].last) ++at;
  }
  Block& block = blocks_[at];
  block.postings.insert(place_in(block.postings, slot), {slot, weight});
  block.first = block.postings.front().slot;
  block.largest = std::max(block.largest, weight);
}

void PostingList::remove(Slot slot) {
  --size_;
  const std::size_t at = block_of(slot, 0);
  Block& block = blocks_[at];
  block.postings.erase(place_in(block.postings, slot));
  if (block.postings.empty()) {
    blocks_.erase(blocks_.begin() + static_cast<std::ptrdiff_t>(at));
    return;
  }
  // What has become small joins its neighbour, so that a list that shrinks has not ever more blocks than it needs.
  if (at + 1 < blocks_.size() && block.postings.size() + blocks_[at + 1].postings.size() <= kBlock / 2) {
    const auto& next = blocks_[at + 1].postings;
    block.postings.insert(block.postings.end(), next.begin(), next.end());
    blocks_.erase(blocks_.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
  measure(block);
}

const float* PostingList::find(Slot slot, std::size_t from) const {
  const std::size_t at = block_of(slot, from);
  if (at == blocks_.size()) return nullptr;
  const auto place = place_in(blocks_[at].postings, slot);
  return place->slot == slot ? &place->weight : nullptr;
}

}  // namespace pandora
