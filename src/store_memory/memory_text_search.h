// Turns by their words, in memory: every turn is looked at. Internal to store_memory.
#pragma once
#include "ports/text_search.h"
#include "store_memory/memory_rows_state.h"

namespace pandora {

class MemoryTextSearch final : public TextSearch {
 public:
  explicit MemoryTextSearch(memory_rows::State& state) : state_(state) {}
  Result<TextMatches> turns(const TextQuery& query, const Principal& who, const Deadline& deadline) override;

 private:
  memory_rows::State& state_;
};

}  // namespace pandora
