// y = x·W + b, optionally GELU(y), by oneDNN with weights packed once. Internal to embed.
//
// The weights (PackedLinear) are shared; a LinearRunner holds the primitives of one caller at a time, one a number of
// rows (rounded up by `rows_for`, so there are few). Errors: kInternal, with what oneDNN says.
#pragma once
#include <cstddef>
#include <memory>
#include <span>

#include "base/result.h"

namespace pandora {

// Rows to multiply for so many tokens: short questions are worth a finer step.
constexpr std::size_t rows_for(std::size_t tokens) {
  const std::size_t step = tokens <= 64 ? 4 : 16;
  return (tokens + step - 1) / step * step;
}

enum class Activation { kNone, kGelu };
enum class Layout { kInOut, kOutIn };  // weights[in][out] or [out][in]

// Of what is multiplied; sums are f32 always. bf16: a float's upper half, rounded.
enum class Precision { kF32, kBf16 };
// bf16 where this processor multiplies it faster: with AMX, and on AMD's with AVX-512 BF16 (twice as fast as f32 on Zen
// 5; on Intel's without AMX it is no faster).
Precision fastest_precision();

struct LinearShape {
  std::size_t in = 0, out = 0;
  Activation activation = Activation::kNone;
  Precision precision = Precision::kF32;  // of x and the weights
  Precision result = Precision::kF32;     // of y; kBf16 needs bf16 products
  auto operator<=>(const LinearShape&) const = default;
};

class PackedLinear {
 public:
  // The bias and the weights are copied.
  static Result<PackedLinear> pack(const LinearShape& shape, std::span<const float> weights, Layout layout,
                                   std::span<const float> bias);
  ~PackedLinear();
  PackedLinear(PackedLinear&&) noexcept;

 private:
  friend class LinearRunner;
  struct State;
  explicit PackedLinear(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

class LinearRunner {
 public:
  LinearRunner();
  ~LinearRunner();
  // x: rows × in, y: rows × out, row-major, of the shape's precisions; rows as `rows_for` gives them.
  Status run(const PackedLinear& linear, const void* x, void* y, std::size_t rows);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// oneDNN shall use the calling thread alone.
void use_one_thread();

}  // namespace pandora
