// What is in the journal, compared with what rows, files and points have of it. Internal to turns.
#pragma once
#include <memory>
#include <utility>
#include <vector>

#include "ports/point_space.h"
#include "ports/stores.h"

namespace pandora {

using TurnRecordPtr = std::shared_ptr<const TurnRecord>;

struct ReplayedTurns {
  // In order; with the number that their folder has already, if there is one, and without what was forgotten.
  std::vector<TurnRecordPtr> without_row;
  std::vector<std::pair<Uuid, TurnNumber>> without_files;  // they have their row
  std::vector<Uuid> whole;                                 // they need nothing
};
// Changes nothing but the numbers that are taken: those of folders whose rows are gone are given out no more.
Result<ReplayedTurns> compare_replayed(const std::vector<TurnRecordPtr>& records, Stores& stores,
                                       const Deadline& deadline);

// Those of these turns that have their point, whoever made it; none when the store of points does not answer.
std::vector<Uuid> turns_with_points(const std::vector<Uuid>& uids, const PointSpace& space, Stores& stores,
                                    const Deadline& deadline);

}  // namespace pandora
