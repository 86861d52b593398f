// Whether a payload meets a condition of a filter: the definition, to which `payload_index.h` is the quick way.
#pragma once
#include <optional>

#include "ports/vector_store.h"

namespace pandora {

// Integers and floats as one kind of number.
std::optional<double> as_number(const PayloadValue& value);

// `any`: the value, or one of a list, equals one of them (an integer never equals a float). A range [from, to) holds
// numbers between numbers and times between times. `ids`: the point is one of them. An absent field meets nothing.
bool holds(const Uuid& id, const Payload& payload, const Condition& condition);

// All of must, none of must_not, and one of should when there is any.
bool holds(const Uuid& id, const Payload& payload, const Filter& filter);

}  // namespace pandora
