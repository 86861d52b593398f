#include "store_server/s3_object_store.h"

#include "base/hash.h"
#include "ports/cache_checks.h"

namespace pandora {

Result<std::string> S3ObjectStore::put(std::string_view bytes, const std::string& media_type,
                                       const Deadline& deadline) {
  PANDORA_CHECK(check_object(bytes, media_type));
  PANDORA_CHECK(deadline.check("storing an object"));
  std::string key = sha256_hex(bytes);
  const auto stored = bucket_->put(prefix_ + key, bytes, media_type, S3When::kNew, deadline);
  if (stored || stored.error().code == ErrorCode::kConflict) return key;
  return fail(stored.error());
}

Result<std::string> S3ObjectStore::get(const std::string& key, const Deadline& deadline) {
  PANDORA_CHECK(check_object_key(key));
  PANDORA_CHECK(deadline.check("reading an object"));
  PANDORA_TRY(object, bucket_->get(prefix_ + key, deadline));
  if (sha256_hex(object.bytes) != key)
    return fail(ErrorCode::kDataCorrupt, "object " + key + " in " + bucket_->place() + " is not what was stored");
  return std::move(object.bytes);
}

Result<ObjectInfo> S3ObjectStore::info(const std::string& key, const Deadline& deadline) {
  PANDORA_CHECK(check_object_key(key));
  PANDORA_CHECK(deadline.check("looking at an object"));
  PANDORA_TRY(head, bucket_->head(prefix_ + key, deadline));
  return ObjectInfo{key, head.size, std::move(head.media_type)};
}

Status S3ObjectStore::remove(const std::string& key, const Deadline& deadline) {
  PANDORA_CHECK(check_object_key(key));
  PANDORA_CHECK(deadline.check("removing an object"));
  return bucket_->remove(prefix_ + key, deadline);
}

Result<std::vector<ObjectInfo>> S3ObjectStore::list(const std::string& after, std::size_t limit,
                                                    const Deadline& deadline) {
  PANDORA_CHECK(check_object_list(after, limit));
  PANDORA_CHECK(deadline.check("listing objects"));
  std::vector<ObjectInfo> listed;
  S3Bucket::Listing asked{.prefix = prefix_, .after = after.empty() ? "" : prefix_ + after};
  while (listed.size() < limit) {
    asked.limit = limit - listed.size();
    PANDORA_TRY(page, bucket_->list(asked, deadline));
    for (auto& object : page.objects) {
      std::string key = object.key.substr(std::min(prefix_.size(), object.key.size()));
      if (check_object_key(key)) listed.push_back({std::move(key), object.size, ""});  // what else is there is not ours
    }
    if (page.next.empty()) break;
    asked.next = page.next;
  }
  return listed;
}

}  // namespace pandora
