// A few small writes are done by the thread that brought them while the disk is quick, and by the collection's
// otherwise.
#include <future>

#include <gtest/gtest.h>

#include "support/temporary_directory.h"
#include "vectors/bodies.h"
#include "vectors/collection.h"
#include "vectors/long_reader.h"

namespace pandora::qdrant {
namespace {

// Every look at it is so much later than the one before: a commit takes one step.
class SteppingClock final : public Clock {
 public:
  explicit SteppingClock(Duration step) : step_(step) {}
  Timestamp now() const override { return {}; }
  SteadyTime steady() const override {
    if (looked) looked();
    return SteadyTime(Duration(at_ += step_.count()));
  }
  std::function<void()> looked;  // when a commit begins and when it has ended

 private:
  const Duration step_;
  mutable std::atomic<Duration::rep> at_ = 0;
};

std::vector<Operation> upsert_of(std::uint64_t id) {
  const std::string body = "{\"points\":[{\"id\":" + std::to_string(id) + ",\"vector\":[1,2]}]}";
  const JsonTape tape = JsonTape::parse(body).value();
  std::vector<Operation> operations;
  operations.push_back(read_upsert(tape.root()).value());
  return operations;
}

class BriefWrites : public ::testing::Test {
 protected:
  void create(Duration commit) {
    clock_.emplace(commit);
    collection_ = Collection::create(*files_, *clock_, directory_.path(), params_of(kPlain)).value();
    ASSERT_TRUE(begin(0, 0, false)->get_future().get());  // how long a commit takes is known
    if (commit > kBriefCommit) return;
    // The collection's thread gives its turn back a moment after the answer: from then on writes are done here. One
    // that comes before keeps it at work, on a single core again and again: so it is let go on first.
    for (Answer answer; works_.empty(); answer = begin(0, 0)) {
      if (answer) {
        ASSERT_TRUE(answer->get_future().get());
      }
      std::this_thread::yield();
    }
    std::exchange(works_, {}).front()();
  }
  using Answer = std::shared_ptr<std::promise<Outcome<Written>>>;
  Answer begin(std::uint64_t id, std::size_t bytes, bool here = true) {
    auto answer = std::make_shared<std::promise<Outcome<Written>>>();
    const Collection::Soon soon = [this](std::function<void()> work) {
      if (refuses_) return false;
      works_.push_back(std::move(work));
      return true;
    };
    collection_->write(
        upsert_of(id), bytes, Collection::Acknowledge::kWhenDurable,
        [this, answer](Outcome<Written> written) {
          done_on_ = std::this_thread::get_id();
          answer->set_value(std::move(written));
        },
        here ? soon : Collection::Soon());
    return answer;
  }
  bool has(std::uint64_t id) const {
    const auto lock = collection_->memory().lock().read();
    return collection_->memory().table().find(PointId::of(id)).has_value();
  }

