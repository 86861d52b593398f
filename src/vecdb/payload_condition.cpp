#include "vecdb/payload_condition.h"

#include <algorithm>

namespace pandora {
namespace {

bool equals(const PayloadValue& value, const PayloadValue& wanted) {
  if (value == wanted) return true;
  const auto* list = std::get_if<std::vector<std::string>>(&value);
  const auto* text = std::get_if<std::string>(&wanted);
  return list && text && std::ranges::find(*list, *text) != list->end();
}

// value ≥ bound; nothing when they are of different kinds.
std::optional<bool> not_below(const PayloadValue& value, const PayloadValue& bound) {
  if (const auto a = as_number(value), b = as_number(bound); a && b) return *a >= *b;
  const auto *a = std::get_if<Timestamp>(&value), *b = std::get_if<Timestamp>(&bound);
  if (a && b) return *a >= *b;
  return std::nullopt;
}

}  // namespace

std::optional<double> as_number(const PayloadValue& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return static_cast<double>(*integer);
  if (const auto* number = std::get_if<double>(&value)) return *number;
  return std::nullopt;
}

bool holds(const Uuid& id, const Payload& payload, const Condition& condition) {
  if (!condition.ids.empty()) return std::ranges::find(condition.ids, id) != condition.ids.end();
  const auto found = payload.find(condition.field);
  if (found == payload.end()) return false;
  const PayloadValue& value = found->second;
  if (!condition.any.empty())
    return std::ranges::any_of(condition.any, [&](const auto& wanted) { return equals(value, wanted); });
  if (!condition.from && !condition.to) return false;
  return (!condition.from || not_below(value, *condition.from) == true) &&
         (!condition.to || not_below(value, *condition.to) == false);
}

bool holds(const Uuid& id, const Payload& payload, const Filter& filter) {
  const auto true_here = [&](const Condition& condition) { return holds(id, payload, condition); };
  return std::ranges::all_of(filter.must, true_here) && std::ranges::none_of(filter.must_not, true_here) &&
         (filter.should.empty() || std::ranges::any_of(filter.should, true_here));
}

}  // namespace pandora
