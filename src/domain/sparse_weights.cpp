#include "domain/sparse_weights.h"

#include <cassert>
#include <cmath>
#include <map>

#include "domain/analyzer.h"

namespace pandora {
namespace {
constexpr float kK1 = 1.2F, kB = 0.75F, kAverageLength = 164;
}  // namespace

SparseVector document_weights(std::span<const WindowText> window) {
  std::map<std::uint32_t, float> counts;
  float length = 0;
  for (const auto& [distance, text] : window) {
    assert(distance >= 0 && distance <= kWindow);
    const float weight = kLexicalWindow[distance];
    for (const Term& term : analyze(text)) {
      counts[term_id(term.text)] += weight;
      length += weight;
    }
  }
  SparseVector vector;
  for (const auto& [id, count] : counts) {
    vector.indices.push_back(id);
    vector.values.push_back(count * (kK1 + 1) / (count + kK1 * (1 - kB + kB * length / kAverageLength)));
  }
  return vector;
}

SparseVector query_weights(std::string_view question) {
  std::map<std::uint32_t, float> terms;
  for (const Term& term : analyze(question)) terms[term_id(term.text)] = 1;
  SparseVector vector;
  for (const auto& [id, weight] : terms) {
    vector.indices.push_back(id);
    vector.values.push_back(weight);
  }
  return vector;
}

std::vector<float> windowed_vector(std::span<const WindowVector> window) {
  std::vector<float> sum;
  for (const auto& [distance, vector] : window) {
    if (vector.empty()) continue;
    assert(distance >= 0 && distance <= kWindow && (sum.empty() || sum.size() == vector.size()));
    sum.resize(vector.size());
    for (std::size_t i = 0; i < vector.size(); ++i) sum[i] += kDenseWindow[distance] * vector[i];
  }
  float squares = 0;
  for (const float value : sum) squares += value * value;
  const float norm = std::sqrt(squares);
  if (norm > 0)
    for (float& value : sum) value /= norm;
  return sum;
}

}  // namespace pandora
