// ReceiptStore over PostgreSQL. See ports/receipt_store.h.
#pragma once
#include "ports/scanned_receipts.h"
#include "postgres/postgres_pool.h"

namespace pandora {

class PostgresReceiptStore final : public ScannedReceipts {
 public:
  PostgresReceiptStore(PostgresPool& pool, std::size_t most) : pool_(pool), most_(most) {}
  Status put(std::span<const RecallReceipt> receipts, const Principal& who, const Deadline& deadline) override;
  Result<RecallReceipt> find(const Uuid& id, const Principal& who, const Deadline& deadline) override;
  Result<std::vector<RecallReceipt>> list(const ReceiptQuery& query, const Principal& who,
                                          const Deadline& deadline) override;
  Result<ReceiptStatus> status(const Deadline& deadline) override;

 private:
  Status scan(const Uuid& after, const Principal& who, const Look& look, const Deadline& deadline) override;
  Result<std::int64_t> forget_in(std::span<const Uuid> ids, const ForgottenRows& rows,
                                 const Deadline& deadline) override;

  PostgresPool& pool_;
  const std::size_t most_;
};

}  // namespace pandora
