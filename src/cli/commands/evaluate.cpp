#include "cli/commands/evaluate.h"

#include <cstdlib>
#include <filesystem>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/hash.h"
#include "cli/installation.h"
#include "cli/storage/served_points.h"
#include "cli/terminal/output.h"
#include "cli/terminal/terminal.h"
#include "eval/own_questions.h"

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

constexpr std::size_t kMostRemarks = 20;                 // on what a question set lacks; more are counted
constexpr Duration kCatchUp = std::chrono::minutes(10);  // for turns that were imported a moment ago

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

// Nobody's memory: the conversations of the set would become turns in it. `content` is all that is kept there: another
// set, or others among it, would find the turns of this one too.
Status claim_for_evaluations(const std::string& directory, const std::string& content, FileSystem& files) {
  constexpr std::size_t kMaxMarkerBytes = 1024;
  const std::string marker = join_path(directory, "EVALUATION");
  const std::string text = fmt::format("Made by `pandora eval` of {}; can be deleted.\n", sha256_hex(content));
  PANDORA_CHECK(files.create_directories(directory));
  if (files.exists(marker)) {
    PANDORA_TRY(found, files.read_file(marker, kMaxMarkerBytes));
    if (found == text) return {};
    return fail(ErrorCode::kConflict, fmt::format("--work {}: it holds the evaluation of something else", directory),
                "name a new directory, or delete this one");
  }
  PANDORA_TRY(entries, files.list(directory));
  if (!entries.empty())
    return fail(ErrorCode::kConflict, fmt::format("--work {}: it holds something that no evaluation made", directory),
                "name a new or empty directory");
  return files.write_atomic(marker, text, Durability::kNow);
}

struct Measured {
  EvalScores scores;
  Json facts = Json::object();  // what stands beside the figures
};

// By a question set: its conversations become turns in a data directory of their own.
class SetEvaluation {
 public:
  SetEvaluation(const EvalOptions& options, FileSystem& files) : options_(options), files_(files) {}

  Status read() {
    PANDORA_TRY(text, files_.read_file(options_.file, kMaxQuestionSetBytes));
    std::vector<std::string> left_out;
    PANDORA_TRY(set, parse_locomo(text, &left_out));
    set_ = std::move(set);
    for (std::size_t i = 0; i < std::min(left_out.size(), kMostRemarks); ++i) print_error(left_out[i] + "\n");
    if (left_out.size() > kMostRemarks) print_error(fmt::format("and {} more\n", left_out.size() - kMostRemarks));
    PANDORA_CHECK(keep_only(set_, options_.only));
    content_ = sha256_hex(text);
    for (const auto& conversation : set_) content_ += " " + conversation.user.str();
    if (options_.among.empty()) return {};
    PANDORA_TRY(lines, files_.read_file(options_.among, kMaxQuestionSetBytes));
    auto distractors = parse_distractors(lines);
    if (!distractors) return fail(std::move(distractors).error().with_context(options_.among));
    distractors_ = distractors->size();
    content_ += " " + sha256_hex(lines);
    add_distractors(set_, *distractors);
    return {};
  }

  Result<Measured> measure(const std::function<Result<Config>(const std::string&)>& config_in) {
    std::unique_ptr<TemporaryData> temporary;
    if (!options_.work.empty()) {
      PANDORA_CHECK(claim_for_evaluations(options_.work, content_, files_));
    } else {
      PANDORA_TRY(made, TemporaryData::make());
      temporary = std::move(made);
    }
    PANDORA_TRY(config, config_in(temporary ? temporary->path() : options_.work));
    auto measured = measure(config);
    if (temporary)
      if (const Status dropped = drop_served_points(config, files_, SystemClock()); !dropped && measured)
        return fail(Error(dropped.error()).with_context("removing the evaluation's points"));
    return measured;
  }

 private:
  Result<Measured> measure(const Config& config) {
    PANDORA_TRY(installation,
                Installation::open(config, {.damage = Damage::kReport, .vectors_file = options_.vectors}));
    ProgressObserver progress;
    if (options_.served_rows) PANDORA_CHECK(check_empty(installation->service()));
    PANDORA_TRY(turns, keep_conversations(installation->service(), set_, progress));
    PANDORA_TRY(scores, ask_questions(installation->service(), set_, turns, EvalReceipts::kKept, progress));
    if (scores.empty()) return fail(ErrorCode::kInvalidArgument, options_.file + " holds no question with evidence");
    return Measured{std::move(scores), {{"distractors", distractors_}}};
  }

  // Nobody's memory is in that database: nothing, or what this evaluation kept there before.
  Status check_empty(Service& service) const {
    NoObserver nobody;
    std::size_t all = 0;
    for (const auto& conversation : set_) all += conversation.utterances.size();
    PANDORA_TRY(answer, service.call({"status", set_.front().user, "{}"}, nobody, Deadline::never()));
    const auto turns = Json::parse(answer, nullptr, false).value("turns", std::int64_t{0});
    if (turns == 0 || turns == static_cast<std::int64_t>(all)) return {};
    return fail(ErrorCode::kConflict, fmt::format("--served-rows: the database has {} turns already", turns),
                "name an empty one in the settings: an evaluation is kept among nobody's turns");
  }

  const EvalOptions& options_;
  FileSystem& files_;
  QuestionSet set_;
  std::size_t distractors_ = 0;  // of each user
  std::string content_;          // names all that it was made of
};

