// What a person reads who asks for help, or has mistyped.
#pragma once
#include "base/result.h"

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace pandora {

// Gives every command its own help: examples, and the options that stand before or after any command.
void add_help(CLI::App& app);
// One line that names what was mistyped and what it may have been meant for.
Error explain(const CLI::App& app, const CLI::ParseError& error, int argc, const char* const* argv);

}  // namespace pandora
