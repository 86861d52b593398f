// The search structures of one collection, kept in files: what the owner of rows needs to search them.
//
// The owner's rows are the truth. Each change of a row has a sequence number, rising over the life of the owner's
// database, and the owner can tell again which rows and removals came after a number. This index follows: `put` and
// `remove` in any order and as often as one likes, for a point's highest number wins. The owner feeds what came after
// `applied`, and says how far it is with `set_applied`.
//
// Points stand in slots, one behind the other. What was written to files (`index_files.h`) is in parts that never
// change: codes are copied from there at start, all else is read in place; a point that is put anew gets a new slot
// elsewhere, its old one is dead. What came since is the tail, in memory. Where parts have gone because nobody lived
// there any more, the next tail stands: however often points are put anew, slots do not become more and more. So a slot
// means something only until the next change. Every block of a file is checked against
// its checksum before anything is read from it: a search, or a change, that meets damage gives kDataCorrupt; then
// `drop_damaged` lets the part go, and the owner feeds all its rows again (those still there cost a look-up each).
//
// Memory at 384 dimensions: 512 bytes of codes and some 9 for the id's slot a point, dead ones too until their part is
// written anew; and the tail. Threads: many search or one changes, guarded by the owner; writing files goes on beside
// both. Bounds: kMaxSlots points, dead ones of parts too.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "vecdb/dense_index.h"
#include "vecdb/id_slots.h"
#include "vecdb/index_part.h"
#include "vecdb/memory_part.h"
#include "vecdb/payload_select.h"
#include "vecdb/sparse_search.h"

namespace pandora {

struct IndexedPoint {
  Uuid id;
  std::uint64_t seq = 0;                      // of the change that made it, > 0
  std::vector<std::span<const float>> dense;  // by number; an empty one: the point has none
  std::vector<const SparseVector*> sparse;    // by number; null or without terms: the point has none
  const Payload* payload = nullptr;           // of it the shape's fields are indexed; nothing else is kept
  std::string_view stored;                    // kept, and given back by `stored`
  std::vector<const DenseCode*> codes = {};   // by number, made ahead (`code_of`); missing or null: made by `put`
};

class PointIndex final : public SlotIds {
 public:
  static constexpr std::size_t kMaxSlots = std::size_t{1} << 31;
  // Slots side by side that are given again; fewer wait until their neighbours have gone.
  static constexpr std::size_t kLeastStretch = CodeTable::kChunkSlots;

  // `options`: of each dense vector's scan. `least_stretch`, `most_slots`: for tests.
  explicit PointIndex(IndexShape shape, DenseOptions options = {}, std::size_t least_stretch = kLeastStretch,
                      std::size_t most_slots = kMaxSlots);
  ~PointIndex() override;
  const IndexShape& shape() const { return shape_; }

  // Changes. Nothing happens (false) when a change as new is in already; `remove` also when the point is not there.
  // kResourceExhausted without a slot left (`room`). Vectors are of the shape's dimensions, checked by the caller.
  Result<bool> put(const IndexedPoint& point);
  Result<bool> remove(const Uuid& id, std::uint64_t seq);
  // By the one who changes it, also beside searches.
  DenseCode code_of(std::size_t number, std::span<const float> vector) const { return dense_[number]->code_of(vector); }

  // Every row up to `applied` is in, and every removal up to `removals_applied`; later ones may be. Removals may be fed
  // before rows: one is no danger to a point that was put after it. But a row that is fed must still be there when it
  // is put (the owner holds changes off meanwhile): the index forgets what was removed.
  std::uint64_t applied() const { return applied_; }
  std::uint64_t removals_applied() const { return removals_applied_; }
  void set_applied(std::uint64_t rows, std::uint64_t removals) { applied_ = rows, removals_applied_ = removals; }
  std::size_t unsaved() const { return unsaved_; }  // changes that are in no file yet
  bool damaged() const;                             // a part is, as a search found
  // Lets damaged parts go, and returns how many points with them; `applied` is 0 then.
  std::size_t drop_damaged();
  // Parts of which more than a quarter is dead keep memory and names for nothing: some of the slots whose points should
  // move into the tail, so that the parts can go; none when all is well, and none of a part whose points do not all
  // find room: it would stay, and the last slots are for points that come. The owner moves them, with the payload that
  // they were put with. `move` without a slot left: kResourceExhausted, as `put`.
  std::vector<Slot> worth_moving(std::size_t most) const;
  Status move(Slot slot, const Payload& payload);

