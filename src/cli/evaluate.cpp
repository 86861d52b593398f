#include "cli/evaluate.h"

#include <cstdlib>
#include <filesystem>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/installation.h"
#include "cli/output.h"
#include "cli/terminal.h"
#include "eval/evaluation.h"

namespace pandora {
namespace {

// A data directory that goes with this object.
class TemporaryData {
 public:
  static Result<std::unique_ptr<TemporaryData>> make() {
    std::error_code error;
    std::string path = (std::filesystem::temp_directory_path(error) / "pandora-eval-XXXXXX").string();
    if (error || !::mkdtemp(path.data()))
      return fail(ErrorCode::kUnavailable, "there is no place for temporary data",
                  "set TMPDIR, or name a directory with --work");
    return std::make_unique<TemporaryData>(path);
  }
  explicit TemporaryData(std::string path) : path_(std::move(path)) {}
  ~TemporaryData() {
    std::error_code ignored;  // what is left is in TMPDIR
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct Requirement {
  std::string figure;
  double least = 0;
};
Result<std::vector<Requirement>> parse_requirements(const std::vector<std::string>& texts) {
  const Json figures = summarise({});  // their names
  std::vector<Requirement> requirements;
  for (const auto& text : texts) {
    const auto equals = text.find('=');
    char* end = nullptr;
    const double least = equals == std::string::npos ? 0 : std::strtod(text.c_str() + equals + 1, &end);
    if (!end || *end || end == text.c_str() + equals + 1)
      return fail(ErrorCode::kInvalidArgument, fmt::format("--require {}: no such requirement", text),
                  "write it as turn_recall_at_10=0.80");
    requirements.push_back({text.substr(0, equals), least});
    const auto known = figures.find(requirements.back().figure);
    if (known == figures.end() || !known->is_number())
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("--require: there is no figure \"{}\"", requirements.back().figure),
                  "take one of those that --json prints, such as turn_recall_at_10");
  }
  return requirements;
}

// Known before the work is done, not after.
Status can_save(const std::string& path) {
  if (path.empty()) return {};
  const auto folder = std::filesystem::absolute(path).parent_path();
  std::error_code error;
  if (std::filesystem::is_directory(folder, error)) return {};
  return fail(ErrorCode::kNotFound, fmt::format("--save {}: there is no directory {}", path, folder.string()),
              "make it first");
}

// Nobody's memory: the conversations of the set would become turns in it.
Status claim_for_evaluations(const std::string& directory, FileSystem& files) {
  const std::string marker = join_path(directory, "EVALUATION");
  if (files.exists(marker)) return {};
  PANDORA_CHECK(files.create_directories(directory));
  PANDORA_TRY(entries, files.list(directory));
  if (!entries.empty())
    return fail(ErrorCode::kConflict, fmt::format("--work {}: it holds something that no evaluation made", directory),
                "name a new or empty directory");
  return files.write_atomic(marker, "Made by `pandora eval`; can be deleted.\n", Durability::kNow);
}

Result<EvalScores> measure(const QuestionSet& set, const Config& config) {
  PANDORA_TRY(installation, Installation::open(config));
  ProgressObserver progress;
  PANDORA_TRY(turns, keep_conversations(installation->service(), set, progress));
  return ask_questions(installation->service(), set, turns, progress);
}

std::string percent(const Json& row, const char* figure) {
  const Json& interval = row["intervals"][figure];
  return fmt::format("{:.3f} ({:.3f}–{:.3f})", row.value(figure, 0.0), interval[0].get<double>(),
                     interval[1].get<double>());
}

std::string row_of(const std::string& name, const Json& row) {
  return fmt::format("{:12} {:>9}  {:20}  {:20}  {:20}\n", name, row.value("questions", 0),
                     percent(row, "turn_recall_at_5"), percent(row, "turn_recall_at_10"),
                     percent(row, "session_recall_at_10"));
}

std::string render(const Json& summary) {
  std::string text = fmt::format("{:12} {:>9}  {:20}  {:20}  {:20}\n", "category", "questions", "turn R@5", "turn R@10",
                                 "session R@10");
  for (const auto& [category, row] : summary["categories"].items()) text += row_of(category, row);
  text += row_of("all", summary);
  text += fmt::format("context {:.0f} tokens (median); recall {:.1f} ms (median), {:.1f} ms (p95)\n",
                      summary.value("context_tokens_p50", 0.0), summary.value("recall_ms_p50", 0.0),
                      summary.value("recall_ms_p95", 0.0));
  for (const auto& [mode, count] : summary["modes"].items())
    if (mode != "hybrid")
      text += fmt::format("{} of the questions were answered by {} search only\n", count.get<int>(), mode);
  if (const auto found = summary.find("against"); found != summary.end())
    for (const auto& [figure, row] : (*found)["figures"].items()) {
      text += fmt::format("{:22} {:+.4f}", figure, row.value("difference", 0.0));
      if (row.contains("interval"))
        text +=
            fmt::format("  ({:+.4f} to {:+.4f})", row["interval"][0].get<double>(), row["interval"][1].get<double>());
      text += "\n";
    }
  for (const auto& failure : summary.value("failures", Json::array()))
    text += "FAILED: " + failure.get<std::string>() + "\n";
  return text;
}

Result<Json> run(const EvalOptions& options, const std::function<Result<Config>(const std::string&)>& config_in) {
  const auto files = make_posix_file_system();
  PANDORA_TRY(required, parse_requirements(options.require));
  PANDORA_TRY(text, files->read_file(options.file, kMaxQuestionSetBytes));
  PANDORA_TRY(set, parse_locomo(text));
  EvalScores before;
  if (!options.against.empty()) {
    PANDORA_TRY(saved, files->read_file(options.against, kMaxQuestionSetBytes));
    PANDORA_TRY(json, parse_json(saved, kMaxQuestionSetBytes, options.against));
    PANDORA_TRY(scores, scores_from_json(json));
    before = std::move(scores);
  }

  PANDORA_CHECK(can_save(options.save));
  std::unique_ptr<TemporaryData> temporary;
  if (!options.work.empty()) {
    PANDORA_CHECK(claim_for_evaluations(options.work, *files));
  } else {
    PANDORA_TRY(made, TemporaryData::make());
    temporary = std::move(made);
  }
  PANDORA_TRY(config, config_in(temporary ? temporary->path() : options.work));
  PANDORA_TRY(scores, measure(set, config));
  if (scores.empty()) return fail(ErrorCode::kInvalidArgument, options.file + " holds no question with evidence");
  if (!options.save.empty())
    PANDORA_CHECK(files->write_atomic(options.save, to_json(scores).dump(1) + "\n", Durability::kNow));

  Json summary = summarise(scores);
  Json failures = Json::array();
  for (const auto& [figure, least] : required) {
    const double is = summary[figure].get<double>();
    if (is < least) failures.push_back(fmt::format("{} is {:.4f}, at least {:.4f} is required", figure, is, least));
  }
  if (!options.against.empty()) {
    PANDORA_TRY(comparison, compare(before, scores));
    summary["against"] = {
        {"questions", comparison.questions}, {"figures", comparison.figures}, {"worse", comparison.worse}};
    if (comparison.worse) failures.push_back("worse than " + options.against);
  }
  if (!failures.empty()) summary["failures"] = failures;
  return summary;
}

}  // namespace

void add_eval_command(CLI::App& app, EvalOptions& options) {
  CLI::App* eval =
      app.add_subcommand("eval", "how good recall is, by questions whose answers are known")->require_subcommand(1);
  options.locomo = eval->add_subcommand(
      "locomo", "by a LoCoMo question set: each conversation becomes a user of its own, in a temporary data directory");
  options.locomo->add_option("file", options.file, "the question set")->required();
  options.locomo->add_option("--work", options.work,
                             "keep the evaluation's data in this directory; a second run reuses it");
  options.locomo->add_option("--save", options.save, "write every question's score to this file");
  options.locomo->add_option("--against", options.against,
                             "compare with an earlier --save, question by question; worse is a failure");
  options.locomo->add_option("--require", options.require,
                             "fail when a figure is lower: turn_recall_at_10=0.80; may be repeated");
}

int evaluate(const EvalOptions& options, const std::function<Result<Config>(const std::string& data)>& config_in,
             bool json) {
  catch_interrupts();
  const auto summary = run(options, config_in);
  if (!summary) return report(summary.error());
  print_out(json ? summary->dump(2) + "\n" : render(*summary));
  return summary->contains("failures") ? error_info(ErrorCode::kConflict).exit_code : 0;
}

}  // namespace pandora
