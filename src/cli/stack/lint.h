// `pandora lint`: what is wrong with a stack's files although their schema is right.
#pragma once
#include <string>
#include <vector>

namespace pandora {

struct LintOptions {
  std::vector<std::string> files;  // or one folder; empty: the present one
  bool without_compose = false;    // merge here, although there may be a Compose
};
// 0: nothing that fails; kConflict's exit code when there is an error among the findings.
int lint_files(const LintOptions& options, bool json);

}  // namespace pandora
