// What ports/object_store.h promises, for every implementation. An implementation joins by a line in
// object_store_implementations.cpp.
#pragma once
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

}  // namespace pandora
