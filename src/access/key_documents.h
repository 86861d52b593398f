// keys/<id>.json: what is known of a key, without its secret, so that a database that was lost gets its keys back and
// does not open the API to everybody. Internal.
#pragma once
#include "domain/api_key.h"
#include "ports/document_store.h"

namespace pandora {

std::string encode_key(const ApiKey& key);  // without last_used_at, which is not worth a file's write
Result<ApiKey> decode_key(std::string_view document);

std::string key_path(const Uuid& id);
Status write_key_document(DocumentStore& documents, const ApiKey& key, const Deadline& deadline);
// All that can be read, in the order of their ids. kDataCorrupt, naming the file: a key that is not understood would be
// one that is not revoked.
Result<std::vector<ApiKey>> read_key_documents(DocumentStore& documents, const Deadline& deadline);

}  // namespace pandora
