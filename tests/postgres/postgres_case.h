// One server for all the tests of a binary; each test has a database of its own.
#pragma once
#include <string>

#include <gtest/gtest.h>

#include "contract/expect.h"
#include "postgres/postgres_connection.h"
#include "support/postgres_server.h"

namespace pandora::testing {

inline PostgresServer& shared_server() {
  static PostgresServer server;
  return server;
}

class PostgresCase : public ::testing::Test {
 protected:
  PostgresCase() {
    static int count = 0;
    database = "case_" + std::to_string(++count);
    shared_server().create_database(database);
  }
  PostgresOptions options() const {
    PostgresOptions given;
    given.url = shared_server().url(database);
    return given;
  }
  std::unique_ptr<PostgresConnection> connect() const { return must(PostgresConnection::open(options(), kNever)); }
  Deadline within(Duration time) const { return Deadline::after(clock, time); }

  std::string database;
  const SystemClock clock;
};

}  // namespace pandora::testing
