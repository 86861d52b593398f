// What is remembered, as tools: memory_search, memory_save, memory_retrieve, memory_forget, turn_open. On behalf of the
// caller's user, by operations; what a model saves is of Trust::kModel.
#pragma once
#include "tools/operations.h"
#include "tools/tool.h"

namespace pandora {

ToolList make_memory_tools(std::shared_ptr<Operations> operations);

}  // namespace pandora
