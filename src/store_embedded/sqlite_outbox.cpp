#include "store_embedded/sqlite_outbox.h"

#include <algorithm>

#include "store_embedded/sqlite_rows.h"

namespace pandora {

Status SqliteOutbox::enqueue(std::span<const OutboxItem> items, const Deadline& deadline) {
  return database_.write(
      [&](Connection& connection) -> Status {
        for (const auto& item : items)
          PANDORA_CHECK(sqlite_rows::enqueue(connection, item.kind, item.key, clock_.now()));
        return {};
      },
      deadline);
}

Result<std::vector<OutboxEntry>> SqliteOutbox::claim(std::string_view owner, Duration lease, std::size_t n,
                                                     const Deadline& deadline) {
  return database_.write_for(
      [&](Connection& connection) -> Result<std::vector<OutboxEntry>> {
        const Timestamp now = clock_.now();
        std::vector<OutboxEntry> entries;
        // Whoever looks for work does so all day: when there is none, nothing is written, and so nothing is synced.
        const Timestamp latest = now + kMaxOutboxWait;
        {
          PANDORA_TRY(due, connection.query("SELECT 1 FROM outbox WHERE (due_at <= ?1 OR due_at > ?2) AND "
                                            "(leased_until <= ?1 OR leased_until > ?2) LIMIT 1",
                                            now, latest));
          PANDORA_TRY(any, due.next());
          if (!any) return entries;
        }
        // A claim is a new version: who lost his lease cannot ack what somebody else works on now.
        PANDORA_CHECK(connection.run("UPDATE outbox_versions SET last = max(last + 1, ?)", now));
        PANDORA_TRY(
            rows, connection.query("UPDATE outbox SET version = (SELECT last FROM outbox_versions), "
                                   "leased_until = ?2, owner = ?3, attempts = attempts + 1 WHERE id IN"
                                   " (SELECT id FROM outbox WHERE (due_at <= ?1 OR due_at > ?5) AND "
                                   "(leased_until <= ?1 OR leased_until > ?5) ORDER BY id LIMIT ?4)"
                                   " RETURNING id, kind, key, version, attempts, last_error",
                                   now, now + std::min(lease, kMaxOutboxWait), owner, std::min(n, kMaxClaim), latest));
        for (;;) {
          PANDORA_TRY(more, rows.next());
          if (!more) break;
          PANDORA_TRY(kind, sqlite_rows::stored(parse_outbox_kind(rows.text(1))));
          entries.push_back({rows.integer(0),
                             {kind, std::string(rows.text(2))},
                             rows.integer(3),
                             static_cast<int>(rows.integer(4)),
                             std::string(rows.text(5))});
        }
        std::ranges::sort(entries, {}, &OutboxEntry::id);
        return entries;
      },
      deadline);
}

Status SqliteOutbox::release(std::string_view owner, const Deadline& deadline) {
  return database_.write(
      [&](Connection& connection) {
        return connection.run("UPDATE outbox SET leased_until = 0, owner = '' WHERE owner = ?", owner);
      },
      deadline);
}

Result<std::int64_t> SqliteOutbox::last_version(const Deadline& deadline) {
  return database_.read(
      [&](Connection& connection) -> Result<std::int64_t> {
        PANDORA_TRY(row, connection.query("SELECT last FROM outbox_versions"));
        PANDORA_CHECK(row.next());
        return row.integer(0);
      },
      deadline);
}

Status SqliteOutbox::versions_through(std::int64_t version, const Deadline& deadline) {
  PANDORA_TRY(last, last_version(deadline));
  if (last >= version) return {};  // nothing is written, and so nothing is synced
  return database_.write(
      [&](Connection& connection) { return connection.run("UPDATE outbox_versions SET last = max(last, ?)", version); },
      deadline);
}

Result<bool> SqliteOutbox::ack(std::int64_t id, std::int64_t version, const Deadline& deadline) {
  return database_.write_for(
      [&](Connection& connection) -> Result<bool> {
        PANDORA_CHECK(connection.run("DELETE FROM outbox WHERE id = ? AND version = ?", id, version));
        return connection.changes() == 1;
      },
      deadline);
}

Result<std::size_t> SqliteOutbox::ack_all(std::span<const OutboxEntry> entries, const Deadline& deadline) {
  return database_.write_for(
      [&](Connection& connection) -> Result<std::size_t> {
        std::size_t removed = 0;
        for (const auto& entry : entries) {
          PANDORA_CHECK(connection.run("DELETE FROM outbox WHERE id = ? AND version = ?", entry.id, entry.version));
          removed += static_cast<std::size_t>(connection.changes());
        }
        return removed;
      },
      deadline);
}

Status SqliteOutbox::retry(std::int64_t id, std::int64_t version, Duration delay, std::string_view error,
                           const Deadline& deadline) {
  return database_.write(
      [&](Connection& connection) {
        return connection.run(
            "UPDATE outbox SET due_at = ?2, leased_until = 0, owner = '', last_error = ?3 WHERE id = ?1 AND version = "
            "?4",
            id, clock_.now() + std::min(delay, kMaxOutboxWait), error, version);
      },
      deadline);
}

Result<std::int64_t> SqliteOutbox::size(const Deadline& deadline) {
  return database_.read(
      [&](Connection& connection) -> Result<std::int64_t> {
        PANDORA_TRY(row, connection.query("SELECT count(*) FROM outbox"));
        PANDORA_CHECK(row.next());
        return row.integer(0);
      },
      deadline);
}

Result<bool> SqliteOutbox::is_waiting(const OutboxItem& item, const Deadline& deadline) {
  return database_.read(
      [&](Connection& connection) -> Result<bool> {
        PANDORA_TRY(row, connection.query("SELECT 1 FROM outbox WHERE kind = ? AND key = ?", to_string(item.kind),
                                          std::string_view(item.key)));
        return row.next();
      },
      deadline);
}

}  // namespace pandora
