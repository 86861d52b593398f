// Inside redis: waiting for a socket.
#pragma once
#include <string>

#include <poll.h>

#include "base/clock.h"
#include "base/result.h"

namespace pandora {

// Until the descriptor can be read or written; kDeadlineExceeded, naming the server.
Status wait_for_redis(int descriptor, short events, const Deadline& deadline, const std::string& place);

}  // namespace pandora
