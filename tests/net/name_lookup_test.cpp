#include "net/name_lookup.h"

#include <gmock/gmock.h>

#include "client_world.h"
#include "contract/expect.h"
#include "support/slow_names.h"

namespace pandora::testing {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

class NameLookupTest : public ::testing::Test {
 protected:
  ManualClock clock_;
  SlowNames slow_{clock_};
  NameLookup& names_ = *slow_.names();
};

TEST_F(NameLookupTest, AnAddressAndThisMachineAreKnownWithoutAsking) {
  slow_.hang(true);
  const auto v4 = must(names_.find("127.0.0.9", 80, past())), v6 = must(names_.find("::1", 81, past()));
  EXPECT_EQ(to_string(v4.at(0)), "127.0.0.9");
  EXPECT_EQ(port_of(v4.at(0)), 80);
  EXPECT_EQ(to_string(v6.at(0)), "::1");
  EXPECT_EQ(port_of(v6.at(0)), 81);
  EXPECT_EQ(must(names_.find("localhost", 82, past())).size(), 2u);
  EXPECT_EQ(slow_.asked("localhost"), 0);
}

TEST_F(NameLookupTest, ANameThatTakesLongerThanTheDeadlineIsGivenUpAndAskedForAgain) {
  slow_.hang(true);
  EXPECT_FAILS(kDeadlineExceeded, names_.find("db.test", 1, past()));
  slow_.hang(false);
  EXPECT_EQ(to_string(must(names_.find("db.test", 1, kNever)).at(0)), "127.0.0.1");
}

TEST_F(NameLookupTest, WhoAsksForTheSameNameSharesTheAnswerWhileTheQuestionIsFresh) {
  slow_.hang(true);
  const auto first = names_.ask("db.test");
  clock_.advance(kFreshLookup - 1us);
  EXPECT_EQ(names_.ask("db.test"), first);
  clock_.advance(1us);
  const auto second = names_.ask("db.test");
  EXPECT_NE(second, first);
  EXPECT_EQ(names_.ask("db.test"), second);
  EXPECT_NE(names_.ask("other.test"), second);
  slow_.hang(false);
  EXPECT_TRUE(first->wait(kPatience));
  EXPECT_TRUE(second->wait(kPatience));
  EXPECT_EQ(slow_.asked("db.test"), 2);
  must(names_.find("db.test", 1, kNever));
  EXPECT_EQ(slow_.asked("db.test"), 3) << "nothing is remembered";
}

TEST_F(NameLookupTest, AsManyNamesAreLookedUpAtOnceAsMayBeAndOneMoreIsRefused) {
  slow_.hang(true);
  std::vector<std::shared_ptr<NameQuestion>> all;
  for (std::size_t i = 0; i < kMaxLookups; ++i) all.push_back(names_.ask("name" + std::to_string(i) + ".test"));
  EXPECT_FALSE(all.back()->wait(Duration(0)));
  EXPECT_FAILS(kResourceExhausted, names_.find("more.test", 1, kNever));
  must(names_.find("127.0.0.1", 1, kNever));
  slow_.hang(false);
  for (const auto& one : all) EXPECT_TRUE(one->wait(kPatience));
  EXPECT_TRUE(eventually([&] { return names_.find("more.test", 1, kNever).has_value(); }));
}

TEST_F(NameLookupTest, WhoWaitsIsToldOnceAndWhoIsGoneIsNot) {
  slow_.hang(true);
  const auto question = names_.ask("db.test");
  const auto stays = std::make_shared<int>(0);
  std::promise<void> told;
  {
    const auto goes = std::make_shared<int>(0);
    question->then(goes, [] { ADD_FAILURE() << "it is gone"; });
  }
  for (int i = 0; i < 1'000; ++i) question->then(std::make_shared<int>(i), [] { ADD_FAILURE() << "it is gone"; });
  question->then(stays, [&] { told.set_value(); });
  slow_.hang(false);
  EXPECT_EQ(told.get_future().wait_for(kPatience), std::future_status::ready);
  bool at_once = false;
  question->then(stays, [&] { at_once = true; });
  EXPECT_TRUE(at_once);
}

TEST_F(NameLookupTest, TheEndWaitsForNoQuestion) {
  auto mine = std::make_unique<SlowNames>(clock_);
  mine->hang(true);
  auto names = std::make_unique<NameLookup>(*mine->names());
  const auto question = names->ask("db.test");
  names.reset();
  EXPECT_FALSE(question->wait(Duration(0)));
  mine.reset();
  EXPECT_TRUE(question->wait(kPatience));
}

TEST(NameLookupOfTheSystem, SaysWhatItDoesNotKnow) {
  const auto unknown = NameLookup::system()->find("a..b", 1, kNever);  // no name at all: nobody is asked
  EXPECT_FAILS(kUnavailable, unknown);
  EXPECT_THAT(unknown.error().message, HasSubstr("no address is known for a..b"));
}

class HttpNamesTest : public HttpClientTest {
 protected:
  HttpNamesTest() {
    HttpClientOptions options;
    options.names = slow_.names();
    client(options);
  }
  SlowNames slow_{clock_};
};

TEST_F(HttpNamesTest, ANameThatIsNotFoundInTimeEndsTheCallAndHoldsNobodyElseUp) {
  RawServer server([](RawConnection& peer, int) {
    peer.receive_until("\r\n\r\n");
    peer.send(answer("here"));
    peer.receive_all();
  });
  const auto url = [&](const std::string& host) {
    return "http://" + host + server.url().substr(server.url().rfind(':'));
  };
  slow_.hang(true);
  Recorder slow;
  const auto call = client().start({"GET", url("db.test"), {}, "", {}}, Deadline::never(), slow);
  EXPECT_TRUE(eventually([&] { return slow_.asked("db.test") == 1; }));
  EXPECT_EQ(must(get(server.url())).body, "here");
  const Status late = passes(1s, slow);
  EXPECT_FAILS(kDeadlineExceeded, late);
  EXPECT_THAT(late.error().message, HasSubstr("the address of its host was not found in time"));
  EXPECT_EQ(client().stats().calls, 0u);
  slow_.hang(false);
  EXPECT_EQ(must(get(url("db.test"))).body, "here");
}

TEST_F(HttpNamesTest, TheEndOfTheClientWaitsForNoName) {
  slow_.hang(true);
  Recorder recorder;
  const auto call = client().start({"GET", "http://db.test/", {}, "", {}}, Deadline::never(), recorder);
  EXPECT_TRUE(eventually([&] { return slow_.asked("db.test") == 1; }));
  client_.reset();
  EXPECT_FAILS(kCancelled, recorder.wait());
}

}  // namespace
}  // namespace pandora::testing
