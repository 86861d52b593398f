// `pandora eval`: how good recall is, measured by a set of questions on a data directory of its own, or by questions
// made from what the user said.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/config.h"
#include "base/ids.h"

namespace CLI {
class App;
}

namespace pandora {

struct EvalOptions {
  std::string file;                  // the question set
  std::string work;                  // data directory that is kept; empty: a temporary one
  std::string save;                  // every question's score goes here
  std::string against;               // an earlier --save to compare with
  std::string among;                 // lines that are kept as further turns of every user
  std::string vectors;               // the encoder's vectors are kept in this file, and taken from it
  std::vector<std::string> only;     // conversations; empty: all
  std::vector<std::string> require;  // "turn_recall_at_10=0.80"
  bool served_rows = false;          // rows where rows.store says: an empty database, for this alone
  std::size_t turns = 200;           // own: that are asked about
  std::uint64_t seed = 1;            // own: draws them
  CLI::App *locomo = nullptr, *own = nullptr;
  bool parsed() const;
};
void add_eval_command(CLI::App& app, EvalOptions& options);

// `config_in` gives the settings with another data directory, and those of `user`'s own for an empty one. Returns the
// exit code: that of kConflict when a required figure is missed, or when it is worse than `against`.
int evaluate(const EvalOptions& options, const std::function<Result<Config>(const std::string& data)>& config_in,
             const UserId& user, bool json);

}  // namespace pandora
