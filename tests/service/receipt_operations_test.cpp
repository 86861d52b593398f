// recalls.list, recalls.show and recalls.replay, over real stores on the disk that forgets.
#include <gmock/gmock.h>

#include "pipeline/runtime_world.h"
#include "recall/ranking.h"
#include "service/local_service.h"
#include "wire/json_reader.h"

namespace pandora {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::RuntimeWorld;
using testing::World;

class ReceiptOperations : public ::testing::Test {
 protected:
  ReceiptOperations() {
    const Status started = world_.start();
    EXPECT_TRUE(started) << started.error().to_line();
    recall_ = std::make_unique<Recall>(world_.stores(), *world_.spaces, world_.clock);
    keys_ =
        KeyRing::open(world_.rows->keys(), *world_.documents, world_.ids, world_.id_random, world_.clock, world_.soon())
            .value();
    wired_ = std::make_unique<RuntimeWorld>(world_, world_.clock, nullptr, nullptr);
    service_ =
        make_local_service({world_.stores(),
                            *world_.spaces,
                            *world_.saver,
                            wired_->runtime,
                            *recall_,
                            world_.files,
                            world_.clock,
                            world_.ids,
                            *keys_,
                            "/data/journal",
                            1 << 20,
                            30,
                            {},
                            std::chrono::seconds(5),
                            [this](const Deadline& deadline) { return world_.rows->database().checkpoint(deadline); },
                            [this](const std::string& model) { return world_.encoder_named(model); },
                            "words"});
  }
  ~ReceiptOperations() override {
    service_.reset();
    wired_.reset();
    world_.stop();
  }

  Result<Json> try_call(const std::string& operation, const Json& arguments, const std::string& user = "ana") {
    NoObserver nobody;
    PANDORA_TRY(answer,
                service_->call({operation, UserId::parse(user).value(), dump_json(arguments)}, nobody, world_.soon()));
    return Json::parse(answer, nullptr, false);
  }
  Json call(const std::string& operation, const Json& arguments = Json::object(), const std::string& user = "ana") {
    auto result = try_call(operation, arguments, user);
    EXPECT_TRUE(result) << operation << ": " << result.error().to_line();
    return result.value_or(Json());
  }
  // A turn; the id of its receipt.
  std::string say(const std::string& message, const std::string& session = "s1", const std::string& user = "ana") {
    const Json result = call("chat", {{"session", session}, {"message", message}}, user);
    EXPECT_TRUE(world_.saver->drain(world_.soon()));
    return result.value("receipt", "");
  }
  std::vector<std::string> listed(const Json& arguments = Json::object(), const std::string& user = "ana") {
    std::vector<std::string> ids;
    const Json result = call("recalls.list", arguments, user);
    for (const auto& recall : result["recalls"]) ids.push_back(recall["id"]);
    return ids;
  }
  RecallReceipt kept(const std::string& id) {
    return world_.rows->receipts().find(Uuid::parse(id).value(), Principal::system(), world_.soon()).value();
  }
  void put(const RecallReceipt& receipt) {
    ASSERT_TRUE(world_.rows->receipts().put({&receipt, 1}, Principal::system(), world_.soon()));
  }

  World world_{"receipts"};
  std::unique_ptr<KeyRing> keys_;
  std::unique_ptr<Recall> recall_;
  std::unique_ptr<RuntimeWorld> wired_;
  std::unique_ptr<Service> service_;
};

TEST_F(ReceiptOperations, ARecallThatIsToLeaveNoTraceKeepsNone) {
  say("The spare key hangs in the shed.");
  const Json before = call("recalls.list");
  const Json found = call("recall", {{"question", "Where is the spare key?"}, {"keep_receipt", false}});
  EXPECT_FALSE(found["items"].empty());
  EXPECT_TRUE(found["receipt"].is_null());
  EXPECT_EQ(call("recalls.list"), before);
  EXPECT_TRUE(call("recall", {{"question", "Where is the spare key?"}})["receipt"].is_string());
  EXPECT_NE(call("recalls.list"), before);
}

TEST_F(ReceiptOperations, EveryRecallIsListedNewestFirst) {
  const std::string told = say("the spare key hangs behind the clock");
  const std::string asked = say("where is the spare key?");
  const std::string looked = call("recall", {{"question", "spare key"}})["receipt"];
  const std::string turns = call("turns.search", {{"query", "spare key"}})["receipt"];
  const std::string memories = call("memory.search", {{"query", "spare key"}})["receipt"];
  EXPECT_THAT(listed(), ElementsAre(memories, turns, looked, asked, told));
  EXPECT_THAT(listed({{"limit", 2}}), ElementsAre(memories, turns));
  EXPECT_THAT(listed({{"before", turns}, {"limit", 2}}), ElementsAre(looked, asked));
  EXPECT_THAT(listed({{"turn", 2}}), ElementsAre(asked));
  const Json recall = call("recalls.list", {{"turn", 2}})["recalls"][0];
  EXPECT_EQ(recall["turn"], 2);
  EXPECT_EQ(recall["question"], "where is the spare key?");
  EXPECT_GE(recall["injected"], 1);
  EXPECT_TRUE(call("recalls.list", {{"before", turns}, {"limit", 1}})["recalls"][0]["turn"].is_null());
  EXPECT_FALSE(try_call("recalls.list", {{"turn", 99}}));
}

TEST_F(ReceiptOperations, ATurnNamesItsReceipt) {
  const std::string told = say("the spare key hangs behind the clock");
  EXPECT_EQ(call("turns.show", {{"number", 1}})["receipt"], told);
  call("import.turns", {{"lines", {R"({"session": "old", "text": "the dentist is at nine"})"}}});
  ASSERT_TRUE(world_.saver->drain(world_.soon()));
  EXPECT_TRUE(call("turns.show", {{"number", 2}})["receipt"].is_null()) << "nobody was asked";
}

TEST_F(ReceiptOperations, AnotherUserSeesNone) {
  const std::string told = say("the spare key hangs behind the clock");
  EXPECT_THAT(listed(Json::object(), "bob"), IsEmpty());
  for (const char* operation : {"recalls.show", "recalls.replay"}) {
    const auto refused = try_call(operation, {{"id", told}}, "bob");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kNotFound);
    EXPECT_EQ(try_call(operation, {{"id", "x"}}).error().code, ErrorCode::kInvalidArgument);
  }
}

