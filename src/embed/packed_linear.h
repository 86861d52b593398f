// y = x·W + b, optionally GELU(y), by oneDNN with weights packed once. Internal to embed.
//
// The weights (PackedLinear) are shared; a LinearRunner holds the primitives of one caller at a time, one a number of
// rows (rounded up to kRowStep, so there are few).
#pragma once
#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <vector>

namespace pandora {

inline constexpr std::size_t kRowStep = 16;

enum class Activation { kNone, kGelu };

class PackedLinear {
 public:
  // weights: [in][out] or [out][in]. The bias and the weights are copied.
  PackedLinear(std::size_t in, std::size_t out, std::span<const float> weights, bool in_out,
               std::span<const float> bias, Activation activation);
  ~PackedLinear();
  PackedLinear(PackedLinear&&) noexcept;
  std::size_t in() const;
  std::size_t out() const;

 private:
  friend class LinearRunner;
  struct State;
  std::unique_ptr<State> state_;
};

class LinearRunner {
 public:
  LinearRunner();
  ~LinearRunner();
  // x: rows × in, y: rows × out, row-major; rows a multiple of kRowStep.
  void run(const PackedLinear& linear, const float* x, float* y, std::size_t rows);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// oneDNN shall use the calling thread alone.
void use_one_thread();

}  // namespace pandora
