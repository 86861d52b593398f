// Objects and documents in a bucket of an S3 server (objects.store, documents.store = s3) instead of in the data
// directory.
#pragma once
#include <memory>

#include "base/config.h"
#include "ports/document_store.h"
#include "ports/object_store.h"

namespace pandora {

// kInvalidArgument: the setting says neither "embedded" nor "s3".
Result<bool> objects_are_served(const Config& config);
Result<bool> documents_are_served(const Config& config);

class ServedBucket {
 public:
  virtual ~ServedBucket() = default;
  virtual ObjectStore& objects() = 0;
  virtual DocumentStore& documents() = 0;
};
// Nothing is sent yet. `clock` outlives it.
Result<std::unique_ptr<ServedBucket>> open_served_bucket(const Config& config, const Clock& clock);
// Connects, and says in one line what it found: that objects can be kept there; that documents can, whose folders rest
// on conditions.
Result<std::string> look_at_objects_in_s3(const Config& config, const Clock& clock, const Deadline& deadline);
Result<std::string> look_at_documents_in_s3(const Config& config, const Clock& clock, const Deadline& deadline);

}  // namespace pandora
