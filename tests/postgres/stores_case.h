// Several processes on one database, each as a PostgresStores of its own.
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "postgres/postgres_case.h"
#include "postgres/postgres_schema.h"
#include "store_server/postgres_stores.h"

namespace pandora::testing {

inline TurnRecord turn_of(UuidV7Generator& ids, const Clock& clock, const std::string& session,
                          const std::string& text) {
  TurnRecord made;
  made.turn.uid = ids.next();
  made.turn.session = must(SessionId::parse(session));
  made.turn.user = must(UserId::parse("ana"));
  made.turn.created_at = clock.now();
  made.turn.message = {Role::kUser, "", text};
  made.turn.keywords = {"word", text};
  made.turn.content_sha256 = content_sha256(made.turn.user, made.turn.message, made.turn.reply);
  return made;
}

class PostgresStoresCase : public ::testing::Test {
 protected:
  static constexpr int kProcesses = 3;
  explicit PostgresStoresCase(PostgresServerOptions settings = {}) : server(std::move(settings)) {
    options.url = server.url();
    const auto connection = must(PostgresConnection::open(options, kNever));
    must(PostgresSchema(*connection, clock).migrate(std::chrono::seconds(10), [](const auto&) {}));
    for (int i = 0; i < kProcesses; ++i) processes.push_back(PostgresStores::open(options, clock));
  }
  const SystemClock clock;
  SystemRandom random;
  UuidV7Generator ids{clock, random};
  const Principal ana = Principal::of(must(UserId::parse("ana")));
  PostgresServer server;
  PostgresOptions options;
  std::vector<std::unique_ptr<PostgresStores>> processes;
};

}  // namespace pandora::testing
