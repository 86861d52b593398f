// `pandora import turns` and `pandora export`. Each gives the exit code.
#pragma once
#include <string>

#include "service/service.h"

namespace pandora {

// `path` "-": standard input.
int import_turns(Service& service, const UserId& user, const std::string& path, bool json);
int export_all(Service& service, const UserId& user);

}  // namespace pandora
