// PostgreSQL: a query, as the user and in the database that Pandora uses.
#include "postgres/postgres_connection.h"
#include "stack/store_probes.h"

namespace pandora {
namespace {

class PostgresProbe final : public HealthProbe {
 public:
  PostgresProbe(std::string name, const StoreAddress& address)
      : name_(std::move(name)),
        options_{.host = "127.0.0.1",
                 .port = address.port,
                 .database = address.user,
                 .user = address.user,
                 .password = address.secret,
                 .tls_mode = "disable"} {}
  const std::string& name() const override { return name_; }
  Health probe(const Deadline& deadline) override {
    const SteadyTime asked = clock_.steady();
    return health_of(clock_, asked, ask(deadline));
  }

 private:
  Status ask(const Deadline& deadline) {
    PANDORA_CHECK(deadline.check(name_));
    PANDORA_TRY(connection, PostgresConnection::open(options_, deadline));
    connection->set_deadline(deadline);
    PANDORA_TRY(rows, connection->query("select 1"));
    return {};
  }

  const SystemClock clock_;
  const std::string name_;
  const PostgresOptions options_;
};

}  // namespace

std::unique_ptr<HealthProbe> make_postgres_probe(std::string name, StoreAddress address) {
  return std::make_unique<PostgresProbe>(std::move(name), address);
}

}  // namespace pandora
