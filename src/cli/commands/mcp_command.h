// `pandora mcp`: the Model Context Protocol on standard input and output.
#pragma once
#include "base/config.h"
#include "domain/principal.h"
#include "service/service.h"

namespace pandora {

// One conversation: of the session that was named (--session, PANDORA_SESSION), otherwise of a new one.
// Until its input ends or Ctrl-C; what was asked by then is answered first, except by Ctrl-C. The exit code.
int serve_mcp(const Config& config, Service& service, const UserId& user);

}  // namespace pandora
