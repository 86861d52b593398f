#include <algorithm>
#include <thread>

#include <malloc.h>

#include "cli/program.h"

int main(int argc, char** argv) {
#ifdef M_ARENA_MAX
  // Otherwise threads have up to eight heaps a processor, and each keeps what it once needed: a server's memory grew
  // with every thread that had a large turn in hand.
  mallopt(M_ARENA_MAX, static_cast<int>(std::max(2u, std::thread::hardware_concurrency())));
#endif
  return pandora::run_program(argc, argv);
}
