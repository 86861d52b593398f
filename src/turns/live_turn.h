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
  std::size_t bytes = 0;  // of the record in the journal, as long as it is held
  bool findable() const { return number.value > 0 && point; }
};

}  // namespace pandora
