// The stores of one installation, as the composition root wires them.
#pragma once
#include "ports/document_store.h"
#include "ports/knowledge_stores.h"
#include "ports/object_store.h"
#include "ports/observation_store.h"
#include "ports/outbox.h"
#include "ports/point_space.h"
#include "ports/receipt_store.h"
#include "ports/turn_store.h"
#include "ports/vector_store.h"

namespace pandora {

struct Stores {  // references: the owner outlives every user
  TurnStore& turns;
  MemoryStore& memories;
  ResearchStore& research;
  SourceStore& sources;
  ObservationStore& observations;
  InstanceStore& instance;
  Outbox& outbox;
  VectorStore& vectors;
  DocumentStore& documents;
  ObjectStore& objects;
  ReceiptStore& receipts;
};

}  // namespace pandora
