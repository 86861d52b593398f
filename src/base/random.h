// Randomness, injected. `SystemRandom` is the operating system's; tests use `SeededRandom` and print the seed.
// Both are thread-safe.
#pragma once
#include <cstdint>
#include <mutex>

namespace pandora {

class Random {
 public:
  virtual ~Random() = default;
  virtual std::uint64_t next() = 0;  // 64 uniform bits
  // Uniform in [0, bound), bound > 0, without modulo bias.
  std::uint64_t below(std::uint64_t bound);
};

class SystemRandom final : public Random {
 public:
  std::uint64_t next() override;
};

// SplitMix64 (Steele, Lea, Flood 2014): the same seed gives the same sequence everywhere.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() override;

 private:
  std::mutex mutex_;
  std::uint64_t state_;
};

}  // namespace pandora
