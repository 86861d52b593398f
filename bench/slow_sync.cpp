// fdatasync as it is on a disk that takes PANDORA_SYNC_MICROS for it, at least: the real one, then what is left of that
// time. Loaded into a server before the C library (LD_PRELOAD).
#include <cerrno>
#include <cstdlib>
#include <ctime>

#include <dlfcn.h>

extern "C" int fdatasync(int file) {
  static const auto real = reinterpret_cast<int (*)(int)>(::dlsym(RTLD_NEXT, "fdatasync"));
  static const long micros = [] {
    const char* said = std::getenv("PANDORA_SYNC_MICROS");
    return said ? std::atol(said) : 0;
  }();
  timespec end{};
  ::clock_gettime(CLOCK_MONOTONIC, &end);
  end.tv_nsec += micros * 1000;
  end.tv_sec += end.tv_nsec / 1'000'000'000;
  end.tv_nsec %= 1'000'000'000;
  const int done = real(file);
  while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, nullptr) == EINTR) {
  }
  return done;
}
