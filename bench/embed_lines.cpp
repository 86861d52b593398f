// Reads texts from standard input, one a line, and writes their vectors to standard output: float32, one after the
// other. For benchmarks that want vectors of real sentences. PANDORA_ENCODER names the model (default:
// bge-small-en-v1.5).
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "embed/embedders.h"

namespace {
using namespace pandora;

constexpr std::size_t kAtOnce = 32;

std::string variable(const char* name, std::string fallback) {
  const char* value = std::getenv(name);
  return value && *value ? value : fallback;
}

int fail_with(const Error& error) {
  std::cerr << error.to_line() << "\n";
  return 1;
}

}  // namespace

int main() {
  const std::string cache =
      variable("PANDORA_CACHE", join_path(variable("XDG_CACHE_HOME", variable("HOME", "") + "/.cache"), "pandora"));
  auto embedder = open_bert_embedder(join_path(cache + "/models", variable("PANDORA_ENCODER", "bge-small-en-v1.5")));
  if (!embedder) return fail_with(embedder.error());
  std::vector<std::string> lines;
  for (bool more = true; more;) {
    std::string line;
    more = static_cast<bool>(std::getline(std::cin, line));
    if (more) lines.push_back(std::move(line));
    if (lines.empty() || (more && lines.size() < kAtOnce)) continue;
    const std::vector<std::string_view> texts(lines.begin(), lines.end());
    auto vectors = (*embedder)->embed(texts, TextRole::kPassage, Deadline::never());
    if (!vectors) return fail_with(vectors.error());
    for (const auto& vector : *vectors)
      if (std::fwrite(vector.data(), sizeof(float), vector.size(), stdout) != vector.size()) return 1;
    lines.clear();
  }
  return std::fflush(stdout) == 0 ? 0 : 1;
}
