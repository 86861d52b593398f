// Everything that one turn leaves behind: what the journal holds of it, and what its rows and its directory are made
// of.
#pragma once
#include <string>
#include <vector>

#include "domain/context_document.h"
#include "domain/memory.h"
#include "domain/observation.h"
#include "domain/research.h"
#include "domain/turn.h"

namespace pandora {

struct FetchAttempt {  // one try to use a source, for its score
  std::string domain;
  Timestamp at;
  bool ok = true;
  std::string detail;  // what worked, why it failed
  bool operator==(const FetchAttempt&) const = default;
};

struct Attachment {  // an object on its way to the store, without key and size
  TurnObject object;
  std::string bytes;
};

struct TurnRecord {
  Turn turn;
  ContextDocument context;
  std::vector<Memory> memories;  // approved and admitted
  std::vector<Research> research;
  std::vector<FetchAttempt> fetches;
  std::vector<Observation> observations;
  bool operator==(const TurnRecord&) const = default;
};

}  // namespace pandora
