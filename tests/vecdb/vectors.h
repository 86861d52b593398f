// Vectors and slots for the tests of vecdb.
#pragma once
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "support/listed_slots.h"

namespace pandora {

using Vector = std::vector<float>;

inline Vector normal_vector(std::mt19937& random, std::size_t n, float deviation = 1) {
  std::normal_distribution<float> value(0, deviation);
  Vector v(n);
  for (float& x : v) x = value(random);
  return v;
}

inline Vector normalised(Vector v) {
  double square = 0;
  for (const float x : v) square += static_cast<double>(x) * x;
  for (float& x : v) x = static_cast<float>(x / std::sqrt(square));
  return v;
}

inline double dot_product(const Vector& a, const Vector& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

// Points on the unit sphere around `centres` directions, which have a common mean as embeddings of sentences do.
class ClusteredVectors {
 public:
  ClusteredVectors(std::mt19937& random, std::size_t dimension, std::size_t centres, float spread)
      : random_(random), spread_(spread / std::sqrt(static_cast<float>(dimension))) {
    const Vector common = normalised(normal_vector(random, dimension));
    for (std::size_t i = 0; i < centres; ++i) {
      centres_.push_back(normalised(normal_vector(random, dimension)));
      for (std::size_t d = 0; d < dimension; ++d) centres_.back()[d] += common[d];
    }
  }
  Vector next() {
    Vector v = centres_[random_() % centres_.size()];
    const Vector noise = normal_vector(random_, v.size(), spread_);
    for (std::size_t d = 0; d < v.size(); ++d) v[d] += noise[d];
    return normalised(std::move(v));
  }

 private:
  std::mt19937& random_;
  float spread_;
  std::vector<Vector> centres_;
};

inline Uuid id_of(std::size_t number) { return point_id("test", std::to_string(number)); }

// In which point `number` has slot `number`.
inline testing::ListedSlots slots_of(std::size_t count) {
  testing::ListedSlots slots;
  for (std::size_t number = 0; number < count; ++number) slots.add(id_of(number));
  return slots;
}

}  // namespace pandora
