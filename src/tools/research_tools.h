// What was found out, and how far its sources can be relied on, as tools: research_find, research_save, source_report.
#pragma once
#include "tools/operations.h"
#include "tools/tool.h"

namespace pandora {

ToolList make_research_tools(std::shared_ptr<Operations> operations);

}  // namespace pandora
