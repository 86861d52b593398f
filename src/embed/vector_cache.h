// An encoder that remembers: a file of the vectors that it has made, so that a second run over the same texts encodes
// none.
//
// For evaluations and benchmarks, never for a user's memory: the file tells which texts were encoded to whoever has
// them. It grows only, by records of one size, each with its checksum; a record that was torn or damaged is not read,
// and what is missing of the last is cut off. What it gives back has the same bits. Made by one model and revision:
// opened with another it is kIncompatible. Questions are always encoded, so that their time stays in what is measured.
// One process uses it at a time (kConflict). Nothing is synced: a crash costs vectors, not truth.
#pragma once
#include <cstddef>
#include <memory>
#include <string>

#include "base/file_system.h"
#include "ports/embedder.h"

namespace pandora {

inline constexpr std::size_t kMaxCachedVectors =
    4'000'000;  // some 6 GB of 384 dimensions; what comes later is not kept

// Opens `path`, or begins it. kDataCorrupt: it is no such file. What cannot be written is logged, once, and no failure:
// the vectors themselves are right.
Result<std::unique_ptr<Embedder>> open_vector_cache(FileSystem& files, const std::string& path,
                                                    std::shared_ptr<Embedder> embedder,
                                                    std::size_t most_vectors = kMaxCachedVectors);

}  // namespace pandora
