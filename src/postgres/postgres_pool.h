// Connections that are shared. Thread-safe.
//
// A call takes one and gives it back. At most `connections` are open; who comes when all are out waits for its
// deadline. One that the server has closed meanwhile is replaced unseen; what a call was doing when its connection
// broke is not done again here, as it may have been done. A server that hangs is noticed once for all
// (postgres_pulse.h): from then on every call fails at once, until it answers again.
#pragma once
#include <condition_variable>
#include <functional>
#include <mutex>
#include <type_traits>

#include "postgres/postgres_connection.h"

namespace pandora {

inline constexpr int kTransactionAttempts = 8;  // of one that ends in a deadlock

class PostgresPool {
 public:
  // Connects at the first use: a server that is down is no reason not to start. `check` looks at each new connection;
  // one that it refuses is closed, and its error is the call's.
  using Check = std::function<Status(PostgresConnection&)>;
  explicit PostgresPool(PostgresOptions options, Check check = {})
      : options_(std::move(options)), check_(std::move(check)), pulse_(options_) {}
  ~PostgresPool();  // every connection has been given back

  class Lease {
   public:
    Lease(PostgresPool& pool, std::unique_ptr<PostgresConnection> connection)
        : pool_(&pool), connection_(std::move(connection)) {}
    Lease(Lease&&) = default;
    ~Lease() {
      if (connection_) pool_->give(std::move(connection_));
    }
    PostgresConnection& operator*() const { return *connection_; }
    PostgresConnection* operator->() const { return connection_.get(); }

   private:
    PostgresPool* pool_;
    std::unique_ptr<PostgresConnection> connection_;
  };
  // kResourceExhausted when none became free, kUnavailable while the server is away, and as PostgresConnection::open.
  Result<Lease> take(const Deadline& deadline);

  // What `work` asks of the connection is one transaction; it runs again from the beginning when the server found it in
  // a deadlock. `work` may call commit() itself, with its last statements; otherwise that is done here.
  template <class Work>
  auto write(Work&& work, const Deadline& deadline) -> std::invoke_result_t<Work, PostgresConnection&> {
    return transact("BEGIN", std::forward<Work>(work), deadline);
  }
  // The same of statements that are known beforehand: one round trip, without BEGIN and COMMIT.
  Result<std::vector<PostgresRows>> write_at_once(std::span<const PostgresStatement> statements,
                                                  const Deadline& deadline);
  // All that `work` asks is of one snapshot.
  template <class Work>
  auto read(Work&& work, const Deadline& deadline) -> std::invoke_result_t<Work, PostgresConnection&> {
    return transact("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", std::forward<Work>(work), deadline);
  }
  // One statement.
  template <class... Values>
  Result<PostgresRows> query(std::string_view sql, const Deadline& deadline, const Values&... values) {
    PANDORA_TRY(lease, take(deadline));
    return lease->query(sql, values...);
  }

  std::size_t open_connections();
  const std::string& home() const { return options_.home; }

 private:
  template <class Work>
  auto transact(std::string_view how, Work&& work, const Deadline& deadline)
      -> std::invoke_result_t<Work, PostgresConnection&> {
    for (int attempt = 1;; ++attempt) {
      PANDORA_TRY(lease, take(deadline));
      lease->begin(how);
      auto result = work(*lease);
      if (result && lease->must_roll_back())
        if (auto committed = lease->commit(); !committed) result = fail(std::move(committed).error());
      if (result) return result;
      const bool again = worth_repeating(*lease) && attempt < kTransactionAttempts;
      lease->rollback();
      if (!again) return result;
    }
  }
  static bool worth_repeating(const PostgresConnection& connection);
  void drop_dead();
  void give(std::unique_ptr<PostgresConnection> connection);

  const PostgresOptions options_;
  const Check check_;
  PostgresPulse pulse_;
  std::mutex mutex_;
  std::condition_variable free_;
  std::vector<std::unique_ptr<PostgresConnection>> idle_;
  std::size_t open_ = 0;          // idle and lent
  std::uint64_t times_away_ = 0;  // of the pulse, when the idle ones were of use
};

}  // namespace pandora
