// PostgreSQL's conditions as errors of ours, each with what the user can do about it.
#pragma once
#include <string_view>

#include "base/result.h"

namespace pandora {

// `state`: five letters of SQLSTATE, or empty when there was none; `message`: the server's or libpq's own sentence.
Error postgres_error(std::string_view state, std::string_view message, std::string_view place);
// Of a connection that could not be made: libpq's text, with "VERBOSE" errors, has the state in it.
Error connect_error(std::string_view text, std::string_view place);
// The same transaction, run once more from its beginning, may succeed: a deadlock, a conflict of order.
bool worth_repeating(std::string_view state);

}  // namespace pandora
