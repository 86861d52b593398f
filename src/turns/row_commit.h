// A turn's row, and what to think of an error about it.
#pragma once
#include "domain/turn_record.h"
#include "ports/knowledge_stores.h"
#include "ports/turn_store.h"

namespace pandora {

// Writes it. A number that another turn has meanwhile (an import, a lost row) is not insisted on: it gets one of its
// own.
Result<TurnNumber> commit_row(TurnStore& turns, const TurnRecord& record, const Deadline& deadline);

// No later attempt can write it either: the turn is at fault, or its uid is that of another user's turn. Else the
// database is, and is asked again.
bool is_hopeless(TurnStore& turns, const Turn& turn, ErrorCode refused, const Deadline& deadline);

// Research came with the row, past its own store, which may hold what it read before.
void tell_of_research(ResearchStore& research, const TurnRecord& record, const Deadline& deadline);

}  // namespace pandora
