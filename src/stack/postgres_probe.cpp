// PostgreSQL by libpq, without blocking: a server that accepts and says nothing must not hold a probe.
#include <memory>

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>

#include "base/text.h"
#include "stack/store_probes.h"

namespace pandora {
namespace {

using Connection = std::unique_ptr<PGconn, decltype(&PQfinish)>;
using Rows = std::unique_ptr<PGresult, decltype(&PQclear)>;

// "FATAL:  password authentication failed …" in one line, without the address that libpq puts before it.
Error refusal(PGconn* connection) {
  std::string said = collapse_space(one_line(PQerrorMessage(connection)));
  if (const auto fatal = said.find("FATAL: "); fatal != std::string::npos) said = said.substr(fatal + 7);
  return {ErrorCode::kUnavailable, said.empty() ? "it does not answer" : said, ""};
}

Status connect(PGconn* connection, const Deadline& deadline) {
  if (PQstatus(connection) == CONNECTION_BAD) return fail(refusal(connection));
  for (auto wanted = PGRES_POLLING_WRITING; wanted != PGRES_POLLING_OK; wanted = PQconnectPoll(connection)) {
    if (wanted == PGRES_POLLING_FAILED) return fail(refusal(connection));
    PANDORA_CHECK(wait_for_socket(PQsocket(connection), wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline));
  }
  return {};
}

Status query(PGconn* connection, const Deadline& deadline) {
  if (PQsendQuery(connection, "select 1") != 1) return fail(refusal(connection));
  while (PQisBusy(connection) != 0) {
    PANDORA_CHECK(wait_for_socket(PQsocket(connection), POLLIN, deadline));
    if (PQconsumeInput(connection) != 1) return fail(refusal(connection));
  }
  const Rows rows(PQgetResult(connection), PQclear);
  if (PQresultStatus(rows.get()) != PGRES_TUPLES_OK) return fail(refusal(connection));
  return {};
}

class PostgresProbe final : public HealthProbe {
 public:
  PostgresProbe(std::string name, StoreAddress address) : name_(std::move(name)), address_(std::move(address)) {}
  const std::string& name() const override { return name_; }
  Health probe(const Deadline& deadline) override {
    const SteadyTime asked = clock_.steady();
    return health_of(clock_, asked, ask(deadline));
  }

 private:
  Status ask(const Deadline& deadline) {
    PANDORA_CHECK(deadline.check(name_));
    const std::string port = std::to_string(address_.port);
    // Nothing of the environment or of the user's files decides how a probe asks.
    const char* names[] = {"hostaddr", "port",    "user",       "dbname",           "password",
                           "passfile", "sslmode", "gssencmode", "application_name", nullptr};
    const char* values[] = {"127.0.0.1",
                            port.c_str(),
                            address_.user.c_str(),
                            address_.user.c_str(),
                            address_.secret.c_str(),
                            "/dev/null",
                            "disable",
                            "disable",
                            "pandora status",
                            nullptr};
    const Connection connection(PQconnectStartParams(names, values, 0), PQfinish);
    if (!connection) return fail(ErrorCode::kResourceExhausted, "there is no memory for a connection");
    PANDORA_CHECK(connect(connection.get(), deadline));
    return query(connection.get(), deadline);
  }

  const SystemClock clock_;
  const std::string name_;
  const StoreAddress address_;
};

}  // namespace

std::unique_ptr<HealthProbe> make_postgres_probe(std::string name, StoreAddress address) {
  return std::make_unique<PostgresProbe>(std::move(name), std::move(address));
}

}  // namespace pandora
