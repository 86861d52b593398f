// What benchmarks share: steps that must succeed, how long one takes, settings of the environment.
#pragma once
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <type_traits>
#include <utility>

#include "base/file_system.h"
#include "base/result.h"

namespace pandora {

// The value; of an error it says which step met it, and ends the process.
template <class T>
T must(Result<T> result, const char* step = "failed") {
  if (!result) {
    std::fprintf(stderr, "%s: %s\n", step, result.error().to_line().c_str());
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

inline double micros_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
}

template <class Work>
double micros_of(Work work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return micros_since(start);
}

// The fallback also for an empty one.
inline std::string environment_or(const char* name, const std::string& fallback) {
  const char* value = std::getenv(name);
  return value && *value ? value : fallback;
}

// Where the encoder's weights are, PANDORA_ENCODER's or the usual one's.
inline std::string encoder_directory() {
  const std::string cache = environment_or(
      "PANDORA_CACHE", join_path(environment_or("XDG_CACHE_HOME", environment_or("HOME", "") + "/.cache"), "pandora"));
  return join_path(cache + "/models", environment_or("PANDORA_ENCODER", "bge-small-en-v1.5"));
}

}  // namespace pandora