  const testing::TemporaryDirectory directory_;
  const std::unique_ptr<FileSystem> files_ = make_posix_file_system();
  std::optional<SteppingClock> clock_;
  std::shared_ptr<Collection> collection_;
  std::vector<std::function<void()>> works_;
  std::atomic<std::thread::id> done_on_;
  bool refuses_ = false;
};

TEST_F(BriefWrites, those_that_came_together_are_done_at_once_on_the_thread_that_brought_them) {
  create(kBriefCommit);
  const Answer first = begin(1, 100), second = begin(2, 100);
  ASSERT_EQ(works_.size(), 1U) << "whoever has the turn does it for both";
  EXPECT_FALSE(has(1));
  works_.front()();
  ASSERT_TRUE(first->get_future().get());
  ASSERT_TRUE(second->get_future().get());
  EXPECT_EQ(done_on_, std::this_thread::get_id());
  EXPECT_TRUE(has(1) && has(2));
}

TEST_F(BriefWrites, while_commits_take_longer_the_collections_thread_does_them) {
  create(kBriefCommit + std::chrono::microseconds(1));
  ASSERT_TRUE(begin(1, 100)->get_future().get());
  EXPECT_TRUE(works_.empty());
  EXPECT_NE(done_on_, std::this_thread::get_id());
}

TEST_F(BriefWrites, of_so_many_bytes_they_are_done_here_and_of_one_more_they_are_not) {
  create(Duration(0));
  const Answer small = begin(1, kBriefBytes);
  ASSERT_EQ(works_.size(), 1U);
  works_.front()();
  ASSERT_TRUE(small->get_future().get());
  works_.clear();
  ASSERT_TRUE(begin(2, kBriefBytes + 1)->get_future().get());
  EXPECT_TRUE(works_.empty());
}

TEST_F(BriefWrites, what_has_become_too_much_meanwhile_is_done_by_the_collections_thread) {
  create(Duration(0));
  const Answer small = begin(1, 100), large = begin(2, kBriefBytes);
  ASSERT_EQ(works_.size(), 1U);
  std::exchange(works_, {}).front()();
  ASSERT_TRUE(small->get_future().get());
  ASSERT_TRUE(large->get_future().get());
  EXPECT_NE(done_on_, std::this_thread::get_id());
}

TEST_F(BriefWrites, none_is_lost_when_the_thread_that_brought_it_does_not_come_to_it) {
  create(Duration(0));
  const Answer dropped = begin(1, 100);
  works_.clear();  // its loop was stopped
  ASSERT_TRUE(dropped->get_future().get());
  refuses_ = true;
  ASSERT_TRUE(begin(2, 100)->get_future().get());
  EXPECT_TRUE(has(1) && has(2));
}

TEST_F(BriefWrites, whoever_brings_one_does_not_wait_for_a_long_reader_that_came_during_the_commit) {
  create(Duration(0));
  const Answer answer = begin(1, 100);
  std::optional<LongReader> reader;
  clock_->looked = [&] {
    if (!reader) reader.emplace(collection_->memory().lock());
  };
  std::exchange(works_, {}).front()();
  clock_->looked = {};
  auto done = answer->get_future();
  EXPECT_EQ(done.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  const Answer behind = begin(2, 100);
  EXPECT_TRUE(works_.empty()) << "the thread has to finish the first one before";
  reader.reset();
  ASSERT_TRUE(done.get());
  ASSERT_TRUE(behind->get_future().get());
  EXPECT_NE(done_on_, std::this_thread::get_id());
  EXPECT_TRUE(has(1) && has(2));
}

TEST_F(BriefWrites, behind_a_long_reader_and_a_writer_it_is_left_to_the_collections_thread) {
  create(Duration(0));
  const Answer answer = begin(1, 100);
  {
    const WriterBehindReader others(collection_->memory().lock());
    std::exchange(works_, {}).front()();  // else for ever
    EXPECT_FALSE(collection_->damage());  // likewise
  }
  ASSERT_TRUE(answer->get_future().get());
  EXPECT_NE(done_on_, std::this_thread::get_id());
}

TEST_F(BriefWrites, those_that_wait_for_a_collection_that_is_deleted_are_answered_and_not_done) {
  create(Duration(0));
  const Answer first = begin(1, 100), second = begin(2, 100);
  collection_->abandon();
  std::exchange(works_, {}).front()();
  for (const Answer& answer : {first, second}) {
    const auto refused = answer->get_future().get();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().status, 404);
  }
  EXPECT_FALSE(has(1) || has(2));
}

TEST_F(BriefWrites, the_collection_lasts_until_what_is_to_be_done_is_done) {
  create(Duration(0));
  const Answer answer = begin(1, 100);
  collection_.reset();
  std::exchange(works_, {}).front()();
  ASSERT_TRUE(answer->get_future().get());
}

}  // namespace
}  // namespace pandora::qdrant