TEST_F(ReceiptOperations, ItShowsEveryCandidateWithWhatItsScoreIsMadeOf) {
  say("the spare key hangs behind the clock", "first");
  say("the dentist is at nine", "first");
  call("memory.add", {{"content", "I like short answers"}, {"kind", "preference"}});
  const Json shown = call("recalls.show", {{"id", say("where is the spare key?", "second")}});
  EXPECT_EQ(shown["given"][0]["kind"], "preference");
  EXPECT_EQ(shown["given"][0]["fate"], "injected");
  EXPECT_EQ(shown["given"][0]["place"], 1);
  const Json& best = shown["turns"][0];
  EXPECT_EQ(best["rank"], 1);
  EXPECT_EQ(best["name"], "turn 1");
  EXPECT_EQ(best["fate"], "injected");
  EXPECT_EQ(best["features"]["session"], "first");
  EXPECT_EQ(best["row"]["state"], "holds");
  EXPECT_GT(best["row"]["tokens"], 0);
  double sum = 0;
  for (const auto& [name, term] : best["terms"].items()) sum += term.get<double>();
  EXPECT_NEAR(sum, best["score"].get<double>(), 1e-12);
  EXPECT_EQ(shown["formula"], kRankingFormula);
  EXPECT_FALSE(shown.contains("terms_unknown"));
}

TEST_F(ReceiptOperations, ItIsRankedAgainBitForBitAndAskedAgainToday) {
  say("the spare key hangs behind the clock", "first");
  const std::string asked = call("recall", {{"question", "where is the spare key"}})["receipt"];
  Json replayed = call("recalls.replay", {{"id", asked}});
  EXPECT_EQ(replayed["verdict"], "same");
  EXPECT_THAT(replayed["today"]["changes"], IsEmpty());

  say("the spare key hangs behind the blue door", "second");
  call("turns.reject", {{"number", 1}});
  ASSERT_TRUE(world_.saver->drain(world_.soon()));
  replayed = call("recalls.replay", {{"id", asked}});
  EXPECT_EQ(replayed["verdict"], "same") << "what is new today changes nothing of then";
  const Json& changes = replayed["today"]["changes"];
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_EQ(changes[0]["change"], "new");
  EXPECT_EQ(changes[0]["name"], "turn 2");
  EXPECT_EQ(changes[1]["change"], "gone");
  EXPECT_EQ(changes[1]["name"], "turn 1");
  EXPECT_THAT(listed(), ::testing::SizeIs(3)) << "asking again leaves no receipt";
}

TEST_F(ReceiptOperations, AReceiptThatDoesNotGiveItsOutcomeIsNamedWithTheFirstDifference) {
  say("the spare key hangs behind the clock", "first");
  const std::string asked = say("where is the spare key?", "second");
  RecallReceipt receipt = kept(asked);
  receipt.turns[0].score += 1e-9;
  put(receipt);
  const Json replayed = call("recalls.replay", {{"id", asked}});
  EXPECT_EQ(replayed["verdict"], "differs");
  EXPECT_THAT(replayed["difference"].get<std::string>(), HasSubstr("turns, rank 1"));
  EXPECT_TRUE(call("recalls.show", {{"id", asked}})["turns"][0]["terms"].is_null());
}

TEST_F(ReceiptOperations, AReceiptOfAnotherFormulaIsShownButNotJudged) {
  say("the spare key hangs behind the clock", "first");
  const std::string asked = say("where is the spare key?", "second");
  RecallReceipt receipt = kept(asked);
  receipt.formula = 77;
  put(receipt);
  EXPECT_EQ(call("recalls.replay", {{"id", asked}})["verdict"], "other formula");
  EXPECT_THAT(call("recalls.show", {{"id", asked}})["terms_unknown"].get<std::string>(), HasSubstr("formula 77"));
}

TEST_F(ReceiptOperations, WhatIsForgottenIsInNoReceipt) {
  const std::string told = say("the spare key hangs behind the clock", "first");
  const std::string asked = say("where is the spare key?", "second");
  const std::string uid = kept(told).turn->to_string();
  ASSERT_THAT(dump_json(call("recalls.show", {{"id", asked}})), HasSubstr(uid));
  const Json report = call("turns.forget", {{"number", 1}});
  EXPECT_GE(report["receipts"], 2);
  EXPECT_THAT(listed(), ElementsAre(asked));
  EXPECT_THAT(dump_json(call("recalls.show", {{"id", asked}})), ::testing::Not(HasSubstr(uid)));
  EXPECT_EQ(call("recalls.replay", {{"id", asked}})["verdict"], "forgotten");
  EXPECT_TRUE(call("forget.verify", {{"report", report}})["clean"]);
  Json older = report;
  older.erase("receipts");
  EXPECT_TRUE(call("forget.verify", {{"report", older}})["clean"]) << "a report of before there were receipts";
}

TEST_F(ReceiptOperations, TheStatusCountsThem) {
  say("the spare key hangs behind the clock");
  EXPECT_EQ(call("status")["receipts"]["kept"], 1);
}

}  // namespace
}  // namespace pandora
