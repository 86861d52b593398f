// Where the encoders' files and the golden ones are, for tests.
#pragma once
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#include "base/file_system.h"

namespace pandora::testing {

inline constexpr std::size_t kMaxTestFileBytes = 1 << 24;

// $PANDORA_CACHE/models, as scripts/fetch_weights chooses it.
inline std::string models_directory() {
  const auto variable = [](const char* name) -> std::string {
    const char* value = std::getenv(name);
    return value ? value : "";
  };
  if (const auto cache = variable("PANDORA_CACHE"); !cache.empty()) return cache + "/models";
  if (const auto cache = variable("XDG_CACHE_HOME"); !cache.empty()) return cache + "/pandora/models";
  return variable("HOME") + "/.cache/pandora/models";
}
inline std::string model_directory(const std::string& name) { return join_path(models_directory(), name); }

inline std::string read_test_file(const std::string& path) {
  auto text = make_posix_file_system()->read_file(path, kMaxTestFileBytes);
  EXPECT_TRUE(text) << path << ": " << text.error().message;
  return text.value_or("");
}
inline std::string read_golden(const std::string& name) { return read_test_file(join_path(PANDORA_GOLDEN, name)); }

}  // namespace pandora::testing

// Weights are 130 MB and come by scripts/bootstrap: without them a test that needs them says so.
#define PANDORA_NEED_WEIGHTS(name)                                                                              \
  if (!make_posix_file_system()->exists(join_path(::pandora::testing::model_directory(name), "manifest.json"))) \
  GTEST_SKIP() << "no weights in " << ::pandora::testing::model_directory(name)                                 \
               << ": run scripts/fetch_weights --model " << (name)
