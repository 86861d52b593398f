// Points, brought up to date from rows: what search finds.
//
// A turn's own vector is the normalised mean of its message and its own reply, each embedded as `Name said, "text"`;
// its point holds that windowed with its neighbours' (kDenseWindow), and BM25 weights of the window's words
// (kLexicalWindow). Rejected neighbours stay out of the window. A thing whose row is gone loses its point. Not
// thread-safe.
#pragma once
#include <span>
#include <vector>

#include "ports/stores.h"

namespace pandora {

class Indexer {
 public:
  Indexer(Stores stores, Embedder& embedder) : stores_(stores), embedder_(embedder) {}

  // Creates the collections; kIncompatible when the data was made by another encoder or analyser.
  Status ensure_collections(const Deadline& deadline);

  struct Item {
    Uuid id;                   // turn uid, memory id, research id
    std::int64_t version = 0;  // of the outbox entry: an older one never overwrites
  };
  Status index_turns(std::span<const Item> turns, const Deadline& deadline);
  Status index_memories(std::span<const Item> memories, const Deadline& deadline);
  Status index_research(std::span<const Item> research, const Deadline& deadline);

 private:
  Status embed_missing(const std::vector<Turn>& turns, const Deadline& deadline);
  Result<std::optional<Point>> turn_point(const Item& item, const Deadline& deadline);
  Stores stores_;
  Embedder& embedder_;
};

}  // namespace pandora
