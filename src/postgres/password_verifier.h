// What PostgreSQL keeps of a password, made here: the password itself then never reaches a command line, a log, or the
// Engine's events.
#pragma once
#include <string>

#include "base/result.h"

namespace pandora {

// "SCRAM-SHA-256$4096:salt$stored:server" (RFC 5803), with a salt of its own each time.
Result<std::string> password_verifier(const std::string& password);

}  // namespace pandora
