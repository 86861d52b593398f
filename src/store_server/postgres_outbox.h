// Outbox over PostgreSQL: any number of processes may drain it together. See ports/outbox.h.
#pragma once
#include "ports/outbox.h"
#include "postgres/postgres_pool.h"

namespace pandora {

class PostgresOutbox final : public Outbox {
 public:
  PostgresOutbox(PostgresPool& pool, const Clock& clock) : pool_(pool), clock_(clock) {}
  Status enqueue(std::span<const OutboxItem> items, const Deadline& deadline) override;
  Result<std::vector<OutboxEntry>> claim(std::string_view owner, Duration lease, std::size_t n,
                                         const Deadline& deadline) override;
  Status release(std::string_view owner, const Deadline& deadline) override;
  Result<std::int64_t> last_version(const Deadline& deadline) override;
  Status versions_through(std::int64_t version, const Deadline& deadline) override;
  Result<bool> ack(std::int64_t id, std::int64_t version, const Deadline& deadline) override;
  Result<std::size_t> ack_all(std::span<const OutboxEntry> entries, const Deadline& deadline) override;
  Status retry(std::int64_t id, std::int64_t version, Duration delay, std::string_view error,
               const Deadline& deadline) override;
  Result<std::int64_t> size(const Deadline& deadline) override;
  Result<bool> is_waiting(const OutboxItem& item, const Deadline& deadline) override;

  // Ids of what is due, at most $4 of each kind of reason. Asked several times a second; a test asks how it is found.
  static const std::string_view kDue;

 private:
  PostgresValue now() const;
  PostgresPool& pool_;
  const Clock& clock_;
};

}  // namespace pandora
