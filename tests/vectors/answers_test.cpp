#include "vectors/answers.h"

#include <gtest/gtest.h>

#include "vectors/bodies.h"

namespace pandora::qdrant {
namespace {

class AnswerOfPoints : public ::testing::Test {
 protected:
  // Each record is {"id":1,"payload":…}, with a comma between two.
  static constexpr std::size_t kRecord = std::size_t{16} << 20;
  AnswerOfPoints() {
    memory_.emplace(params_of(kPlain));
    const std::string around = R"({"id":1,"payload":{"k":""}})";
    memory_->put({PointId::of(1), 1, R"({"k":")" + std::string(kRecord - around.size(), 'x') + R"("})", {}});
  }
  Outcome<void> append(std::string& out, std::size_t records) const {
    const std::vector<Ranked> points(records, Ranked{*memory_->table().find(PointId::of(1)), 1, {}});
    const PayloadSelector all{PayloadSelector::Kind::kAll, {}};
    return append_records(out, points, *memory_, {PayloadView(all), false, {}});
  }
  std::optional<CollectionMemory> memory_;
};

TEST_F(AnswerOfPoints, a_point_that_begins_within_the_bound_is_shown_and_one_behind_it_is_refused) {
  constexpr std::size_t kMost = kMaxAnswerBytes / kRecord;  // their commas go beyond it
  std::string out;
  ASSERT_TRUE(append(out, kMost));
  EXPECT_EQ(out.size(), kMost * (kRecord + 1) + 1);
  std::string larger;
  const auto refused = append(larger, kMost + 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, 400);
  EXPECT_NE(refused.error().text.find("ask for less at once"), std::string::npos);
}

}  // namespace
}  // namespace pandora::qdrant
