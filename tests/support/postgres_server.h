// A real PostgreSQL for tests: a cluster of its own in a folder of its own, on a Unix socket and a port of 127.0.0.1.
// As root it runs as the user `postgres` (or `nobody`), since the server refuses root. It ends with the test.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

namespace pandora::testing {

struct PostgresServerOptions {
  std::string programs;               // folder of initdb and postgres; empty: found_postgres()
  std::vector<std::string> settings;  // "max_connections=5"
  bool durable = false;               // syncs, as a benchmark and a crash need
  std::string password;               // of user `pandora`; empty: everybody of this machine may come
  std::string preload;                // a library that is loaded into the server before its own
};

class PostgresServer {
 public:
  explicit PostgresServer(PostgresServerOptions options = {});  // throws std::runtime_error with the server's log
  ~PostgresServer();
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  const std::string& socket_folder() const { return folder_; }
  std::uint16_t port() const { return port_; }
  std::string url(const std::string& database = "pandora") const;      // over the socket
  std::string tcp_url(const std::string& database = "pandora") const;  // over 127.0.0.1
  void create_database(const std::string& name, const std::string& from = "template0");
  void sql(const std::string& database, const std::string& text);  // by a superuser; throws what psql says

  void stop(int signal);  // SIGQUIT: at once, as a crash; SIGINT: rolls back and ends
  void start();
  void pause();  // SIGSTOP to every process of it: it hangs
  void resume();

 private:
  void run_as_server(const std::vector<std::string>& command, bool wait, pid_t* child = nullptr);
  std::string log() const;
  PostgresServerOptions options_;
  std::string folder_;
  std::uint16_t port_ = 0;
  pid_t process_ = 0;
};

// The folder with initdb and postgres of that major version: of PANDORA_POSTGRES_16 (a variable), of Debian, or of the
// cache that scripts/fetch_postgres fills. Empty: there is none.
std::string found_postgres(int version);

}  // namespace pandora::testing
