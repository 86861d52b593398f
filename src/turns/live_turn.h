// A turn between the journal and its places. Internal to turns.
#pragma once
#include "turns/replayed_turns.h"

namespace pandora {

// An acknowledged turn that is not yet in all its places.
struct LiveTurn {
  TurnRecordPtr record;  // until its directory is written
  SessionId session;
  TurnNumber number;  // 0: no row yet
  bool directory = false, point = false;
  bool findable() const { return number.value > 0 && point; }
};

// Is it this turn that can never be written, or the database that cannot be written now (full, read-only, damaged, of
// another version)? In the second case turns wait in the journal, whatever it takes.
inline bool concerns_the_turn(ErrorCode code) {
  return code == ErrorCode::kInvalidArgument || code == ErrorCode::kTooLarge || code == ErrorCode::kConflict;
}

}  // namespace pandora
