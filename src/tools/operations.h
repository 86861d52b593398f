// How tools reach what is remembered: by the operations of the service (docs/operations.md), in process or in another
// one; a tool cannot tell.
#pragma once
#include <atomic>
#include <string>

#include "ports/tool_runner.h"
#include "wire/json_reader.h"

namespace pandora {

class Operations {
 public:
  virtual ~Operations() = default;
  // On behalf of the caller's user. Ends early when `stopped` says so.
  virtual Result<Json> call(const std::string& operation, const Json& arguments, const UserId& user,
                            const std::function<bool()>& stopped, const Deadline& deadline) = 0;
};

}  // namespace pandora
