// Ctrl-C and SIGTERM, for commands that serve until they are told to end.
#pragma once
#include <signal.h>

namespace pandora {

// Taken by whoever waits for them, and by nobody else: threads that are started later inherit this.
sigset_t hold_stop_signals();
void wait_for(const sigset_t& signals);
// Whoever asks once more does not want to wait: from now on the next one ends the process at once.
void end_at_next(const sigset_t& signals);

}  // namespace pandora
