#include "store_memory/memory_object_store.h"

#include "base/hash.h"
#include "ports/cache_checks.h"

namespace pandora {
namespace {
tl::unexpected<Error> missing(const std::string& key) {
  return fail(ErrorCode::kNotFound, "there is no object " + key);
}
}  // namespace

Result<std::string> MemoryObjectStore::put(std::string_view bytes, const std::string& media_type,
                                           const Deadline& deadline) {
  PANDORA_CHECK(check_object(bytes, media_type));
  PANDORA_CHECK(deadline.check("keeping an object"));
  const std::lock_guard lock(mutex_);
  const std::string key = sha256_hex(bytes);
  objects_.try_emplace(key, Object{std::string(bytes), media_type});
  return key;
}

Result<std::string> MemoryObjectStore::get(const std::string& key, const Deadline& deadline) {
  PANDORA_CHECK(check_object_key(key));
  PANDORA_CHECK(deadline.check("fetching an object"));
  const std::lock_guard lock(mutex_);
  const auto object = objects_.find(key);
  if (object == objects_.end()) return missing(key);
  if (sha256_hex(object->second.bytes) != key)
    return fail(ErrorCode::kDataCorrupt, "object " + key + " has other content");
  return object->second.bytes;
}

Result<ObjectInfo> MemoryObjectStore::info(const std::string& key, const Deadline& deadline) {
  PANDORA_CHECK(check_object_key(key));
  PANDORA_CHECK(deadline.check("looking at an object"));
  const std::lock_guard lock(mutex_);
  const auto object = objects_.find(key);
  if (object == objects_.end()) return missing(key);
  return ObjectInfo{key, object->second.bytes.size(), object->second.media_type};
}

Status MemoryObjectStore::remove(const std::string& key, const Deadline& deadline) {
  PANDORA_CHECK(check_object_key(key));
  PANDORA_CHECK(deadline.check("removing an object"));
  const std::lock_guard lock(mutex_);
  objects_.erase(key);
  return {};
}

Result<std::vector<ObjectInfo>> MemoryObjectStore::list(const std::string& after, std::size_t limit,
                                                        const Deadline& deadline) {
  PANDORA_CHECK(check_object_list(after, limit));
  PANDORA_CHECK(deadline.check("listing objects"));
  const std::lock_guard lock(mutex_);
  std::vector<ObjectInfo> listed;
  for (auto at = objects_.upper_bound(after); at != objects_.end() && listed.size() < limit; ++at)
    listed.push_back({at->first, at->second.bytes.size(), at->second.media_type});
  return listed;
}

void MemoryObjectStore::damage(const std::string& key) {
  const std::lock_guard lock(mutex_);
  objects_.at(key).bytes += '!';
}

}  // namespace pandora
