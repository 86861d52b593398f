#include "store_server/postgres_journal_register.h"

#include "store_server/postgres_rows.h"

namespace pandora {

Status PostgresJournalRegister::put(const RegisteredJournal& journal, const Deadline& deadline) {
  return postgres_rows::done(
      pool_.query("INSERT INTO pandora.journals (journal_id, host, directory, pending) VALUES ($1, $2, $3, $4)"
                  " ON CONFLICT (journal_id) DO UPDATE SET host = excluded.host, directory = excluded.directory,"
                  " pending = excluded.pending, seen_at = now()",
                  deadline, journal.id, journal.host, journal.directory, journal.pending));
}

Status PostgresJournalRegister::remove(const std::string& id, const Deadline& deadline) {
  return postgres_rows::done(pool_.query("DELETE FROM pandora.journals WHERE journal_id = $1", deadline, id));
}

// Each gateway asks every two seconds. As the index outbox_by_due has them, in its order: the server would read a
// million entries that wait for points sooner than it looks there (postgres_outbox.cpp).
const std::string_view PostgresJournalRegister::kList =
    "SELECT journal_id, host, directory, pending,"
    " (SELECT count(*) FROM (SELECT 1 FROM pandora.outbox"
    "  WHERE CASE kind WHEN 'turn_directory' THEN home ELSE '' END = journal_id ORDER BY due_at LIMIT $1::bigint)"
    "  AS its),"
    " greatest(0, extract(epoch FROM now() - seen_at) * 1000000)::bigint"
    " FROM pandora.journals ORDER BY journal_id";

Result<std::vector<RegisteredJournal>> PostgresJournalRegister::list(const Deadline& deadline) {
  PANDORA_TRY(rows, pool_.query(kList, deadline, kMaxToldDirectories));
  std::vector<RegisteredJournal> journals;
  for (int i = 0; i < rows.size(); ++i)
    journals.push_back({std::string(rows.text(i, 0)), std::string(rows.text(i, 1)), std::string(rows.text(i, 2)),
                        rows.integer(i, 3), rows.integer(i, 4), Duration(rows.integer(i, 5))});
  return journals;
}

}  // namespace pandora
