// What stands between the matrix products of a BERT layer. Internal to embed; pure.
//
// Written for vectors of 16 floats, which the compiler turns into whatever the processor has. Sums over a row are taken
// in 16 parts and multiply-adds may be contracted: another processor may differ in the last bits, as its products do.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace pandora {

// qkv: rows of [q | k | v], each `hidden` wide; q already scaled by 1/√(hidden/heads). out: tokens × hidden.
// scratch grows as needed and may be reused.
void self_attention(const float* qkv, std::size_t tokens, std::size_t hidden, std::size_t heads, float* out,
                    std::vector<float>& scratch);

// x = LayerNorm(x + add) by rows, ε = 1e-12; `add` may be null.
void add_and_normalise(float* x, const float* add, std::size_t rows, std::size_t hidden, const float* gain,
                       const float* bias);

// The upper half of each float, rounded to the nearest, ties to even. No infinities, no NaN.
void round_to_bf16(const float* values, std::size_t count, std::uint16_t* out);

}  // namespace pandora
