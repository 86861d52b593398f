#include <algorithm>
#include <thread>

#include <malloc.h>

#include "cli/program.h"

int main(int argc, char** argv) {
#ifdef M_ARENA_MAX
  // glibc gives threads up to eight heaps a processor, each of which keeps what it once needed, and takes ever larger
  // pieces from them once one was given back: what is free between two small ones stays. A server's memory then grows
  // for hours. With this 3,000 turns end at 28 MB, not at 43 (tests/gate).
  constexpr int kOwnPages = 128 * 1024;  // bytes from which a piece has pages of its own, given back with it
  mallopt(M_ARENA_MAX, static_cast<int>(std::max(2u, std::thread::hardware_concurrency())));
  mallopt(M_MMAP_THRESHOLD, kOwnPages);
#endif
  return pandora::run_program(argc, argv);
}
