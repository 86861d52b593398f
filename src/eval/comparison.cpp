#include <array>
#include <map>

#include <fmt/format.h>

#include "eval/evaluation.h"

namespace pandora {
namespace {

struct Figure {
  const char* name;
  double QuestionScore::* value;
};
constexpr std::array kRecalls = {Figure{"turn_recall_at_5", &QuestionScore::turn_recall_at_5},
                                 Figure{"turn_recall_at_10", &QuestionScore::turn_recall_at_10},
                                 Figure{"session_recall_at_5", &QuestionScore::session_recall_at_5},
                                 Figure{"session_recall_at_10", &QuestionScore::session_recall_at_10}};
constexpr std::array kCosts = {Figure{"context_tokens", &QuestionScore::context_tokens},
                               Figure{"recall_ms", &QuestionScore::recall_ms}};

std::vector<double> values_of(const EvalScores& scores, double QuestionScore::* value) {
  std::vector<double> values;
  for (const auto& score : scores) values.push_back(score.*value);
  return values;
}

Json recalls_of(const EvalScores& scores) {
  Json json = {{"questions", scores.size()}};
  for (const auto& [name, value] : kRecalls) {
    const auto values = values_of(scores, value);
    const Interval interval = mean_interval(values);
    json[name] = mean(values);
    json["intervals"][name] = {interval.low, interval.high};
  }
  return json;
}

}  // namespace

Json summarise(const EvalScores& scores) {
  Json json = recalls_of(scores);
  const auto tokens = values_of(scores, &QuestionScore::context_tokens),
             millis = values_of(scores, &QuestionScore::recall_ms);
  json["context_tokens_p50"] = percentile(tokens, 0.5);
  json["recall_ms_p50"] = percentile(millis, 0.5);
  json["recall_ms_p95"] = percentile(millis, 0.95);
  std::map<std::string, EvalScores> categories;
  std::map<std::string, std::int64_t> modes;
  for (const auto& score : scores) {
    categories[score.category].push_back(score);
    ++modes[score.mode];
  }
  json["categories"] = Json::object();
  for (const auto& [category, part] : categories) json["categories"][category] = recalls_of(part);
  json["modes"] = modes;
  return json;
}

Json to_json(const EvalScores& scores) {
  Json list = Json::array();
  for (const auto& score : scores) {
    Json one = {{"id", score.id}, {"category", score.category}, {"mode", score.mode}};
    for (const auto& [name, value] : kRecalls) one[name] = score.*value;
    for (const auto& [name, value] : kCosts) one[name] = score.*value;
    list.push_back(std::move(one));
  }
  return {{"format", "pandora evaluation"}, {"version", 1}, {"scores", list}};
}

Result<EvalScores> scores_from_json(const Json& json) {
  constexpr const char* kRemedy = "name a file that `pandora eval … --save FILE` wrote";
  if (!json.is_object()) return fail(ErrorCode::kInvalidArgument, "this is no saved evaluation", kRemedy);
  JsonReader in(json, "evaluation", ErrorCode::kInvalidArgument);
  const std::string format = in.text("format");
  const std::int64_t version = in.integer("version");
  if (in.ok() && (format != "pandora evaluation" || version != 1))
    return fail(ErrorCode::kInvalidArgument, "this is no saved evaluation of version 1", kRemedy);
  const Json* list = in.array("scores");
  PANDORA_CHECK(in.finish());
  EvalScores scores;
  for (const Json& entry : *list) {
    if (!entry.is_object()) return fail(ErrorCode::kInvalidArgument, "evaluation.scores: a score is no object");
    JsonReader one(entry, "evaluation.scores", ErrorCode::kInvalidArgument);
    QuestionScore score;
    score.id = one.text("id");
    score.category = one.text("category");
    score.mode = one.text("mode");
    for (const auto& [name, value] : kRecalls) score.*value = one.number(name);
    for (const auto& [name, value] : kCosts) score.*value = one.number(name);
    PANDORA_CHECK(one.finish());
    scores.push_back(std::move(score));
  }
  return scores;
}

Result<EvalComparison> compare(const EvalScores& before, const EvalScores& now) {
  std::map<std::string, const QuestionScore*> known;
  for (const auto& score : before) known[score.id] = &score;
  EvalScores first, second;
  for (const auto& score : now)
    if (const auto found = known.find(score.id); found != known.end()) {
      first.push_back(*found->second);
      second.push_back(score);
    }
  if (first.empty()) return fail(ErrorCode::kInvalidArgument, "the two evaluations have no question in common");
  EvalComparison comparison;
  comparison.questions = static_cast<std::int64_t>(first.size());
  const auto differences = [&](double QuestionScore::* value) {
    std::vector<double> values;
    for (std::size_t i = 0; i < first.size(); ++i) values.push_back(second[i].*value - first[i].*value);
    return values;
  };
  for (const auto& [name, value] : kRecalls) {
    const auto values = differences(value);
    const Interval interval = mean_interval(values);
    comparison.figures[name] = {{"difference", mean(values)}, {"interval", {interval.low, interval.high}}};
    comparison.worse |= interval.high < 0;
  }
  for (const auto& [name, value] : kCosts) comparison.figures[name] = {{"difference", mean(differences(value))}};
  return comparison;
}

}  // namespace pandora
