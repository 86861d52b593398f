// ObjectStore in a bucket of an S3 server. See ports/object_store.h for what it promises.
//
// An object is `prefix` and its key, with its media type as that of the server's. Who stores what is there already is
// told so by the server (If-None-Match), so that several processes may share a bucket. What is listed has no media
// type.
#pragma once
#include <memory>
#include <string>

#include "ports/object_store.h"
#include "s3/s3_bucket.h"

namespace pandora {

class S3ObjectStore final : public ObjectStore {
 public:
  // `prefix` is "objects/" or the like.
  S3ObjectStore(std::unique_ptr<S3Bucket> bucket, std::string prefix)
      : bucket_(std::move(bucket)), prefix_(std::move(prefix)) {}
  Result<std::string> put(std::string_view bytes, const std::string& media_type, const Deadline& deadline) override;
  Result<std::string> get(const std::string& key, const Deadline& deadline) override;
  Result<ObjectInfo> info(const std::string& key, const Deadline& deadline) override;
  Status remove(const std::string& key, const Deadline& deadline) override;
  Result<std::vector<ObjectInfo>> list(const std::string& after, std::size_t limit, const Deadline& deadline) override;

 private:
  const std::unique_ptr<S3Bucket> bucket_;
  const std::string prefix_;
};

}  // namespace pandora
