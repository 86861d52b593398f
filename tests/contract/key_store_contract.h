// The suite for KeyStore. A new implementation gives its own key_implementations().
#pragma once
#include <vector>

#include "contract/expect.h"
#include "ports/key_store.h"

namespace pandora {

class KeySetup {
 public:
  virtual ~KeySetup() = default;
  virtual KeyStore& store() = 0;
  virtual void reopen() = 0;  // as after a restart; nothing where nothing outlives the process
};

using KeyImplementation = Implementation<KeySetup>;
const std::vector<KeyImplementation>& key_implementations();

}  // namespace pandora
