// What is remembered as MCP's resources: `pandora://turns/{number}` is a turn as Markdown, `pandora://memories/{id}` a
// memory as JSON.
#pragma once
#include <optional>
#include <string>

#include "base/clock.h"
#include "domain/principal.h"
#include "service/service.h"
#include "wire/json_reader.h"

namespace pandora {

struct ResourceAsk {
  Service& service;
  const Principal& who;
  const Deadline& deadline;
};

Json resource_templates();
// A page: memories, oldest first, then turns, newest first. kInvalidArgument: no page has this cursor.
Result<Json> list_resources(const ResourceAsk& ask, const std::optional<std::string>& cursor);
// kNotFound; kInvalidArgument: no URI of ours.
Result<Json> read_resource(const ResourceAsk& ask, const std::string& uri);

}  // namespace pandora
