// The implementations of Cache that the suite runs on: one more is one more class and one more line below.
#include "contract/cache_contract.h"
#include "store_embedded/process_cache.h"

namespace pandora {
namespace {

class MemorySetup final : public CacheSetup {
 public:
  Cache& cache() override { return cache_; }
  void pass(Duration time) override { clock_.advance(time); }

 private:
  ManualClock clock_;
  ProcessCache cache_{clock_};
};

}  // namespace

std::vector<Implementation<CacheSetup>> cache_implementations() {
  return {{"Memory", [] { return std::make_unique<MemorySetup>(); }}};
}

}  // namespace pandora
