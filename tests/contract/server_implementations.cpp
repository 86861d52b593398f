// The ports of rows on real servers: one for each version that is there.
#include <map>

#include "contract/key_store_contract.h"
#include "contract/receipt_store_contract.h"
#include "contract/rows_contract.h"
#include "postgres/postgres_schema.h"
#include "store_server/postgres_attempt_log.h"
#include "store_server/postgres_stores.h"
#include "store_server/postgres_text_search.h"
#include "store_server/postgres_turn_vector_log.h"
#include "support/postgres_server.h"

namespace pandora {
namespace {

using testing::PostgresServer;

// The versions that this machine has; the first one must be there.
std::vector<int> versions() {
  std::vector<int> found = {15};
  if (!testing::found_postgres(16).empty()) found.push_back(16);
  return found;
}

// One database a version; each test finds it as a migration leaves it. Deleting is quicker than making another.
class Server {
 public:
  explicit Server(int version) : server_({.programs = testing::found_postgres(version)}) {
    options_.url = server_.url();
    connection_ = must(PostgresConnection::open(options_, kNever));
    const SystemClock clock;
    must(PostgresSchema(*connection_, clock).migrate(std::chrono::seconds(10), [](const auto&) {}));
    const auto tables = must(connection_->query(
        "SELECT string_agg('DELETE FROM pandora.' || tablename, '; ' ORDER BY tablename) FROM pg_tables"
        " WHERE schemaname = 'pandora' AND tablename <> 'schema_migrations'"));
    empty_ = std::string(tables.text(0, 0)) +
             "; SELECT setval('pandora.turn_numbers', 0), setval('pandora.outbox_versions', 0)";
  }
  static const PostgresOptions& empty(int version) {
    static std::map<int, Server> servers;
    Server& server = servers.try_emplace(version, version).first->second;
    must(server.connection_->script(server.empty_));
    return server.options_;
  }

 private:
  PostgresServer server_;
  PostgresOptions options_;
  std::unique_ptr<PostgresConnection> connection_;
  std::string empty_;
};

class OnPostgres final : public testing::Accessors<PostgresStores> {
 public:
  OnPostgres(int version, const Clock& clock) : options_(Server::empty(version)), clock_(clock) { reopen(); }
  void reopen() override {
    rows_.reset();
    rows_ = PostgresStores::open(options_, clock_);
    attempts_ = std::make_unique<PostgresAttemptLog>(rows_->pool());
    turn_vectors_ = std::make_unique<PostgresTurnVectorLog>(rows_->pool());
    texts_ = std::make_unique<PostgresTextSearch>(rows_->pool());
  }
  AttemptLog& attempts() override { return *attempts_; }
  TurnVectorLog& turn_vectors() override { return *turn_vectors_; }
  TextSearch* texts() override { return texts_.get(); }

 private:
  const PostgresOptions options_;
  const Clock& clock_;
  std::unique_ptr<AttemptLog> attempts_;
  std::unique_ptr<TurnVectorLog> turn_vectors_;
  std::unique_ptr<TextSearch> texts_;
};

class KeysOnPostgres final : public KeySetup {
 public:
  explicit KeysOnPostgres(int version) : options_(Server::empty(version)) { reopen(); }
  KeyStore& store() override { return rows_->keys(); }
  void reopen() override {
    rows_.reset();
    rows_ = PostgresStores::open(options_, clock_);
  }

 private:
  const PostgresOptions options_;
  const SystemClock clock_;
  std::unique_ptr<PostgresStores> rows_;
};

class ReceiptsOnPostgres final : public ReceiptSetup {
 public:
  explicit ReceiptsOnPostgres(int version) : options_(Server::empty(version)) { reopen(kMost); }
  ReceiptStore& store() override { return rows_->receipts(); }
  void reopen(std::size_t most) override {
    rows_.reset();
    rows_ = PostgresStores::open(options_, clock_, most);
  }

 private:
  const PostgresOptions options_;
  const SystemClock clock_;
  std::unique_ptr<PostgresStores> rows_;
};

template <class Made, class Factory>
std::vector<Made> of_each(Factory factory) {
  std::vector<Made> all;
  for (const int version : versions()) all.push_back({"Postgres" + std::to_string(version), factory(version)});
  return all;
}

}  // namespace

const std::vector<testing::RowsFactory>& testing::rows_factories() {
  static const auto all = of_each<RowsFactory>([](int version) {
    return [version](const Clock& clock) { return std::make_unique<OnPostgres>(version, clock); };
  });
  return all;
}

const std::vector<KeyImplementation>& key_implementations() {
  static const auto all = of_each<KeyImplementation>(
      [](int version) { return [version] { return std::make_unique<KeysOnPostgres>(version); }; });
  return all;
}

const std::vector<ReceiptImplementation>& receipt_implementations() {
  static const auto all = of_each<ReceiptImplementation>(
      [](int version) { return [version] { return std::make_unique<ReceiptsOnPostgres>(version); }; });
  return all;
}

}  // namespace pandora
