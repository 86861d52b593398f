// The program: arguments in, exit code out (the table of docs/errors.md).
#pragma once
#include <string_view>

namespace pandora {

inline constexpr std::string_view kProgramVersion = "0.1.0";

int run_program(int argc, char** argv);

}  // namespace pandora
