// The files of turns, memories, research and sources, made from records and rows.
//
// A turn's directory holds context.md, response.md, metadata.json, metrics.json always, and toolresults.md,
// research.md, research.json when there are any. Pure but for `rows`, which reads the stores.
#pragma once
#include <string>
#include <vector>

#include "domain/turn_record.h"
#include "ports/stores.h"

namespace pandora {

std::vector<Document> turn_documents(const TurnRecord& record);

// A record from the documents of a directory. kDataCorrupt, kIncompatible: naming the document.
Result<TurnRecord> read_turn_folder(DocumentStore& documents, const std::string& folder, const Deadline& deadline);

// What the rows alone still know of a turn whose files are gone: the context document then holds the message, the
// reply, and says that the rest was lost.
TurnRecord record_from_row(const Turn& turn);

}  // namespace pandora
