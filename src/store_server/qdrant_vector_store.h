// VectorStore over Qdrant's REST API: a real Qdrant, one or a cluster, or `pandora vectors`. See ports/vector_store.h
// for what it promises; here that means:
//
// Every write waits until the server has it on its disk. A collection is made with its payload indexes before its first
// point; one that a crash left without them gets them before it is used. One of another dimension, distance, encoder or
// analyser, or of somebody else's making, is kIncompatible and never touched. An older version never overwrites, also
// when two processes write. A call of more than kMaxBatchBytes of points is sent in several requests, each of them all
// or nothing: after an error of a later one the earlier ones are done. At equal scores the order is by id, also where
// `limit` cuts, unless more than kMostTied points share the last score. Nothing is asked before the first call: a
// server that is down is no reason not to start.
#pragma once
#include <memory>
#include <string>

#include "base/file_system.h"
#include "ports/vector_store.h"
#include "store_server/collection_json.h"
#include "store_server/qdrant_api.h"

namespace pandora {

inline constexpr std::size_t kMaxBatchBytes = 24 << 20;  // of one request; a server takes 32 MiB
inline constexpr std::size_t kMostTied = 40'000;
inline constexpr std::size_t kMaxPrefixBytes = 32;

struct QdrantStoreOptions {
  QdrantServer server;
  CollectionSpread spread;  // of collections that are made from now on
  std::string prefix;       // before every name there, so that several installations share a server: [a-z0-9_]
  // Compares with every vector that the filter leaves: loses none, as the port promises. False: by the server's graph,
  // for millions of points.
  bool exact = true;
};

class QdrantVectorStore : public VectorStore {
 public:
  // kInvalidArgument: the URL, the prefix. `client` and `files` outlive it; snapshots are written through `files`.
  static Result<std::unique_ptr<QdrantVectorStore>> open(QdrantStoreOptions options, HttpClient& client,
                                                         FileSystem& files);
  // Is it there, of a version that is supported, and is the key taken?
  virtual Status check(const Deadline& deadline) = 0;
};

}  // namespace pandora
