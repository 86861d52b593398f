// Reads texts from standard input, one a line, and writes their vectors to standard output: float32, one after the
// other. For benchmarks that want vectors of real sentences. PANDORA_ENCODER names the model (default:
// bge-small-en-v1.5).
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "embed/embedders.h"
#include "steps.h"

namespace {
using namespace pandora;

constexpr std::size_t kAtOnce = 32;

}  // namespace

int main() {
  const auto embedder = must(open_bert_embedder(encoder_directory()), "opening the encoder");
  std::vector<std::string> lines;
  for (bool more = true; more;) {
    std::string line;
    more = static_cast<bool>(std::getline(std::cin, line));
    if (more) lines.push_back(std::move(line));
    if (lines.empty() || (more && lines.size() < kAtOnce)) continue;
    const std::vector<std::string_view> texts(lines.begin(), lines.end());
    for (const auto& vector : must(embedder->embed(texts, TextRole::kPassage, Deadline::never()), "encoding"))
      if (std::fwrite(vector.data(), sizeof(float), vector.size(), stdout) != vector.size()) return 1;
    lines.clear();
  }
  return std::fflush(stdout) == 0 ? 0 : 1;
}
