// Tools over the service: what is remembered, wherever the data directory is owned.
//
// As ports/tool_runner.h promises. Each tool is an operation of docs/operations.md; its arguments are those that its
// schema names, and what it gives is that operation's result as JSON. Thread-safe.
#pragma once
#include <memory>

#include "ports/tool_runner.h"
#include "service/service.h"

namespace pandora {

// `service` outlives it.
std::unique_ptr<ToolRunner> make_service_tools(Service& service);

}  // namespace pandora
