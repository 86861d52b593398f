// Turns' own vectors (TurnStore::put_vector) by the thousand: what a move between stores carries. Threads, durability
// and errors as in turn_store.h; of every user.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"

namespace pandora {

struct KeptVector {
  Uuid turn;
  std::string embedder;  // "model@revision"
  std::string values;    // 32-bit floats, as they are kept
  std::pair<Uuid, std::string> key() const { return {turn, embedder}; }
};

class TurnVectorLog {
 public:
  virtual ~TurnVectorLog() = default;
  // Ascending keys above `after` (none: from the start), at most `limit`; empty: the end.
  virtual Result<std::vector<KeptVector>> list(const std::optional<std::pair<Uuid, std::string>>& after,
                                               std::size_t limit, const Deadline& deadline) = 0;
  // Replaces by key, in one transaction. One of a turn without a row is left out.
  virtual Status put(std::span<const KeptVector> vectors, const Deadline& deadline) = 0;
};

}  // namespace pandora
