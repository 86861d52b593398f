// Where something stands in a payload: `a.b[].c`, `a[0]`, `"key.with.dots".x`.
#pragma once
#include <string>
#include <vector>

#include "wire/json_tape.h"
#include "wire/qdrant_fault.h"

namespace pandora::qdrant {

inline constexpr std::size_t kMaxPathSteps = 64;

struct PathStep {
  enum class Kind { kKey, kIndex, kEvery } kind = Kind::kKey;
  std::string key;        // of kKey
  std::size_t index = 0;  // of kIndex
  bool operator==(const PathStep&) const = default;
};

// At least one step, the first a key.
class PayloadPath {
 public:
  static Outcome<PayloadPath> parse(std::string_view text);
  const std::vector<PathStep>& steps() const { return steps_; }
  std::string to_text() const;     // canonical: the same path, the same text
  PayloadPath with_every() const;  // the same with "[]" behind it, unless that ends it already
  bool operator==(const PayloadPath&) const = default;

 private:
  std::vector<PathStep> steps_;
};

Outcome<PayloadPath> read_path(JsonNode node);
Outcome<std::vector<PayloadPath>> read_paths(JsonNode list);

// Calls visit(JsonNode) for each value at the path in `payload`, until it answers false. Arrays are entered where the
// path says so only.
template <class Visit>
bool visit_values(JsonNode payload, const std::vector<PathStep>& steps, std::size_t from, Visit& visit) {
  if (from == steps.size()) return visit(payload);
  const PathStep& step = steps[from];
  if (step.kind == PathStep::Kind::kKey) {
    const JsonNode value = payload.find(step.key);
    return value ? visit_values(value, steps, from + 1, visit) : true;
  }
  if (!payload.is_array()) return true;
  std::size_t i = 0;
  for (JsonNode value = payload.first(); value; value = value.next(), ++i)
    if (step.kind == PathStep::Kind::kEvery || i == step.index)
      if (!visit_values(value, steps, from + 1, visit)) return false;
  return true;
}

}  // namespace pandora::qdrant
