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

inline constexpr std::size_t kEncodedTogether = 16 * 1024;          // bytes of a piece, which one turn's may exceed
inline constexpr Duration kKeepVectors = std::chrono::seconds(20);  // of a write, once its vectors are made

class Indexer {
 public:
  Indexer(Stores stores, const Clock& clock) : stores_(stores), clock_(clock) {}

  // Creates those of its collections that are not there. kIncompatible: one of that name is of another encoder.
  Status ensure_collections(const PointSpace& space, const Deadline& deadline);

  struct Item {
    Uuid id;                   // turn uid, memory id, research id
    std::int64_t version = 0;  // of the outbox entry: an older one never overwrites
  };
  Status index_turns(const PointSpace& space, std::span<const Item> turns, const Deadline& deadline);
  // These and their neighbours, whose points hold their words: what follows from turns that are new or changed.
  Status index_around(const PointSpace& space, std::span<const Item> turns, const Deadline& deadline);
  Status index_memories(const PointSpace& space, std::span<const Item> memories, const Deadline& deadline);
  Status index_research(const PointSpace& space, std::span<const Item> research, const Deadline& deadline);
  // The own vectors that these turns and their neighbours lack, kept with the rows: all of index_turns that needs no
  // store of points. Full text comes with them (ports/text_search.h), also while the points are away.
  Status embed_around(const PointSpace& space, std::span<const Item> turns, const Deadline& deadline);
  // Makes the own vectors that these turns lack, and keeps them with the rows; no points. Needs no lock. One piece
  // after the other, each kept before the next is begun: at the deadline what was encoded is not lost.
  Status embed_turns(const PointSpace& space, std::vector<Turn> turns, const Deadline& deadline);

 private:
  Result<std::optional<Point>> turn_point(const PointSpace& space, const Item& item, const Deadline& deadline);
  Status embed_once(const PointSpace& space, std::span<const Turn> turns, const Deadline& deadline);
  template <class Store>
  Status index_texts(Store& store, Embedder& embedder, const std::string& collection, std::string_view kind,
                     std::span<const Item> items, const Deadline& deadline);
  // Texts that are begun are encoded to the end, and then there is time to keep what came out, whatever the deadline
  // was: else a text that takes longer would be begun, and given up, for ever.
  Deadline to_keep() const { return Deadline::after(clock_, kKeepVectors); }
  Stores stores_;
  const Clock& clock_;
};

}  // namespace pandora
