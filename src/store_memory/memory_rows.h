// The ports of rows in memory, all over one state: what commit_turn writes, every other port sees. Thread-safe.
#pragma once
#include <memory>

#include "ports/attempt_log.h"
#include "ports/knowledge_stores.h"
#include "ports/observation_store.h"
#include "ports/outbox.h"
#include "ports/text_search.h"
#include "ports/turn_store.h"
#include "ports/turn_vector_log.h"

namespace pandora {

class MemoryRows {
 public:
  virtual ~MemoryRows() = default;
  virtual TurnStore& turns() = 0;
  virtual MemoryStore& memories() = 0;
  virtual ResearchStore& research() = 0;
  virtual SourceStore& sources() = 0;
  virtual ObservationStore& observations() = 0;
  virtual InstanceStore& instance() = 0;
  virtual Outbox& outbox() = 0;
  virtual AttemptLog& attempts() = 0;
  virtual TurnVectorLog& turn_vectors() = 0;
  virtual TextSearch& texts() = 0;
};

// `clock` outlives it.
std::unique_ptr<MemoryRows> make_memory_rows(const Clock& clock);

}  // namespace pandora
