// `pandora eval`: how good recall is, measured on a data directory of its own.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "base/config.h"

namespace CLI {
class App;
}

namespace pandora {

struct EvalOptions {
  std::string file;                  // the question set
  std::string work;                  // data directory that is kept; empty: a temporary one
  std::string save;                  // every question's score goes here
  std::string against;               // an earlier --save to compare with
  std::vector<std::string> require;  // "turn_recall_at_10=0.80"
  CLI::App* locomo = nullptr;
};
void add_eval_command(CLI::App& app, EvalOptions& options);

// `config_in` gives the settings with another data directory. Returns the exit code: that of kConflict when a required
// figure is missed, or when it is worse than `against`.
int evaluate(const EvalOptions& options, const std::function<Result<Config>(const std::string& data)>& config_in,
             bool json);

}  // namespace pandora
