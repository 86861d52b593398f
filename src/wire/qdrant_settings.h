// Settings of a collection that change no answer here: graphs, optimizers, logs, quantisation, disk, metadata.
//
// Read as strictly as a Qdrant does, because its clients read them back: 400 for what is of another type; then, when
// the whole body has been read, 422 for what is out of bounds. Nulls and names that nobody knows are left out of the
// value.
#pragma once
#include <optional>

#include <nlohmann/json.hpp>

#include "wire/json_tape.h"
#include "wire/qdrant_fault.h"

namespace pandora::qdrant {

using Json = nlohmann::json;

// What is wrong with a body beside its shape. Of each kind the first counts.
class Objections {
 public:
  void out_of_bounds(Fault fault) { bounds_.emplace(bounds_.value_or(std::move(fault))); }
  void not_served(Fault fault) { served_.emplace(served_.value_or(std::move(fault))); }
  Outcome<void> verdict() const;  // 422 before 501

 private:
  std::optional<Fault> bounds_, served_;
};

enum class SettingsOf { kGraph, kOptimizers, kLog, kStrictMode, kChangedParams, kSparseIndex, kSearch };
// One block of them, an object; `place` names it in messages: "hnsw_config".
Outcome<Json> read_settings(SettingsOf block, JsonNode node, const std::string& place, Objections& objections);
// `scalar`, `product`, `binary` or `turbo`. Null: "Disabled", where a change of it may say so.
enum class Disabling { kRefused, kTaken };
Outcome<Json> read_quantization(JsonNode node, const std::string& place, Disabling disabling, Objections& objections);
Outcome<Json> read_metadata(JsonNode node);
// At least 1, of 32 bits.
Outcome<Json> read_factor(JsonNode node, const std::string& place, Objections& objections);

}  // namespace pandora::qdrant
