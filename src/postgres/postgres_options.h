// Where a PostgreSQL is, and how it is spoken to.
#pragma once
#include <cstddef>
#include <map>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace pandora {

class NameLookup;

struct PostgresOptions {
  std::string url;                 // postgresql://…; beats host, port, database, user and password when not empty
  std::string host = "localhost";  // a folder, from / on: its Unix socket
  int port = 5432;
  std::string database = "pandora", user = "pandora";
  std::string password;         // empty: what libpq finds (~/.pgpass), or none
  std::string tls_mode;         // libpq's sslmode: disable … verify-full; empty: prefer, or what the URL says
  std::string tls_root;         // PEM file of the authorities that verify-ca and verify-full trust
  std::string home;             // what outbox entries of these sessions belong to (letters, digits, '-'); empty: nobody
  std::size_t connections = 8;  // of a pool, at most; 1 to kMaxPostgresConnections
  Duration connect_patience = std::chrono::seconds(5);
  std::shared_ptr<NameLookup> names;  // null: this machine's (net/name_lookup.h)
};
inline constexpr std::size_t kMaxPostgresConnections = 256;

// What libpq is given: its keywords. kInvalidArgument for a URL that it cannot read; nothing of it is in the message.
Result<std::map<std::string, std::string>> connection_parameters(const PostgresOptions& options);
// "host:port/database as user": for messages; never a password.
std::string place_of(const std::map<std::string, std::string>& parameters);

}  // namespace pandora
