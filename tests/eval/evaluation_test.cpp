#include "eval/evaluation.h"

#include <gtest/gtest.h>

namespace pandora {
namespace {

QuestionScore score(const std::string& id, double recall, const std::string& category = "1") {
  QuestionScore one;
  one.id = id;
  one.category = category;
  one.mode = "hybrid";
  one.turn_recall_at_5 = one.turn_recall_at_10 = one.session_recall_at_5 = one.session_recall_at_10 = recall;
  one.context_tokens = 100;
  one.recall_ms = 2.5;
  return one;
}
EvalScores scores_of(int questions, double recall) {
  EvalScores scores;
  for (int i = 0; i < questions; ++i) scores.push_back(score("q" + std::to_string(i), recall));
  return scores;
}

TEST(Evaluation, ASummaryHasMeansIntervalsCategoriesAndModes) {
  EvalScores scores = {score("a", 1), score("b", 0), score("c", 1, "2")};
  scores[1].mode = "lexical";
  const Json summary = summarise(scores);
  EXPECT_EQ(summary["questions"], 3);
  EXPECT_NEAR(summary["turn_recall_at_10"].get<double>(), 2.0 / 3, 1e-12);
  EXPECT_LE(summary["intervals"]["turn_recall_at_10"][0], summary["turn_recall_at_10"]);
  EXPECT_EQ(summary["categories"]["1"]["questions"], 2);
  EXPECT_EQ(summary["categories"]["2"]["session_recall_at_10"], 1.0);
  EXPECT_EQ(summary["context_tokens_p50"], 100.0);
  EXPECT_EQ(summary["recall_ms_p95"], 2.5);
  EXPECT_EQ(summary["modes"]["lexical"], 1);
}

TEST(Evaluation, SavedScoresAreReadBackAndAnythingElseIsRefused) {
  const EvalScores scores = {score("a", 0.5), score("b", 1.0 / 3)};
  const auto read = scores_from_json(Json::parse(to_json(scores).dump()));
  ASSERT_TRUE(read) << read.error().to_line();
  ASSERT_EQ(read->size(), 2u);
  EXPECT_EQ((*read)[1].turn_recall_at_5, scores[1].turn_recall_at_5);
  EXPECT_EQ((*read)[1].id, "b");
  for (const Json& wrong :
       {Json(), Json::array(), Json{{"format", 7}}, Json{{"format", "pandora evaluation"}, {"version", "1"}},
        Json{{"format", "pandora evaluation"}, {"version", 2}, {"scores", Json::array()}},
        Json{{"format", "pandora evaluation"}, {"version", 1}, {"scores", {1}}},
        Json{{"format", "pandora evaluation"}, {"version", 1}, {"scores", {{{"id", "a"}}}}}})
    EXPECT_FALSE(scores_from_json(wrong)) << wrong.dump();
}

TEST(Evaluation, AComparisonIsPairedAndOnlyAClearLossIsWorse) {
  const auto lost = compare(scores_of(50, 1), scores_of(50, 0.5));
  ASSERT_TRUE(lost);
  EXPECT_TRUE(lost->worse);
  EXPECT_EQ(lost->figures["turn_recall_at_10"]["difference"], -0.5);
  EXPECT_FALSE(compare(scores_of(50, 0.5), scores_of(50, 1))->worse);
  EXPECT_FALSE(compare(scores_of(50, 0.5), scores_of(50, 0.5))->worse);
  EvalScores now = scores_of(50, 0.5);
  now[0].turn_recall_at_5 = 0.4;  // one of fifty: chance
  EXPECT_FALSE(compare(scores_of(50, 0.5), now)->worse);
  EXPECT_EQ(compare(scores_of(50, 0.5), scores_of(20, 0.5))->questions, 20);
  EXPECT_FALSE(compare(scores_of(1, 0.5), {score("another", 1)})) << "no question in common";
}

}  // namespace
}  // namespace pandora
