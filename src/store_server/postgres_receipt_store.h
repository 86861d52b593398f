// ReceiptStore over PostgreSQL. See ports/receipt_store.h.
#pragma once
#include "ports/receipt_store.h"
#include "postgres/postgres_pool.h"

namespace pandora {

class PostgresReceiptStore final : public ReceiptStore {
 public:
  PostgresReceiptStore(PostgresPool& pool, std::size_t most) : pool_(pool), most_(most) {}
  Status put(std::span<const RecallReceipt> receipts, const Principal& who, const Deadline& deadline) override;
  Result<RecallReceipt> find(const Uuid& id, const Principal& who, const Deadline& deadline) override;
  Result<std::vector<RecallReceipt>> list(const ReceiptQuery& query, const Principal& who,
                                          const Deadline& deadline) override;
  Result<std::int64_t> forget(const ForgottenRows& rows, const Principal& who, const Deadline& deadline) override;
  Result<std::vector<Uuid>> naming(std::span<const Uuid> uids, const Principal& who, const Deadline& deadline) override;
  Result<ReceiptStatus> status(const Deadline& deadline) override;

 private:
  // Ids above `after`, of receipts that may name one of the rows; moves `after` on.
  struct Page {
    std::vector<Uuid> ids;
    bool more = false;
  };
  Result<Page> suspects(const ForgottenRows& rows, Uuid& after, const Principal& who, const Deadline& deadline);

  PostgresPool& pool_;
  const std::size_t most_;
};

}  // namespace pandora
