#include "cli/stack/models_command.h"

#include <algorithm>
#include <cstdlib>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/storage/data_paths.h"
#include "cli/terminal/output.h"
#include "cli/terminal/terminal.h"
#include "host/gpu.h"
#include "host/posix_process_runner.h"
#include "wire/json_reader.h"

namespace pandora {
namespace {

constexpr Duration kCardPatience = std::chrono::seconds(10);
constexpr double kMibPerGb = 1024;

// Models of about the sizes that a card of 24 GB is shared by; each can be replaced by any other.
constexpr std::string_view kVllmExample =
    R"(# Five roles on one card of 24 GB; `pandora models plan` says whether they fit.
[model_servers.reflex]
command = "vllm serve HuggingFaceTB/SmolLM2-135M-Instruct --max-model-len 2048 --max-num-seqs 16 --enforce-eager"
port = 8001
roles = "reflex"
memory_share = 0.06

[model_servers.nerves]
command = "vllm serve HuggingFaceTB/SmolLM2-360M-Instruct --max-model-len 8192 --max-num-seqs 8 --enforce-eager"
port = 8002
roles = "nerves"
memory_share = 0.08

[model_servers.mind]
command = "vllm serve Qwen/Qwen2.5-1.5B-Instruct-AWQ --max-model-len 8192 --max-num-seqs 8"
port = 8003
roles = "mind"
memory_share = 0.12

[model_servers.voice]
command = "vllm serve Qwen/Qwen2.5-7B-Instruct-AWQ --max-model-len 16384 --enable-auto-tool-choice --tool-call-parser hermes"
port = 8000
roles = "voice"
memory_share = 0.4

# Cold: it starts when an image is to be looked at, and stops after ten minutes without one.
[model_servers.eyes]
command = "vllm serve Qwen/Qwen2.5-VL-3B-Instruct-AWQ --max-model-len 8192 --limit-mm-per-prompt.image 2"
port = 8004
roles = "eyes"
memory_share = 0.3
cold = true
idle_s = 600
)";
constexpr std::string_view kLlamaExample = R"(# One model for every role, and one that sees and starts when it is used.
[model_servers.voice]
command = "llama-server --model /srv/models/voice.gguf --ctx-size 16384 --n-gpu-layers 99 --jinja"
port = 8000
roles = "reflex, nerves, mind, voice"
memory_share = 0.6

[model_servers.eyes]
command = "llama-server --model /srv/models/eyes.gguf --mmproj /srv/models/eyes-mmproj.gguf --ctx-size 8192 --n-gpu-layers 99"
port = 8004
roles = "eyes"
memory_share = 0.35
cold = true
)";

// Where Hugging Face's libraries keep what they fetch.
std::string hub_directory() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value ? value : "");
  };
  if (const std::string hub = variable("HF_HUB_CACHE"); !hub.empty()) return hub;
  if (const std::string home = variable("HF_HOME"); !home.empty()) return home + "/hub";
  const std::string cache = variable("XDG_CACHE_HOME");
  return (cache.empty() ? variable("HOME") + "/.cache" : cache) + "/huggingface/hub";
}

std::string size_text(std::int64_t mib) {
  return mib == 0 ? "?" : fmt::format("{:.1f} GB", static_cast<double>(mib) / kMibPerGb);
}

std::string render(const ModelPlan& plan) {
  std::string text;
  if (plan.cards_mib.empty()) text = "The card's size is not known: no nvidia-smi here, and no --card.\n";
  for (std::size_t card = 0; card < plan.cards_mib.size(); ++card)
    text += fmt::format("{} has {}.\n", plan.cards_mib.size() == 1 ? "The card" : fmt::format("Card {}", card),
                        size_text(plan.cards_mib[card]));
  text += fmt::format("{} {:>9} {:>9} {:>9} {:>9} {:>10}\n", bold("server", 20), "share", "weights", "KV cache",
                      "needs", "sequences");
  for (const auto& row : plan.rows) {
    if (!row.on_card) {
      text += fmt::format("{} takes nothing of the card\n", bold(row.name, 20));
      continue;
    }
    text += fmt::format("{} {:>9} {:>9} {:>9} {:>9} {:>10}{}\n", bold(row.name, 20),
                        row.share_mib ? size_text(row.share_mib) : fmt::format("{:.0f} %", row.share * 100),
                        size_text(row.weights_mib), size_text(row.kv_mib), size_text(row.needs_mib),
                        row.sequences > 0 ? fmt::format("{:.1f}", row.sequences) : "?",
                        (plan.cards_mib.size() > 1 ? fmt::format("  card {}", fmt::join(row.cards, ", ")) : "") +
                            (row.cold ? "  cold" : ""));
    if (!row.note.empty()) text += fmt::format("  {}\n", row.note);
  }
  for (const auto& problem : plan.problems) text += fmt::format("It does not fit: {}\n", problem);
  return text + (plan.fits() ? "They fit.\n" : "");
}

