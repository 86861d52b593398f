#include "store_server/postgres_outbox.h"

#include <algorithm>
#include <optional>

#include "store_server/postgres_rows.h"

namespace pandora {

using postgres_rows::Statements;

Status PostgresOutbox::enqueue(std::span<const OutboxItem> items, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("asking PostgreSQL"));
  if (items.empty()) return {};
  Statements statements;
  postgres_rows::take_counters(statements, clock_.now());
  postgres_rows::enqueue(statements, items);
  return postgres_rows::done(pool_.write_at_once(statements, deadline));
}

// $1: this machine's time, when it has the database alone; else the server's, which all share.
#define PANDORA_CLOCK "(SELECT coalesce($1::bigint, (extract(epoch FROM now()) * 1000000)::bigint) AS now) AS clock"
// $2: kMaxOutboxWait; $3: the owner.
#define PANDORA_FREE "(leased_until <= clock.now OR leased_until > clock.now + $2::bigint)"
#define PANDORA_DUE                                                            \
  "(due_at <= clock.now OR due_at > clock.now + $2::bigint) AND " PANDORA_FREE \
  " AND (home = '' OR home = $3 OR kind <> 'turn_directory')"
// As the index outbox_by_due has them. The order is what makes the server read it: by its estimate so much is due that
// it would find some sooner by reading everything.
#define PANDORA_DUE_OF(whose, when)                                                                     \
  "(SELECT id FROM pandora.outbox WHERE CASE kind WHEN 'turn_directory' THEN home ELSE '' END = " whose \
  " AND due_at " when " AND " PANDORA_FREE " ORDER BY due_at LIMIT $4::bigint)"

const std::string_view PostgresOutbox::kDue =
    "SELECT DISTINCT due.id FROM " PANDORA_CLOCK
    " CROSS JOIN LATERAL (" PANDORA_DUE_OF("''", "<= clock.now") " UNION ALL " PANDORA_DUE_OF(
        "$3::text",
        "<= clock.now") " UNION ALL " PANDORA_DUE_OF("''",
                                                     "> clock.now + $2") " UNION ALL " PANDORA_DUE_OF("$3",
                                                                                                      "> clock.now + "
                                                                                                      "$2") ") AS due";

PostgresValue PostgresOutbox::now() const {
  return pool_.home().empty() ? PostgresValue(clock_.now().micros) : PostgresValue(std::optional<std::int64_t>());
}

Result<std::vector<OutboxEntry>> PostgresOutbox::claim(std::string_view owner, Duration lease, std::size_t n,
                                                       const Deadline& deadline) {
  std::vector<OutboxEntry> entries;
  const std::size_t most = std::min(n, kMaxClaim);
  // Whoever looks for work does so all day: when there is none, no lock is taken and nothing is written.
  PANDORA_TRY(due, pool_.query(kDue, deadline, now(), kMaxOutboxWait.count(), owner, most + 1));
  if (due.empty()) return entries;
  Statements statements;
  postgres_rows::take_counters(statements, clock_.now());
  // When that is all, nothing else need be read; of more, the oldest are taken.
  std::optional<std::vector<std::int64_t>> all;
  if (static_cast<std::size_t>(due.size()) <= most) {
    all.emplace();
    for (int i = 0; i < due.size(); ++i) all->push_back(due.integer(i, 0));
  }
  // The array is made once; what stands in IN may be looked up again and again, and then takes more than the limit.
  // A claim is a new version: who lost his lease cannot ack what somebody else works on now. What another is claiming
  // at this moment is passed over.
#define PANDORA_CLAIM(which)                                                                                       \
  "UPDATE pandora.outbox SET version = nextval('pandora.outbox_versions'), leased_until = clock.now + $4::bigint," \
  " owner = $3, attempts = attempts + 1 FROM " PANDORA_CLOCK                                                       \
  " WHERE id = ANY (ARRAY(SELECT id FROM pandora.outbox, " PANDORA_CLOCK " WHERE " which PANDORA_DUE               \
  " ORDER BY id LIMIT $5::bigint FOR UPDATE OF outbox SKIP LOCKED))"                                               \
  " RETURNING id, kind, key, version, attempts, last_error"
  std::vector<PostgresValue> values = {now(), kMaxOutboxWait.count(), owner, std::min(lease, kMaxOutboxWait).count(),
                                       most};
  if (all) values.emplace_back(*all);
  statements.push_back({all ? PANDORA_CLAIM("id = ANY ($6::bigint[]) AND ") : PANDORA_CLAIM(""), std::move(values)});
  PANDORA_TRY(answers, pool_.write_at_once(statements, deadline));
  const PostgresRows& rows = answers.back();
  for (int i = 0; i < rows.size(); ++i) {
    PANDORA_TRY(kind, postgres_rows::stored(parse_outbox_kind(rows.text(i, 1))));
    entries.push_back({rows.integer(i, 0),
                       {kind, std::string(rows.text(i, 2))},
                       rows.integer(i, 3),
                       static_cast<int>(rows.integer(i, 4)),
                       std::string(rows.text(i, 5))});
  }
  std::ranges::sort(entries, {}, &OutboxEntry::id);
  return entries;
}

