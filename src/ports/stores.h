// The stores of one installation, as the composition root wires them.
#pragma once
#include "ports/document_store.h"
#include "ports/knowledge_stores.h"
#include "ports/observation_store.h"
#include "ports/outbox.h"
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
  ReceiptStore& receipts;
};

// Collections, the vector names in them, and their payload indexes (C14).
inline constexpr std::string_view kTurnsCollection = "turns";
inline constexpr std::string_view kResearchCollection = "research";
inline constexpr std::string_view kMemoriesCollection = "memories";
inline constexpr std::string_view kLexicalVector = "bm25";
std::vector<CollectionSpec> collection_specs(const EmbedderIdentity& embedder);

}  // namespace pandora
