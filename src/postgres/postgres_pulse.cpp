#include "postgres/postgres_pulse.h"

#include "base/log.h"
#include "postgres/postgres_connection.h"

namespace pandora {

PostgresPulse::~PostgresPulse() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void PostgresPulse::note_silence() {
  const std::lock_guard lock(mutex_);
  if (asked_ || stopping_) return;
  asked_ = true;
  if (!thread_.joinable()) thread_ = std::thread([this] { watch(); });
  wake_.notify_all();
}

Error PostgresPulse::why() const {
  const std::lock_guard lock(mutex_);
  return why_;
}

void PostgresPulse::watch() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return asked_ || stopping_; });
    if (stopping_) return;
    lock.unlock();
    const Status knocked = PostgresConnection::knock(options_, kKnockPatience);
    lock.lock();
    if (knocked) {
      if (away_) log_info("postgres.back");
      away_ = asked_ = false;
      continue;
    }
    why_ = {ErrorCode::kUnavailable, knocked.error().message, knocked.error().remedy};
    if (!away_) {
      ++times_away_;
      away_ = true;
      log_warn("postgres.away", {{"why", why_.message}});
    }
    wake_.wait_for(lock, kKnockPause, [&] { return stopping_; });
  }
}

}  // namespace pandora
