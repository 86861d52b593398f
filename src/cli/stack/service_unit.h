// A systemd unit that keeps the host processes running. Pure, but for `tell_systemd`.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "host/host_processes.h"

namespace pandora {

struct ServiceUnitOptions {
  std::vector<std::string> command;  // that runs in the foreground
  std::map<std::string, std::string> environment;
  Duration start_time{0};  // until all are ready
  Duration stop_time{0};   // all graces together, and some more
};
std::string service_unit(const ServiceUnitOptions& options);
// "READY=1" to whoever started this as a service of type notify (NOTIFY_SOCKET); nothing when nobody did.
void tell_systemd(std::string_view state);

}  // namespace pandora
