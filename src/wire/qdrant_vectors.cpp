#include "wire/qdrant_vectors.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <fmt/format.h>

#include "wire/qdrant_read.h"

namespace pandora::qdrant {
namespace {

Fault no_vector() { return bad_format("data did not match any variant of untagged enum VectorStruct"); }

// Larger components than are kept: the same direction, the largest component 1.
Outcome<DenseInput> direction_of(JsonNode node) {
  std::vector<double> values;
  double largest = 0;
  for (JsonNode item = node.first(); item; item = item.next()) {
    values.push_back(item.number());
    largest = std::max(largest, std::fabs(values.back()));
  }
  if (!std::isfinite(largest)) return fail(wrong_input("a component of a vector is no finite number"));
  DenseInput dense{{}, true};
  for (const double value : values) dense.values.push_back(static_cast<float>(value / largest));
  return dense;
}

Outcome<DenseInput> read_dense(JsonNode node) {
  DenseInput dense;
  bool too_large = false;
  for (JsonNode item = node.first(); item; item = item.next()) {
    if (item.is_array()) return fail(not_served("multivectors"));
    if (!item.is_number()) return fail(no_vector());
    const float value = item.nearest_float();
    too_large |= !(std::fabs(value) <= kMaxVectorComponent);
    dense.values.push_back(value);
  }
  if (too_large) return direction_of(node);
  return dense;
}

Outcome<SparseVector> read_sparse(JsonNode node, const std::string& place) {
  const JsonNode indices = node.find("indices"), values = node.find("values");
  if (!indices || !values || !indices.is_array() || !values.is_array()) return fail(no_vector());
  SparseVector given;
  for (JsonNode item = indices.first(); item; item = item.next()) {
    const auto index = item.unsigned_integer();
    if (!index || *index > std::numeric_limits<std::uint32_t>::max()) return fail(no_vector());
    given.indices.push_back(static_cast<std::uint32_t>(*index));
  }
  for (JsonNode item = values.first(); item; item = item.next()) {
    if (!item.is_number()) return fail(no_vector());
    const auto value = static_cast<float>(item.number());
    if (!(std::fabs(value) <= kMaxVectorComponent)) return fail(wrong_input("a value of a sparse vector is too large"));
    given.values.push_back(value);
  }
  if (given.indices.size() != given.values.size())
    return fail(bad_value(place + ".values: Validation error: must be the same length as indices [{}]"));
  if (!std::ranges::is_sorted(given.indices)) {
    std::vector<std::size_t> order(given.indices.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::sort(order, {}, [&](std::size_t i) { return given.indices[i]; });
    SparseVector sorted;
    for (const std::size_t i : order) {
      sorted.indices.push_back(given.indices[i]);
      sorted.values.push_back(given.values[i]);
    }
    given = std::move(sorted);
  }
  if (std::ranges::adjacent_find(given.indices) != given.indices.end())
    return fail(bad_value(place + ".indices: Validation error: must be unique [{}]"));
  return given;
}

Fault not_made_here() { return not_served("vectors made here from texts and images"); }

// What a Qdrant would have a model make a vector of.
bool is_made(JsonNode node) {
  constexpr const char* kSources[] = {"text", "image", "object"};
  return node.is_object() &&
         std::ranges::any_of(kSources, [&](const char* source) { return static_cast<bool>(node.find(source)); });
}

}  // namespace

bool is_sparse(JsonNode node) { return node.is_object() && node.find("indices") && node.find("values"); }

Outcome<VectorInput> read_vector(JsonNode node, const std::string& place) {
  if (node.is_array()) {
    PANDORA_TRY(dense, read_dense(node));
    return VectorInput(std::move(dense));
  }
  if (is_sparse(node)) {
    PANDORA_TRY(sparse, read_sparse(node, place));
    return VectorInput(std::move(sparse));
  }
  if (is_made(node)) return fail(not_made_here());
  return fail(no_vector());
}

Outcome<NamedVectors> read_vectors(JsonNode node, const std::string& place) {
  NamedVectors named;
  const auto add = [&](std::string name, JsonNode value) -> Outcome<void> {
    PANDORA_TRY(vector, read_vector(value, place + ".?"));
    if (const auto* dense = std::get_if<DenseInput>(&vector); dense && dense->values.empty())
      return fail(bad_value(place + ".vector: dense vector must not be empty"));
    std::erase_if(named, [&](const auto& other) { return other.first == name; });
    named.emplace_back(std::move(name), std::move(vector));
    return {};
  };
  if (node.is_array()) {
    PANDORA_CHECK(add("", node));
    return named;
  }
  if (!node.is_object()) return fail(no_vector());
  if (const JsonNode model = node.find("model"); model && model.is_string() && is_made(node))
    return fail(not_made_here());
  for (JsonNode key = node.first(); key; key = key.next().next()) PANDORA_CHECK(add(key.text(), key.next()));
  return named;
}

void append_dense(std::string& out, const float* values, std::size_t size) {
  out += '[';
  for (std::size_t i = 0; i < size; ++i) {
    if (i > 0) out += ',';
    append_json_float(out, values[i]);
  }
  out += ']';
}

void append_sparse(std::string& out, const SparseVector& vector) {
  out += "{\"indices\":[";
  for (std::size_t i = 0; i < vector.indices.size(); ++i)
    fmt::format_to(std::back_inserter(out), "{}{}", i > 0 ? "," : "", vector.indices[i]);
  out += "],\"values\":";
  append_dense(out, vector.values.data(), vector.values.size());
  out += '}';
}

}  // namespace pandora::qdrant
