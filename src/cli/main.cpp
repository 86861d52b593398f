#include "cli/program.h"

int main(int argc, char** argv) { return pandora::run_program(argc, argv); }
