// Lints files given as text, or the specification's own fragments, without Compose.
#pragma once
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <stdexcept>

#include "compose/lint.h"
#include "stack/instance.h"

namespace pandora::testing {

using Files = std::vector<SourceFile>;

inline SourceFile fragment(const std::string& name) {
  std::ifstream file(std::string(PANDORA_SPECIFICATION) + "/" + name, std::ios::binary);
  if (!file) throw std::runtime_error("no fragment " + name);
  return {name, {std::istreambuf_iterator<char>(file), {}}};
}

inline LintInput input_of(const Files& files, const std::map<std::string, std::string>& variables = {}) {
  LintInput input;
  Files compose;
  for (const auto& file : files) {
    const auto kind = file_kind(file);
    if (!kind) throw std::runtime_error("what is " + file.path);
    if (*kind == FileKind::kCompose)
      compose.push_back(file);
    else
      input.texts.push_back({file, *kind});
  }
  if (compose.empty()) return input;
  auto model = read_compose(compose, [&](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  });
  if (!model) throw std::runtime_error(model.error().to_line());
  input.compose = *std::move(model);
  return input;
}

inline std::vector<LintFinding> findings(const Files& files) { return lint(input_of(files)); }

// "rule file:line"
inline std::set<std::string> found(const std::vector<LintFinding>& all) {
  std::set<std::string> lines;
  for (const auto& finding : all)
    lines.insert(finding.rule + " " + finding.place.file + ":" + std::to_string(finding.place.line));
  return lines;
}
inline std::set<std::string> rules(const std::vector<LintFinding>& all) {
  std::set<std::string> names;
  for (const auto& finding : all) names.insert(finding.rule);
  return names;
}

}  // namespace pandora::testing
