// The program that a supervisor under test has its logs written by.
#include <cstdlib>

#include "host/rotating_log.h"

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const auto files = pandora::make_posix_file_system();
  const pandora::LogLimits limits{std::strtoull(argv[3], nullptr, 10), std::atoi(argv[4])};
  return pandora::keep_log(argv[1], argv[2], limits, *files) ? 0 : 1;
}
