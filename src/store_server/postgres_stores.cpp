#include "store_server/postgres_stores.h"

#include "base/log.h"
#include "postgres/postgres_schema.h"
#include "store_server/postgres_journal_register.h"
#include "store_server/postgres_key_store.h"
#include "store_server/postgres_knowledge_stores.h"
#include "store_server/postgres_outbox.h"
#include "store_server/postgres_receipt_store.h"
#include "store_server/postgres_rows.h"
#include "store_server/postgres_turn_store.h"

namespace pandora {
namespace {

constexpr std::string_view kLockNotAvailable = "55P03";
constexpr std::string_view kAnyCounterBehind =
    "SELECT (SELECT last_value FROM pandora.turn_numbers) < (SELECT max(turn_number) FROM pandora.turns)"
    " OR (SELECT last_value FROM pandora.outbox_id_seq) < (SELECT max(id) FROM pandora.outbox)";

// The schema; and its sequences, which may be behind their rows, as those of a server that took another's place, or of
// a dump of data alone. A number from them that nobody has now would be one of a turn that was forgotten, and stand
// before turns that are older: so they are set on before anybody takes one.
Status check_connection(PostgresConnection& connection) {
  PANDORA_CHECK(check_postgres_schema(connection));
  if (connection.is_read_only()) return {};
  // A table that somebody holds is no reason to wait: others than turns are asked for as well, and where it cannot be
  // looked at no turn is written.
  const std::vector<PostgresStatement> look = {{"SELECT set_config('lock_timeout', '100ms', true)", {}},
                                               {kAnyCounterBehind, {}}};
  const auto looked = connection.run(look);
  if (!looked && connection.failed_with() == kLockNotAvailable) return {};
  if (!looked) return fail(looked.error());
  const PostgresRows& behind = looked->back();
  if (behind.is_null(0, 0) || !behind.boolean(0, 0)) return {};
  log_warn("postgres.counters_behind", {{"why", "the server may have taken another's place"}});
  postgres_rows::Statements statements;
  postgres_rows::raise_counters(statements);
  connection.begin();
  return connection.commit(statements).map([](auto&&) {});
}

class PostgresStoresImpl final : public PostgresStores {
 public:
  PostgresStoresImpl(PostgresOptions options, const Clock& clock, std::size_t receipts)
      : pool_(std::move(options), check_connection),
        turns_(pool_, clock),
        memories_(pool_, clock),
        research_(pool_, clock),
        sources_(pool_, clock),
        observations_(pool_),
        instance_(pool_),
        outbox_(pool_, clock),
        receipts_(pool_, receipts),
        keys_(pool_),
        journals_(pool_) {}
  TurnStore& turns() override { return turns_; }
  MemoryStore& memories() override { return memories_; }
  ResearchStore& research() override { return research_; }
  SourceStore& sources() override { return sources_; }
  ObservationStore& observations() override { return observations_; }
  InstanceStore& instance() override { return instance_; }
  Outbox& outbox() override { return outbox_; }
  ReceiptStore& receipts() override { return receipts_; }
  KeyStore& keys() override { return keys_; }
  JournalRegister& journals() override { return journals_; }
  PostgresPool& pool() override { return pool_; }

 private:
  PostgresPool pool_;
  PostgresTurnStore turns_;
  PostgresMemoryStore memories_;
  PostgresResearchStore research_;
  PostgresSourceStore sources_;
  PostgresObservationStore observations_;
  PostgresInstanceStore instance_;
  PostgresOutbox outbox_;
  PostgresReceiptStore receipts_;
  PostgresKeyStore keys_;
  PostgresJournalRegister journals_;
};

}  // namespace

std::unique_ptr<PostgresStores> PostgresStores::open(PostgresOptions options, const Clock& clock,
                                                     std::size_t receipts) {
  return std::make_unique<PostgresStoresImpl>(std::move(options), clock, receipts);
}

}  // namespace pandora
