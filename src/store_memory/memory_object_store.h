// ObjectStore in a map: the reference that the others are compared with. See ports/object_store.h for what it promises.
#pragma once
#include <map>
#include <mutex>

#include "ports/object_store.h"

namespace pandora {

class MemoryObjectStore final : public ObjectStore {
 public:
  Result<std::string> put(std::string_view bytes, const std::string& media_type, const Deadline& deadline) override;
  Result<std::string> get(const std::string& key, const Deadline& deadline) override;
  Result<ObjectInfo> info(const std::string& key, const Deadline& deadline) override;
  Status remove(const std::string& key, const Deadline& deadline) override;
  Result<std::vector<ObjectInfo>> list(const std::string& after, std::size_t limit, const Deadline& deadline) override;

  void damage(const std::string& key);  // adds a byte to what is kept under it, as a failing disk might

 private:
  struct Object {
    std::string bytes, media_type;
  };
  std::mutex mutex_;
  std::map<std::string, Object> objects_;
};

}  // namespace pandora
