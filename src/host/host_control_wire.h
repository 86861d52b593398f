// Inside stack: a supervisor's control over its socket, and what one that is gone has left in its place.
//
// A call is a frame of JSON, {"do": "apply" | "settle" | "restart" | "stop" | "use" | "status", …}. Events come as
// frames {"event": …}, the end as one {"done": …} or {"error": {code, message, remedy}}.
#pragma once
#include <string>
#include <vector>

#include "base/file_system.h"
#include "host/host_processes.h"
#include "host/process_identity.h"
#include "net/local_socket.h"
#include "wire/json_reader.h"

namespace pandora {

Json host_process_json(const HostProcess& process);
Result<HostProcess> decode_host_process(const Json& json);  // kInvalidArgument
Json host_status_json(const HostStatus& status);            // also of `pandora status --json`
Result<HostStatus> decode_host_status(const Json& json);

// One connection's calls, until it is closed.
void serve_host_control(HostControl& control, LocalConnection& connection, const Clock& clock);

struct LeftProcess {
  std::string name;
  PidFile file;
};
// In starting order; also those that do not run any more. Pid files that cannot be read are passed over.
std::vector<LeftProcess> left_host_processes(const HostPlace& place, FileSystem& files);
// Ends what still runs of it, and takes the pid file away. What could not be ended keeps it, and is returned.
std::vector<ProcessEntry> end_left_host_process(const HostPlace& place, const LeftProcess& left, FileSystem& files,
                                                const Clock& clock, const HostProgress& progress);

}  // namespace pandora
