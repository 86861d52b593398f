// Outbox in memory. See ports/outbox.h.
#pragma once
#include "store_memory/memory_rows_state.h"

namespace pandora {

class MemoryOutbox final : public Outbox {
 public:
  explicit MemoryOutbox(memory_rows::State& state) : state_(state) {}
  Status enqueue(std::span<const OutboxItem> items, const Deadline& deadline) override;
  Result<std::vector<OutboxEntry>> claim(std::string_view owner, Duration lease, std::size_t n,
                                         const Deadline& deadline) override;
  Status release(std::string_view owner, const Deadline& deadline) override;
  Result<std::int64_t> last_version(const Deadline& deadline) override;
  Status versions_through(std::int64_t version, const Deadline& deadline) override;
  Result<bool> ack(std::int64_t id, std::int64_t version, const Deadline& deadline) override;
  Status retry(std::int64_t id, std::int64_t version, Duration delay, std::string_view error,
               const Deadline& deadline) override;
  Result<std::int64_t> size(const Deadline& deadline) override;
  Result<bool> is_waiting(const OutboxItem& item, const Deadline& deadline) override;

 private:
  memory_rows::State& state_;
};

}  // namespace pandora
