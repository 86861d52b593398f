// Waiting until what was said can be found: after an import, and before a search.
#pragma once
#include "cli/terminal/terminal.h"

namespace pandora {

// Before a search: for kPatience at most. What is missing then is said.
void catch_up(Service& service, const UserId& user, ProgressObserver& progress);
// Until everything is findable, Ctrl-C, or something is in the way, which is said. Nothing is lost by not waiting.
void settle(Service& service, const UserId& user, ProgressObserver& progress);

}  // namespace pandora