Json to_json(const ModelPlan& plan) {
  Json rows = Json::array();
  for (const auto& row : plan.rows)
    rows.push_back({{"name", row.name},
                    {"cold", row.cold},
                    {"on_card", row.on_card},
                    {"share", row.share},
                    {"cards", row.cards},
                    {"share_mib", row.share_mib},
                    {"weights_mib", row.weights_mib},
                    {"kv_mib", row.kv_mib},
                    {"context", row.context},
                    {"needs_mib", row.needs_mib},
                    {"sequences", row.sequences},
                    {"problem", row.problem},
                    {"note", row.note}});
  return {{"cards_mib", plan.cards_mib}, {"servers", rows}, {"problems", plan.problems}, {"fits", plan.fits()}};
}

int show_plan(const Config& config, const std::vector<double>& card_gb, bool json) {
  const SystemClock clock;
  const auto runner = make_posix_process_runner();
  const auto files = make_posix_file_system();
  const auto plan = plan_configured_models(config, card_gb, *runner, *files, clock);
  if (!plan) return report(plan.error());
  if (plan->rows.empty() && !json) {
    print_out("There is no [model_servers.NAME] in the settings; `pandora models example` prints some.\n");
    return 0;
  }
  print_out(json ? to_json(*plan).dump(2) + "\n" : render(*plan));
  return plan->fits() ? 0 : error_info(ErrorCode::kConflict).exit_code;
}

}  // namespace

Result<ModelPlan> plan_configured_models(const Config& config, const std::vector<double>& cards_gb,
                                         ProcessRunner& runner, FileSystem& files, const Clock& clock) {
  PANDORA_TRY(servers, model_server_configs(config));
  std::vector<PlannedModel> models;
  for (auto& server : servers) {
    PANDORA_TRY(command, check_model_command(server));
    std::optional<ModelShape> shape;
    if (!command.weights.empty())
      if (auto read = read_model_shape(expanded_path(command.weights), hub_directory(), files)) shape = *read;
    models.push_back({std::move(server), std::move(command), shape});
  }
  std::vector<std::int64_t> cards_mib;
  for (const double gb : cards_gb) cards_mib.push_back(static_cast<std::int64_t>(gb * kMibPerGb));
  const bool wanted = std::ranges::any_of(models, [](const auto& model) { return model.server.memory_share > 0; });
  if (cards_gb.empty() && wanted)
    if (const auto report = ask_gpus(runner, Deadline::after(clock, kCardPatience)))
      for (const auto& card : report->cards) cards_mib.push_back(card.total_mib);
  return plan_models(models, cards_mib);
}

void add_models_commands(CLI::App& app, ModelsCommands& to) {
  CLI::App* models = app.add_subcommand("models", "the model servers that `pandora up` starts");
  models->require_subcommand(1);
  const auto card = std::make_shared<std::vector<double>>();
  CLI::App* plan = models->add_subcommand("plan", "whether they fit the graphics card: weights, KV cache, share");
  plan->add_option("--card", *card, "GB that a card has, once for each (what nvidia-smi says)")
      ->check(CLI::Range(0.1, 10'000.0))
      ->allow_extra_args(false);
  plan->callback(
      [&to, card] { to.run = [card](const Config& config, bool json) { return show_plan(config, *card, json); }; });
  const auto kind = std::make_shared<std::string>("vllm");
  CLI::App* example = models->add_subcommand("example", "settings to begin with, for pandora.toml");
  example->add_option("program", *kind, "vllm or llama.cpp (vllm)")->check(CLI::IsMember({"vllm", "llama.cpp"}));
  example->callback([&to, kind] {
    to.run = [kind](const Config&, bool) {
      print_out(*kind == "vllm" ? kVllmExample : kLlamaExample);
      return 0;
    };
  });
}

}  // namespace pandora
