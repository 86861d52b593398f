#include "cli/terminal/stop_signals.h"

#include <cstdlib>
#include <thread>

#include "base/result.h"

namespace pandora {

sigset_t hold_stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

void wait_for(const sigset_t& signals) {
  int signal = 0;
  while (::sigwait(&signals, &signal) != 0) continue;
}

void end_at_next(const sigset_t& signals) {
  std::thread([signals] {
    wait_for(signals);
    std::_Exit(error_info(ErrorCode::kCancelled).exit_code);
  }).detach();
}

}  // namespace pandora
