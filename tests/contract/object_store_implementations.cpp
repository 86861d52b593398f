// The implementations of ObjectStore that the suite runs on: one more is one more class and one more line below.
#include "contract/object_store_contract.h"
#include "store_memory/memory_object_store.h"

namespace pandora {
namespace {

class MemorySetup final : public ObjectStoreSetup {
 public:
  ObjectStore& store() override { return store_; }
  void reopen() override {}
  void damage(const std::string& key) override { store_.damage(key); }

 private:
  MemoryObjectStore store_;
};

}  // namespace

std::vector<Implementation<ObjectStoreSetup>> object_store_implementations() {
  return {{"Memory", [] { return std::make_unique<MemorySetup>(); }}};
}

}  // namespace pandora
