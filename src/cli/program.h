// The program: arguments in, exit code out (the table of docs/errors.md).
#pragma once

namespace pandora {

int run_program(int argc, char** argv);

}  // namespace pandora
