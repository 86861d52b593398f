#include "vectors/payload_edit.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

namespace pandora::qdrant {
namespace {

// Keeps what was written in the order it was written.
using Value = nlohmann::ordered_json;
using Steps = std::vector<PathStep>;

Value parse(const std::string& payload) { return Value::parse(payload, nullptr, false); }

void merge_into(Value& into, const Value& change) {
  if (!into.is_object()) into = Value::object();
  for (const auto& [name, value] : change.items()) into[name] = value;
}

void merge_at(Value& at, const Steps& steps, std::size_t from, const Value& change) {
  if (from == steps.size()) return merge_into(at, change);
  const PathStep& step = steps[from];
  if (step.kind == PathStep::Kind::kKey) {
    if (!at.is_object()) at = Value::object();
    merge_at(at[step.key], steps, from + 1, change);
  } else if (at.is_array()) {
    for (std::size_t i = 0; i < at.size(); ++i)
      if (step.kind == PathStep::Kind::kEvery || i == step.index) merge_at(at[i], steps, from + 1, change);
  }
}

void erase_at(Value& at, const Steps& steps, std::size_t from) {
  const PathStep& step = steps[from];
  const bool last = from + 1 == steps.size();
  if (step.kind == PathStep::Kind::kKey) {
    if (!at.is_object() || !at.contains(step.key)) return;
    if (last)
      at.erase(step.key);
    else
      erase_at(at[step.key], steps, from + 1);
    return;
  }
  if (!at.is_array()) return;
  if (last && step.kind == PathStep::Kind::kEvery) {
    at = Value::array();
  } else if (last) {
    if (step.index < at.size()) at.erase(step.index);
  } else {
    for (std::size_t i = 0; i < at.size(); ++i)
      if (step.kind == PathStep::Kind::kEvery || i == step.index) erase_at(at[i], steps, from + 1);
  }
}

// What of `value` the paths lead to; each a path and how far it has led.
struct Led {
  const Steps* steps;
  std::size_t from;
};

void append_included(std::string& out, JsonNode value, const std::vector<Led>& led) {
  if (std::ranges::any_of(led, [](const Led& one) { return one.from == one.steps->size(); }))
    return append_compact(out, value);
  const char* separator = "";
  const auto through = [&](auto&& fits) {
    std::vector<Led> further;
    for (const Led& one : led)
      if (fits((*one.steps)[one.from])) further.push_back({one.steps, one.from + 1});
    return further;
  };
  // A value that is neither has nothing further down.
  const auto leads = [](JsonNode to, const std::vector<Led>& further) {
    return !further.empty() && (to.is_object() || to.is_array() || std::ranges::any_of(further, [](const Led& one) {
                                  return one.from == one.steps->size();
                                }));
  };
  if (value.is_array()) {
    out += '[';
    std::size_t i = 0;
    for (JsonNode item = value.first(); item; item = item.next(), ++i) {
      const auto further = through([&](const PathStep& step) {
        return step.kind == PathStep::Kind::kEvery || (step.kind == PathStep::Kind::kIndex && step.index == i);
      });
      if (!leads(item, further)) continue;
      out += std::exchange(separator, ",");
      append_included(out, item, further);
    }
    out += ']';
    return;
  }
  out += '{';
  for (JsonNode key = value.first(); key; key = key.next().next()) {
    const auto further =
        through([&](const PathStep& step) { return step.kind == PathStep::Kind::kKey && key.text_is(step.key); });
    if (!leads(key.next(), further)) continue;
    out += std::exchange(separator, ",");
    out += key.raw();
    out += ':';
    append_included(out, key.next(), further);
  }
  out += '}';
}

}  // namespace

std::string merge_payload(const std::string& payload, const std::string& change, const PayloadPath* key) {
  Value value = parse(payload);
  merge_at(value, key ? key->steps() : Steps(), 0, parse(change));
  return value.dump();
}

std::string without_keys(const std::string& payload, const std::vector<PayloadPath>& keys) {
  Value value = parse(payload);
  for (const PayloadPath& key : keys) erase_at(value, key.steps(), 0);
  return value.dump();
}

void append_selected(std::string& out, std::string_view payload, const PayloadSelector& selector) {
  if (selector.kind == PayloadSelector::Kind::kAll) {
    out += payload;
  } else if (selector.kind == PayloadSelector::Kind::kExclude) {
    out += without_keys(std::string(payload), selector.paths);
  } else {
    const auto tape = JsonTape::parse(payload);
    std::vector<Led> led;
    for (const PayloadPath& path : selector.paths) led.push_back({&path.steps(), 0});
    if (tape) append_included(out, tape->root(), led);
  }
}

}  // namespace pandora::qdrant
