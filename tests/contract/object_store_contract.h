// What ports/object_store.h promises, for every implementation. An implementation joins by a line in
// object_store_implementations.cpp.
#pragma once
#include "base/random.h"
#include "contract/expect.h"
#include "ports/object_store.h"

namespace pandora {

// One installation of a store, empty to begin with.
class ObjectStoreSetup {
 public:
  virtual ~ObjectStoreSetup() = default;
  virtual ObjectStore& store() = 0;
  virtual void reopen() = 0;                        // closes the store and opens it on the same data
  virtual void damage(const std::string& key) = 0;  // changes what is kept under the key, behind the store's back
};
std::vector<Implementation<ObjectStoreSetup>> object_store_implementations();

// One on a disk that forgets what was not synced.
class CrashingObjectStoreSetup : public ObjectStoreSetup {
 public:
  virtual void die_after(std::uint64_t operations) = 0;   // the process ends in the middle of that one
  virtual void fail_after(std::uint64_t operations) = 0;  // that one fails once, and does nothing
  virtual void crash(Random& random) = 0;                 // the power goes, and the store opens on what is left
};
std::vector<Implementation<CrashingObjectStoreSetup>> crashing_object_stores();

}  // namespace pandora
