#include "store_memory/memory_outbox.h"

#include <algorithm>

namespace pandora {
namespace {

// A time further ahead than anything is ever put off was written before the clock was set back.
bool has_come(Timestamp time, Timestamp now) { return time <= now || time > now + kMaxOutboxWait; }

}  // namespace

Status MemoryOutbox::enqueue(std::span<const OutboxItem> items, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("filling the outbox"));
  const std::lock_guard lock(state_.mutex);
  for (const auto& item : items) memory_rows::enqueue(state_, item.kind, item.key);
  return {};
}

Result<std::vector<OutboxEntry>> MemoryOutbox::claim(std::string_view owner, Duration lease, std::size_t n,
                                                     const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("claiming from the outbox"));
  const std::lock_guard lock(state_.mutex);
  const Timestamp now = state_.clock.now();
  std::vector<OutboxEntry> claimed;
  for (auto& [id, row] : state_.outbox) {
    if (claimed.size() == std::min(n, kMaxClaim)) break;
    if (!has_come(row.due_at, now) || !has_come(row.leased_until, now)) continue;
    row.leased_until = now + std::min(lease, kMaxOutboxWait);
    row.owner = owner;
    row.entry.version = memory_rows::next_version(state_);
    ++row.entry.attempts;
    claimed.push_back(row.entry);
  }
  return claimed;
}

Status MemoryOutbox::release(std::string_view owner, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("releasing leases"));
  const std::lock_guard lock(state_.mutex);
  for (auto& [id, row] : state_.outbox)
    if (row.owner == owner) row.leased_until = {}, row.owner.clear();
  return {};
}

Result<std::int64_t> MemoryOutbox::last_version(const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("asking for the last version"));
  const std::lock_guard lock(state_.mutex);
  return state_.last_version;
}

Status MemoryOutbox::versions_through(std::int64_t version, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("raising versions"));
  const std::lock_guard lock(state_.mutex);
  state_.last_version = std::max(state_.last_version, version);
  return {};
}

Result<bool> MemoryOutbox::ack(std::int64_t id, std::int64_t version, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("acknowledging an entry"));
  const std::lock_guard lock(state_.mutex);
  const auto found = state_.outbox.find(id);
  if (found == state_.outbox.end() || found->second.entry.version != version) return false;
  state_.outbox.erase(found);
  return true;
}

Status MemoryOutbox::retry(std::int64_t id, std::int64_t version, Duration delay, std::string_view error,
                           const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("putting an entry off"));
  const std::lock_guard lock(state_.mutex);
  const auto found = state_.outbox.find(id);
  if (found == state_.outbox.end() || found->second.entry.version != version) return {};
  memory_rows::OutboxRow& row = found->second;
  row.due_at = state_.clock.now() + std::min(delay, kMaxOutboxWait);
  row.leased_until = {};
  row.owner.clear();
  row.entry.last_error = error;
  return {};
}

Result<std::int64_t> MemoryOutbox::size(const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("counting the outbox"));
  const std::lock_guard lock(state_.mutex);
  return static_cast<std::int64_t>(state_.outbox.size());
}

Result<bool> MemoryOutbox::is_waiting(const OutboxItem& item, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("looking into the outbox"));
  const std::lock_guard lock(state_.mutex);
  return std::ranges::any_of(state_.outbox, [&](const auto& row) { return row.second.entry.item == item; });
}

}  // namespace pandora
