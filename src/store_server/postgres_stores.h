// The relational stores of the server profile: one PostgreSQL behind every port of rows.
#pragma once
#include <memory>

#include "ports/journal_register.h"
#include "ports/key_store.h"
#include "ports/knowledge_stores.h"
#include "ports/observation_store.h"
#include "ports/outbox.h"
#include "ports/receipt_store.h"
#include "ports/turn_store.h"
#include "postgres/postgres_pool.h"

namespace pandora {

class PostgresStores {
 public:
  // Connects at the first use, and looks at the schema then (check_postgres_schema): a server that is down is no reason
  // not to start. `clock` outlives it. At most `receipts` of recalls are kept. With a home, which each of the processes
  // that share the database must have, leases are of the server's clock, not of this machine's.
  static std::unique_ptr<PostgresStores> open(PostgresOptions options, const Clock& clock,
                                              std::size_t receipts = kDefaultReceipts);
  virtual ~PostgresStores() = default;
  virtual TurnStore& turns() = 0;
  virtual MemoryStore& memories() = 0;
  virtual ResearchStore& research() = 0;
  virtual SourceStore& sources() = 0;
  virtual ObservationStore& observations() = 0;
  virtual InstanceStore& instance() = 0;
  virtual Outbox& outbox() = 0;
  virtual ReceiptStore& receipts() = 0;
  virtual KeyStore& keys() = 0;
  virtual JournalRegister& journals() = 0;
  virtual PostgresPool& pool() = 0;
};

}  // namespace pandora
