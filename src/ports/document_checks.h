// What every DocumentStore refuses before it looks at its data, so that all of them refuse alike
// (ports/document_store.h).
#pragma once
#include "ports/document_store.h"

namespace pandora {

Status check_document_path(const std::string& path);
Status check_document_size(const std::string& path, std::size_t bytes);
Status check_folder(const std::string& folder, const std::vector<Document>& documents);
Status check_quarantine(const std::string& path);
// quarantine/2026-01-05-turns-turn_000012-1: the folder of the `n`th thing of that path that is set aside that day.
std::string quarantine_folder(const std::string& path, Timestamp now, int n);

}  // namespace pandora