// By questions made from what the user said, asked of his memory as it is; it changes nothing there.
Result<Measured> measure_own(const EvalOptions& options, const Config& config, const UserId& user) {
  PANDORA_TRY(installation, Installation::open(config));
  ProgressObserver progress;
  // What was said a moment ago is to be found too, or the figure says less than is true.
  const SystemClock clock;
  const auto caught_up =
      installation->service().call({"drain", user, "{}"}, progress, Deadline::after(clock, kCatchUp));
  if (!caught_up) return fail(Error(caught_up.error()).with_context("waiting until all is findable"));
  PANDORA_TRY(conversation, read_own_turns(installation->service(), user, progress));
  const std::size_t asked = make_own_questions(conversation, options.turns, options.seed);
  if (asked == 0)
    return fail(ErrorCode::kNotFound,
                fmt::format("{} said nothing yet that could be told from everything else", user.str()),
                "talk first, or name who did with --user");
  KeptTurns turns(1);
  for (const auto& turn : conversation.utterances) turns.front().push_back(turn.id);
  const std::size_t read = conversation.utterances.size();
  PANDORA_TRY(scores,
              ask_questions(installation->service(), {std::move(conversation)}, turns, EvalReceipts::kNone, progress));
  return Measured{std::move(scores), {{"turns", read}, {"turns_asked", asked}, {"seed", options.seed}}};
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
  if (const auto distractors = summary.value("distractors", 0); distractors > 0)
    text += fmt::format("among {} further turns of each user\n", distractors);
  if (summary.contains("turns_asked"))
    text += fmt::format("asked about {} of {} turns\n", summary.value("turns_asked", 0), summary.value("turns", 0));
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

Result<Json> run(const EvalOptions& options, const std::function<Result<Config>(const std::string&)>& config_in,
                 const UserId& user) {
  const auto files = make_posix_file_system();
  PANDORA_TRY(required, parse_requirements(options.require));
  SetEvaluation set(options, *files);
  if (options.locomo->parsed()) PANDORA_CHECK(set.read());
  EvalScores before;
  if (!options.against.empty()) {
    PANDORA_TRY(saved, files->read_file(options.against, kMaxQuestionSetBytes));
    PANDORA_TRY(json, parse_json(saved, kMaxQuestionSetBytes, options.against));
    PANDORA_TRY(scores, scores_from_json(json));
    before = std::move(scores);
  }
  PANDORA_CHECK(can_save(options.save));

  PANDORA_TRY(config, config_in(""));
  PANDORA_TRY(measured, options.own->parsed() ? measure_own(options, config, user) : set.measure(config_in));
  const EvalScores& scores = measured.scores;
  if (!options.save.empty())
    PANDORA_CHECK(files->write_atomic(options.save, to_json(scores).dump(1) + "\n", Durability::kNow));

  Json summary = summarise(scores);
  summary.update(measured.facts);
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

void add_scores_options(CLI::App& command, EvalOptions& options) {
  command.add_option("--save", options.save, "write every question's score to this file");
  command.add_option("--against", options.against,
                     "compare with an earlier --save, question by question; worse is a failure");
  command.add_option("--require", options.require,
                     "fail when a figure is lower: turn_recall_at_10=0.80; may be repeated");
}

}  // namespace

void add_eval_command(CLI::App& app, EvalOptions& options) {
  CLI::App* eval =
      app.add_subcommand("eval", "how good recall is, by questions whose answers are known")->require_subcommand(1);
  options.locomo = eval->add_subcommand(
      "locomo", "by a LoCoMo question set: each conversation becomes a user of its own, in a temporary data directory");
  options.locomo->add_option("file", options.file, "the question set")->required();
  options.locomo->add_option("--among", options.among,
                             "keep these lines too (as `import turns` reads them) as further turns of every user");
  options.locomo->add_option("--only", options.only, "the conversation of this name alone; may be repeated");
  options.locomo->add_option(
      "--vectors", options.vectors,
      "keep the encoder's vectors in this file, and take them from it: a second run encodes but the questions");
  options.locomo->add_option("--work", options.work,
                             "keep the evaluation's data in this directory; a second run reuses it");
  options.locomo->add_flag("--served-rows", options.served_rows,
                           "keep rows where rows.store says, not in files: in an empty database, whose rows stay");
  add_scores_options(*options.locomo, options);
  options.own = eval->add_subcommand(
      "own", "by questions made from your own turns, of your memory as it is: is each found? Nothing is changed");
  options.own->add_option("--turns", options.turns, "how many turns are asked about")
      ->check(CLI::Range(std::size_t{1}, kMaxAskedTurns))
      ->capture_default_str();
  options.own->add_option("--seed", options.seed, "draws them: the same turns and seed give the same questions")
      ->capture_default_str();
  add_scores_options(*options.own, options);
}

bool EvalOptions::parsed() const { return locomo->parsed() || own->parsed(); }

int evaluate(const EvalOptions& options, const std::function<Result<Config>(const std::string& data)>& config_in,
             const UserId& user, bool json) {
  catch_interrupts();
  const auto summary = run(options, config_in, user);
  if (!summary) return report(summary.error());
  print_out(json ? summary->dump(2) + "\n" : render(*summary));
  return summary->contains("failures") ? error_info(ErrorCode::kConflict).exit_code : 0;
}

}  // namespace pandora
