// The relational stores of the embedded profile: one SQLite file behind every port of rows.
#pragma once
#include <memory>
#include <string>

#include "ports/key_store.h"
#include "ports/knowledge_stores.h"
#include "ports/observation_store.h"
#include "ports/outbox.h"
#include "ports/receipt_store.h"
#include "ports/turn_store.h"
#include "sqlite/database.h"

namespace pandora {

class SqliteStores {
 public:
  // Errors: see SqliteDatabase::open. `clock` outlives it. At most `receipts` of recalls are kept.
  static Result<std::unique_ptr<SqliteStores>> open(const std::string& path, const std::string& vfs, const Clock& clock,
                                                    std::size_t receipts = kDefaultReceipts,
                                                    IntegrityCheck check = IntegrityCheck::kBesideWhenLarge);
  virtual ~SqliteStores() = default;
  virtual TurnStore& turns() = 0;
  virtual MemoryStore& memories() = 0;
  virtual ResearchStore& research() = 0;
  virtual SourceStore& sources() = 0;
  virtual ObservationStore& observations() = 0;
  virtual InstanceStore& instance() = 0;
  virtual Outbox& outbox() = 0;
  virtual ReceiptStore& receipts() = 0;
  virtual KeyStore& keys() = 0;
  virtual SqliteDatabase& database() = 0;
};

}  // namespace pandora
