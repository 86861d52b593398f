// An export, line by line: the objects that a user's turns name, then every turn, memory, piece of research and source,
// each as the document that is kept on disk, on one line. Imported into another data directory it gives the same again.
// Internal.
#pragma once
#include <string>

#include "service/operation.h"

namespace pandora {

// A page of the export. `cursor`: empty at the beginning, else `next` of the page before.
struct ExportPage {
  std::vector<std::string> lines;
  std::string next;
  bool end = false;
};
inline constexpr std::size_t kMaxExportPageBytes = 8u << 20;  // a page ends once it is as large; one line may be larger
Result<ExportPage> export_page(OperationCall& call, const std::string& cursor, std::size_t limit);

enum class Imported { kNew, kKnown };
struct ImportedDocument {
  std::string kind;  // "object", "turn", "memory", "research", "source"
  Imported what = Imported::kNew;
  std::optional<Uuid> turn;  // of a turn
};
// A line of an export. What exists here, or was forgotten here, is known. Turns keep their number when it is free. What
// belongs to another user becomes the caller's, under ids of its own.
Result<ImportedDocument> import_document(OperationCall& call, const Json& document, const std::string& line);

// What stands here of the same thing as a line of an export: the line that an export would give of it; empty when there
// is none, and whether that is because it was forgotten.
struct StoredDocument {
  std::string line;
  bool forgotten = false;
};
Result<StoredDocument> stored_document(OperationCall& call, const Json& document, const std::string& line);

}  // namespace pandora
