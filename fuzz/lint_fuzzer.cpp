// What `pandora lint` is given: the first byte says which kind of file; each is linted alone, and as an overlay of a
// whole one. Findings are in order, name a place within the file, and are plain text.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/text.h"
#include "compose/env_file.h"
#include "compose/lint.h"

namespace {

constexpr std::string_view kBase =
    "services:\n  postgres: {image: postgres, environment: {POSTGRES_USER: a}, ports: ['1:2'], secrets: [p], networks: "
    "[n]}\n"
    "secrets: {p: {file: /p}}\n";

std::optional<std::string> few(const std::string& name) {
  return name.size() == 1 ? std::optional<std::string>("x") : std::nullopt;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pandora;
  if (size == 0) return 0;
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto kind = static_cast<FileKind>(data[0] % 7);
  LintInput input;
  input.facts = [](const std::string& path) {
    return path.size() % 2 ? std::nullopt : std::optional(FileFacts{0640, 7});
  };
  if (kind == FileKind::kCompose) {
    auto alone = read_compose({{"a.yaml", bytes}}, few);
    auto both = read_compose({{"base.yaml", std::string(kBase)}, {"a.yaml", bytes}}, few);
    if (alone) {
      input.compose = *std::move(alone);
      (void)lint(input);
      (void)input.compose->profiles();
      (void)input.compose->needs_compose();
    }
    if (!both) return 0;
    input.compose = *std::move(both);
  } else {
    input.texts.push_back({{"a", bytes}, kind});
    input.compose = *read_compose({{"base.yaml", std::string(kBase)}}, few);
  }
  const auto lines = std::count(bytes.begin(), bytes.end(), '\n') + 1;
  const auto findings = lint(input);
  for (std::size_t i = 0; i < findings.size(); ++i) {
    const LintFinding& finding = findings[i];
    if (finding.message.empty() || finding.fix.empty() || finding.place.file.empty()) std::abort();
    if (finding.place.file == "a" && finding.place.line > lines) std::abort();
    if (i > 0 && findings[i - 1].place.file > finding.place.file) std::abort();
  }
  for (const auto& line : parse_env(bytes))
    if (!line.name.empty() && line.name.find('=') != std::string::npos) std::abort();
  return 0;
}
