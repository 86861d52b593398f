#include "postgres/postgres_pool.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "postgres/postgres_error.h"

namespace pandora {
namespace {

constexpr Duration kSlice = std::chrono::milliseconds(50);  // a deadline's clock may be one that is ticked by hand

}  // namespace

PostgresPool::~PostgresPool() = default;

Result<PostgresPool::Lease> PostgresPool::take(const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("asking PostgreSQL"));
  {
    std::unique_lock lock(mutex_);
    const std::size_t most = std::clamp<std::size_t>(options_.connections, 1, kMaxPostgresConnections);
    for (;;) {
      if (pulse_.is_away()) return fail(pulse_.why());
      drop_dead();
      while (!idle_.empty()) {
        auto connection = std::move(idle_.back());
        idle_.pop_back();
        if (connection->has_ended()) {
          --open_;
          continue;
        }
        connection->set_deadline(deadline);
        return Lease(*this, std::move(connection));
      }
      if (open_ < most) break;
      if (deadline.expired())
        return fail(ErrorCode::kResourceExhausted, fmt::format("all {} connections to PostgreSQL are in use", most),
                    "raise POSTGRES_CONNECTIONS, or try again in a moment");
      free_.wait_for(lock, std::min(kSlice, deadline.remaining()));
    }
    ++open_;
  }
  auto connection = PostgresConnection::open(options_, deadline, &pulse_);
  if (connection && check_)
    if (Status good = check_(**connection); !good) connection = fail(std::move(good).error());
  if (!connection) {
    const std::lock_guard lock(mutex_);
    --open_;
    free_.notify_one();
    return fail(std::move(connection).error());
  }
  return Lease(*this, *std::move(connection));
}

// What stood idle while the server was away may lead nowhere.
void PostgresPool::drop_dead() {
  const std::uint64_t times = pulse_.times_away();
  if (std::exchange(times_away_, times) == times) return;
  open_ -= idle_.size();
  idle_.clear();
}

void PostgresPool::give(std::unique_ptr<PostgresConnection> connection) {
  const bool usable = connection->usable();
  if (!usable) connection.reset();  // before another takes its place
  const std::lock_guard lock(mutex_);
  if (usable)
    idle_.push_back(std::move(connection));
  else
    --open_;
  free_.notify_one();
}

Result<std::vector<PostgresRows>> PostgresPool::write_at_once(std::span<const PostgresStatement> statements,
                                                              const Deadline& deadline) {
  for (int attempt = 1;; ++attempt) {
    PANDORA_TRY(lease, take(deadline));
    auto answers = lease->run(statements);
    if (answers || !worth_repeating(*lease) || attempt == kTransactionAttempts) return answers;
  }
}

bool PostgresPool::worth_repeating(const PostgresConnection& connection) {
  return pandora::worth_repeating(connection.failed_with());
}

std::size_t PostgresPool::open_connections() {
  const std::lock_guard lock(mutex_);
  return open_;
}

}  // namespace pandora
