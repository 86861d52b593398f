// `pandora models`: whether the model servers fit the graphics card, and what their settings may look like.
#pragma once
#include <functional>
#include <optional>

#include "base/config.h"
#include "host/model_plan.h"
#include "ports/process_runner.h"

namespace CLI {
class App;
}

namespace pandora {

// Of the configuration and the files of its models; the cards are asked of nvidia-smi, or are as large as they are said
// to be. kInvalidArgument: a model server that cannot be.
Result<ModelPlan> plan_configured_models(const Config& config, const std::vector<double>& cards_gb,
                                         ProcessRunner& runner, FileSystem& files, const Clock& clock);

struct ModelsCommands {
  std::function<int(const Config& config, bool json)> run;  // of the command that was given; empty: none
};
void add_models_commands(CLI::App& app, ModelsCommands& to);

}  // namespace pandora
