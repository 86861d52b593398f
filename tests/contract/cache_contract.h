// What ports/cache.h promises, for every implementation. An implementation joins by a line in
// cache_implementations.cpp.
#pragma once
#include "contract/expect.h"
#include "ports/cache.h"

namespace pandora {

// One cache, empty to begin with.
class CacheSetup {
 public:
  virtual ~CacheSetup() = default;
  virtual Cache& cache() = 0;
  virtual void pass(Duration time) = 0;  // on the cache's clock; a server's is waited for
};
std::vector<Implementation<CacheSetup>> cache_implementations();

}  // namespace pandora