Status PostgresOutbox::release(std::string_view owner, const Deadline& deadline) {
  return postgres_rows::done(
      pool_.query("UPDATE pandora.outbox SET leased_until = 0, owner = '' WHERE owner = $1", deadline, owner));
}

Result<std::int64_t> PostgresOutbox::last_version(const Deadline& deadline) {
  PANDORA_TRY(rows, pool_.query("SELECT last_value FROM pandora.outbox_versions", deadline));
  return rows.integer(0, 0);
}

Status PostgresOutbox::versions_through(std::int64_t version, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("asking PostgreSQL"));
  Statements statements;
  postgres_rows::take_versions(statements, version);
  return postgres_rows::done(pool_.write_at_once(statements, deadline));
}

Result<bool> PostgresOutbox::ack(std::int64_t id, std::int64_t version, const Deadline& deadline) {
  PANDORA_TRY(rows, pool_.query("DELETE FROM pandora.outbox WHERE id = $1 AND version = $2", deadline, id, version));
  return rows.changed() == 1;
}

Result<std::size_t> PostgresOutbox::ack_all(std::span<const OutboxEntry> entries, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("asking PostgreSQL"));
  if (entries.empty()) return 0;
  std::vector<std::int64_t> ids, versions;
  for (const OutboxEntry& entry : entries) {
    ids.push_back(entry.id);
    versions.push_back(entry.version);
  }
  // In the order in which writers ask again, so that the two do not wait for each other.
  const PostgresStatement statement{
      "DELETE FROM pandora.outbox WHERE id IN (SELECT o.id FROM pandora.outbox o JOIN unnest($1::bigint[], "
      "$2::bigint[]) AS a (id, version)"
      " ON o.id = a.id AND o.version = a.version ORDER BY o.id FOR UPDATE OF o)",
      {ids, versions}};
  PANDORA_TRY(rows, pool_.write_at_once({&statement, 1}, deadline));
  return static_cast<std::size_t>(rows.front().changed());
}

Status PostgresOutbox::retry(std::int64_t id, std::int64_t version, Duration delay, std::string_view error,
                             const Deadline& deadline) {
  return postgres_rows::done(
      pool_.query("UPDATE pandora.outbox SET due_at = clock.now + $2::bigint, leased_until = 0, owner = '', last_error "
                  "= $3 FROM " PANDORA_CLOCK " WHERE id = $4 AND version = $5",
                  deadline, now(), std::min(delay, kMaxOutboxWait).count(), error, id, version));
}

Result<std::int64_t> PostgresOutbox::size(const Deadline& deadline) {
  PANDORA_TRY(rows, pool_.query("SELECT count(*) FROM pandora.outbox WHERE home = '' OR home = $1"
                                " OR kind <> 'turn_directory'",
                                deadline, pool_.home()));
  return rows.integer(0, 0);
}

Result<bool> PostgresOutbox::is_waiting(const OutboxItem& item, const Deadline& deadline) {
  PANDORA_TRY(rows, pool_.query("SELECT 1 FROM pandora.outbox WHERE kind = $1 AND key = $2", deadline,
                                to_string(item.kind), item.key));
  return !rows.empty();
}

}  // namespace pandora
