// DocumentStore in a bucket of an S3 server. See ports/document_store.h for what it promises.
//
// A bucket has no folders that could be replaced as a whole, so what is two components deep is one object: the document
// `prefix`documents/memories/<id>.json as it is, the folder `prefix`folders/turns/turn_000012 with all that is in it
// (folder_bundle.h). To write that object is the switch: no reader sees a part. What lies deeper is changed within its
// object, on condition that nobody else changed it meanwhile (If-Match), so several processes may share a bucket.
//
// What is not as the port says: the first component of a path is a folder always, and can neither be replaced nor moved
// (kInvalidArgument; kConflict for a document there); removed, it goes one object after the other. A move shows both
// for a moment, and after a crash until it is done again. A folder holds at most kMaxS3Bytes in all (kTooLarge).
// Everything is durable at once.
#pragma once
#include <functional>
#include <memory>
#include <optional>

#include "ports/document_store.h"
#include "s3/s3_bucket.h"
#include "store_server/folder_bundle.h"

namespace pandora {

class S3DocumentStore final : public DocumentStore {
 public:
  // `clock` outlives it.
  S3DocumentStore(std::unique_ptr<S3Bucket> bucket, std::string prefix, const Clock& clock)
      : bucket_(std::move(bucket)), prefix_(std::move(prefix)), clock_(clock) {}
  Status put_folder(const std::string& folder, const std::vector<Document>& documents, Durability durability,
                    const Deadline& deadline) override;
  Status put(const std::string& path, std::string_view bytes, Durability durability, const Deadline& deadline) override;
  Result<std::string> read(const std::string& path, const Deadline& deadline) override;
  Result<std::vector<FileInfo>> list(const std::string& folder, const Deadline& deadline) override;
  Result<std::vector<FileInfo>> list_after(const std::string& folder, const std::string& after, std::size_t limit,
                                           const Deadline& deadline) override;
  Result<bool> exists(const std::string& path, const Deadline& deadline) override;
  Status move(const std::string& from, const std::string& to, const Deadline& deadline) override;
  Status remove(const std::string& path, const Deadline& deadline) override;
  Result<std::string> quarantine(const std::string& path, const std::string& reason, const Deadline& deadline) override;
  Status sync(const Deadline& deadline) override;

 private:
  // "turns/t/sub/b": the object "turns/t", and "sub/b" in it. Of "turns" the object is empty.
  struct Place {
    std::string object, within;
  };
  // A document, or a folder by the paths within it.
  struct Thing {
    bool is_document = false;
    FolderBundle documents;  // of a document one, with an empty name
    bool operator==(const Thing&) const = default;
  };
  static Place place_of(const std::string& path);
  std::string document_key(const std::string& object) const { return prefix_ + "documents/" + object; }
  std::string folder_key(const std::string& object) const { return prefix_ + "folders/" + object; }
  struct Kept {
    FolderBundle documents;
    std::string tag;
  };
  Result<std::optional<Kept>> folder(const std::string& object, const Deadline& deadline);
  Result<bool> has(const std::string& key, const Deadline& deadline);
  Status change(const std::string& object, const std::function<Status(FolderBundle&)>& edit, const Deadline& deadline);
  Result<std::optional<Thing>> find(const std::string& path, const Deadline& deadline);
  Status store(const std::string& path, const Thing& thing, const Deadline& deadline);
  Result<std::vector<FileInfo>> list_objects(const std::string& area, const std::string& after, std::size_t limit,
                                             const Deadline& deadline);

  const std::unique_ptr<S3Bucket> bucket_;
  const std::string prefix_;
  const Clock& clock_;
};

}  // namespace pandora
