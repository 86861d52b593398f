// BM25 as a sparse vector: saturation and length when written, inverse document frequency by the store.
//
// Weight of a term = f·(k1 + 1) / (f + k1·(1 − b + b·L/A)) with f its windowed count (own text × 5, next turns × 2, the
// ones beyond × 1), L the sum of all f, A = 164 (the mean of the development set, fixed so that a written weight stays
// right), k1 = 1.2, b = 0.75 (Robertson & Zaragoza 2009). The query's weight of each of its terms is 1.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pandora {

struct SparseVector {
  std::vector<std::uint32_t> indices;  // strictly ascending
  std::vector<float> values;           // as many, > 0
  bool operator==(const SparseVector&) const = default;
};

inline constexpr int kWindow = 2;                                // turns either side whose words a turn's vectors hold
inline constexpr float kLexicalWindow[kWindow + 1] = {5, 2, 1};  // by distance
inline constexpr float kDenseWindow[kWindow + 1] = {1, 0.25F, 0.1F};

struct WindowText {
  int distance;           // 0, 1, 2 turns away
  std::string_view text;  // speaker and words
};
SparseVector document_weights(std::span<const WindowText> window);
SparseVector query_weights(std::string_view question);

// Normalised sum of `vectors` with the weights of kDenseWindow. Empty when every one is empty.
struct WindowVector {
  int distance;
  std::span<const float> vector;
};
std::vector<float> windowed_vector(std::span<const WindowVector> window);

}  // namespace pandora
