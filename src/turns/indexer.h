// Points, brought up to date from rows: what search finds.
//
// A turn's own vector is the normalised mean of its message and its own reply, each embedded as `Name said, "text"`;
// its point holds that windowed with its neighbours' (kDenseWindow), and BM25 weights of the window's words
// (kLexicalWindow). Rejected neighbours stay out of the window. A thing whose row is gone loses its point. Thread-safe;
// whoever writes points of a space holds PointSpaces::write().
#pragma once
#include <span>
#include <vector>

#include "ports/stores.h"

namespace pandora {

class Indexer {
 public:
  explicit Indexer(Stores stores) : stores_(stores) {}

  // Creates those of its collections that are not there. kIncompatible: one of that name is of another encoder.
  Status ensure_collections(const PointSpace& space, const Deadline& deadline);

  struct Item {
    Uuid id;                   // turn uid, memory id, research id
    std::int64_t version = 0;  // of the outbox entry: an older one never overwrites
  };
  Status index_turns(const PointSpace& space, std::span<const Item> turns, const Deadline& deadline);
  Status index_memories(const PointSpace& space, std::span<const Item> memories, const Deadline& deadline);
  Status index_research(const PointSpace& space, std::span<const Item> research, const Deadline& deadline);
  // The own vectors that these turns and their neighbours lack, kept with the rows: all of index_turns that needs no
  // store of points. Full text comes with them (ports/text_search.h), also while the points are away.
  Status embed_around(const PointSpace& space, std::span<const Item> turns, const Deadline& deadline);
  // Makes the own vectors that these turns lack, and keeps them with the rows; no points. Needs no lock.
  Status embed_turns(const PointSpace& space, std::vector<Turn> turns, const Deadline& deadline);

 private:
  Result<std::optional<Point>> turn_point(const PointSpace& space, const Item& item, const Deadline& deadline);
  Status embed_once(const PointSpace& space, const std::vector<Turn>& turns, const Deadline& deadline);
  Stores stores_;
};

}  // namespace pandora
