// `pandora doctor`: what is wrong with this installation, with evidence and the remedy.
#pragma once
#include <string>
#include <vector>

#include "base/config.h"
#include "base/ids.h"
#include "wire/json_reader.h"

namespace pandora {

enum class CheckState { kOk, kWarning, kFailure };
struct CheckResult {
  CheckState finding = CheckState::kOk;
  std::string check, detail, remedy;
  ErrorCode code = ErrorCode::kUnavailable;  // of a failure
  std::string command = {};                  // the remedy, as it can be typed where doctor was; empty: there is none
};
std::vector<CheckResult> examine(const Config& config, const UserId& user);
Json to_json(const std::vector<CheckResult>& results);
std::string render_checks(const std::vector<CheckResult>& results);
// 0, or the exit code of the first failure.
int exit_code_of(const std::vector<CheckResult>& results);

}  // namespace pandora