  std::optional<Slot> find(const Uuid& id) const { return ids_.find(id, *this); }
  std::uint64_t seq(Slot slot) const { return part(slot).seq(slot); }
  const Uuid& id(Slot slot) const override { return part(slot).id(slot); }
  std::size_t bound() const override { return bound_; }
  const SlotSet& live() const { return live_; }  // what a filter starts from
  std::size_t size() const { return ids_.size(); }
  std::size_t room() const;  // slots that are left for points that come or are put anew

  const SlotSet& with_dense(std::size_t number) const { return dense_[number]->present(); }  // live ones that have it
  bool has_terms(std::size_t number, Slot slot) const { return part(slot).has_terms(number, slot); }
  Result<std::string_view> stored(Slot slot) const;  // until the next change
  // The vector as it was put; none when the point has none.
  Result<std::optional<SparseVector>> sparse(std::size_t number, Slot slot) const;
  Result<std::span<const float>> dense(std::size_t number, Slot slot) const;

  // As PayloadIndex; live slots only.
  Result<std::optional<SelectedSlots>> select(const Condition& condition) const;
  Result<SlotSet> with_text(const std::string& field, const std::string& text) const;
  // As DenseIndex and search_postings; the filter is a part of `live`.
  Result<std::vector<Hit>> nearest(std::size_t number, std::span<const float> query, std::size_t k,
                                   const SlotSet* filter, const Deadline& deadline, DenseTrace* trace = nullptr) const;
  Result<std::vector<Hit>> by_terms(std::size_t number, const SparseVector& query, std::size_t k, const SlotSet* filter,
                                    const Deadline& deadline, SparseTrace* trace = nullptr,
                                    TermWeighting weighting = TermWeighting::kIdf) const;

 private:
  friend class IndexFiles;  // loads parts, takes the tail for a file, puts the file in its place
  class Rows;
  using TermCounts = std::unordered_map<std::uint32_t, std::uint32_t>;
  struct Held {
    std::shared_ptr<const IndexPart> part;
    std::vector<TermCounts> dead_terms;  // by sparse vector: how many of its dead slots are in a term's list
    std::size_t live = 0;                // points
    std::size_t dead = 0;                // slots that died here, whose words and fields the part still holds
    bool unnamed = false;                // its file is removed: the manifest names another that has its points
  };
  struct Stretch {
    std::size_t first, end;  // slots
  };
  const IndexPart& part(Slot slot) const { return in_tail(slot) ? *tail_ : *held_[number_of(slot)].part; }
  std::size_t number_of(Slot slot) const;
  bool in_tail(Slot slot) const { return tail_ && slot >= tail_->first() && slot < tail_end_; }  // none at first
  bool is_full() const { return tail_->first() + tail_->slots() >= tail_end_; }                  // the tail
  std::vector<Stretch> free_stretches() const;  // ascending; the last is behind everything
  void begin_tail();
  Status make_room();          // for one more point
  Status take_out(Slot slot);  // of the part that it stands in; the rest is done all the same when that is damaged
  Status bury(Held& held, Slot slot);
  void count(Slot slot, const IndexPart& part, int by);
  void hold(std::shared_ptr<const IndexPart> part, const SlotSet& live);  // at start
  void let_go(std::size_t number);                                        // of a part

  const IndexShape shape_;
  const std::size_t least_stretch_, most_slots_;
  IdSlots ids_;
  std::vector<Held> held_;  // by slot; the tail is one of them
  std::shared_ptr<MemoryPart> tail_;
  std::size_t tail_end_ = 0;  // of the slots that it may take
  SlotSet live_;
  std::size_t bound_ = 0;
  std::vector<std::unique_ptr<DenseIndex>> dense_;
  std::vector<std::size_t> having_;  // live points that have each sparse vector
  std::uint64_t applied_ = 0, removals_applied_ = 0;
  std::uint64_t highest_ = 0;  // of all changes that are in
  std::size_t unsaved_ = 0;
};

}  // namespace pandora
