// What ports/receipt_store.h promises, for every implementation.
#include "contract/receipt_store_contract.h"

#include <algorithm>

#include <gmock/gmock.h>

#include "ports/turn_store.h"
#include "support/random_receipt.h"

namespace pandora {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;

class ReceiptStoreContract : public ::testing::TestWithParam<ReceiptImplementation> {
 protected:
  void SetUp() override { setup_ = GetParam().make(); }
  ReceiptStore& store() { return setup_->store(); }

  static UserId name(const std::string& user) { return must(UserId::parse(user)); }
  // Ids ascend with the order in which they are made.
  RecallReceipt receipt(const std::string& user = "ana", const testing::ReceiptShape& shape = {3, 1, 1, 1}) {
    RecallReceipt one = made_.next(shape);
    ++count_;
    for (std::size_t i = 0; i < 4; ++i) one.id.bytes[2 + i] = static_cast<std::uint8_t>(count_ >> (24 - 8 * i));
    one.user = name(user);
    one.turn.reset();
    if (!one.turns.empty()) one.turns[0].uid = made_.uid();  // no row twice
    return one;
  }
  RecallReceipt put(RecallReceipt one) {
    must(store().put({&one, 1}, Principal::of(one.user), kNever));
    return one;
  }
  void put_all(const std::vector<RecallReceipt>& receipts) {
    constexpr std::size_t kBatch = 50;
    for (std::size_t i = 0; i < receipts.size(); i += kBatch) {
      must(store().put(std::span(receipts).subspan(i, std::min(kBatch, receipts.size() - i)), system_, kNever));
      (void)listed({.limit = 1}, system_);  // all of these are written
    }
  }
  std::vector<Uuid> listed(const ReceiptQuery& query, const Principal& who) {
    std::vector<Uuid> ids;
    for (const auto& one : must(store().list(query, who, kNever))) ids.push_back(one.id);
    return ids;
  }

  const Principal system_ = Principal::system();
  const Principal ana_ = Principal::of(name("ana")), bob_ = Principal::of(name("bob"));
  testing::RandomReceipts made_{7};
  std::uint32_t count_ = 0;
  std::unique_ptr<ReceiptSetup> setup_;
};

TEST_P(ReceiptStoreContract, what_is_put_is_found_as_it_was) {
  const RecallReceipt one = put(receipt("ana", {}));
  EXPECT_EQ(must(store().find(one.id, ana_, kNever)), one);
  setup_->reopen(kMost);
  EXPECT_EQ(must(store().find(one.id, ana_, kNever)), one) << "after a restart";
}

TEST_P(ReceiptStoreContract, an_id_that_is_there_is_replaced) {
  RecallReceipt one = put(receipt());
  one.question = "another";
  one.turn = made_.uid();
  put(one);
  EXPECT_EQ(must(store().find(one.id, ana_, kNever)), one);
  EXPECT_THAT(listed({.turn = one.turn}, ana_), ElementsAre(one.id));
  EXPECT_THAT(listed({}, ana_), ElementsAre(one.id));
}

TEST_P(ReceiptStoreContract, a_user_sees_his_own_and_the_system_all) {
  const RecallReceipt of_ana = put(receipt("ana")), of_bob = put(receipt("bob"));
  EXPECT_FAILS(kNotFound, store().find(of_ana.id, bob_, kNever));
  EXPECT_EQ(must(store().find(of_ana.id, system_, kNever)), of_ana);
  EXPECT_THAT(listed({}, ana_), ElementsAre(of_ana.id));
  EXPECT_THAT(listed({}, bob_), ElementsAre(of_bob.id));
  EXPECT_THAT(listed({}, system_), ElementsAre(of_bob.id, of_ana.id));
  EXPECT_FAILS(kNotFound, store().find(made_.uid(), system_, kNever));
}

TEST_P(ReceiptStoreContract, nobody_puts_for_somebody_else) {
  const RecallReceipt of_ana = receipt("ana");
  EXPECT_FAILS(kPermissionDenied, store().put({&of_ana, 1}, bob_, kNever));
  must(store().put({&of_ana, 1}, system_, kNever));
  EXPECT_EQ(must(store().find(of_ana.id, ana_, kNever)), of_ana);
}

TEST_P(ReceiptStoreContract, a_receipt_without_id_or_user_is_refused) {
  RecallReceipt nameless = receipt(), nobodys = receipt();
  nameless.id = {};
  nobodys.user = {};
  EXPECT_FAILS(kInvalidArgument, store().put({&nameless, 1}, system_, kNever));
  EXPECT_FAILS(kInvalidArgument, store().put({&nobodys, 1}, system_, kNever));
}

TEST_P(ReceiptStoreContract, they_are_listed_newest_first_and_by_pages) {
  std::vector<Uuid> ids;
  for (int i = 0; i < 5; ++i) ids.insert(ids.begin(), put(receipt()).id);
  EXPECT_THAT(listed({}, ana_), ElementsAreArray(ids));
  EXPECT_THAT(listed({.limit = 2}, ana_), ElementsAre(ids[0], ids[1]));
  EXPECT_THAT(listed({.before = ids[1], .limit = 2}, ana_), ElementsAre(ids[2], ids[3]));
  EXPECT_THAT(listed({.before = ids[4]}, ana_), IsEmpty());
  EXPECT_THAT(listed({.limit = 0}, ana_), IsEmpty());
}

TEST_P(ReceiptStoreContract, those_of_a_turn_are_found_by_it) {
  RecallReceipt one = receipt();
  one.turn = made_.uid();
  put(one);
  put(receipt());
  EXPECT_THAT(listed({.turn = one.turn}, ana_), ElementsAre(one.id));
  EXPECT_THAT(listed({.turn = one.turn}, bob_), IsEmpty());
  EXPECT_THAT(listed({.turn = made_.uid()}, ana_), IsEmpty());
  EXPECT_THAT(listed({.turn = one.turn, .before = one.id}, ana_), IsEmpty());
}

TEST_P(ReceiptStoreContract, the_maximum_is_kept_and_of_one_more_the_oldest_goes) {
  std::vector<RecallReceipt> all;
  for (std::size_t i = 0; i < kMost; ++i) all.push_back(receipt(i % 2 == 0 ? "ana" : "bob", {1, 0, 0, 0}));
  put_all(all);
  EXPECT_EQ(listed({.limit = kMaxPage}, system_).size(), kMost);
  EXPECT_EQ(must(store().status(kNever)).kept, static_cast<std::int64_t>(kMost));
  const RecallReceipt last = put(receipt("bob", {1, 0, 0, 0}));
  const auto left = listed({.limit = kMaxPage}, system_);
  EXPECT_EQ(left.size(), kMost);
  EXPECT_EQ(left.front(), last.id);
  EXPECT_EQ(left.back(), all[1].id);
  EXPECT_FAILS(kNotFound, store().find(all[0].id, ana_, kNever));
}

TEST_P(ReceiptStoreContract, a_lower_maximum_drops_what_is_too_many) {
  std::vector<Uuid> ids;
  for (int i = 0; i < 4; ++i) ids.insert(ids.begin(), put(receipt()).id);
  setup_->reopen(2);
  must(store().put({}, system_, kNever));
  EXPECT_THAT(listed({}, ana_), ElementsAre(ids[0], ids[1]));
}

TEST_P(ReceiptStoreContract, forgetting_the_asking_turn_removes_its_receipts) {
  RecallReceipt asked = receipt(), other = receipt();
  asked.turn = made_.uid();
  other.turn = made_.uid();
  put(asked);
  put(other);
  EXPECT_EQ(must(store().forget({{*asked.turn}, {}}, ana_, kNever)), 1);
  EXPECT_THAT(listed({}, ana_), ElementsAre(other.id));
  EXPECT_EQ(must(store().find(other.id, ana_, kNever)), other);
}

TEST_P(ReceiptStoreContract, forgetting_a_row_takes_it_out_of_every_receipt) {
  const std::vector<RecallReceipt> before = {put(receipt()), put(receipt()), put(receipt())};
  for (const Uuid& uid :
       {before[0].turns[0].uid, before[0].memories[0].uid, before[1].research[0].uid, before[1].given[0].uid}) {
    EXPECT_THAT(must(store().naming({&uid, 1}, ana_, kNever)), ::testing::SizeIs(1));
    EXPECT_EQ(must(store().forget({{uid}, {}}, ana_, kNever)), 1);
    EXPECT_THAT(must(store().naming({&uid, 1}, ana_, kNever)), IsEmpty());
    EXPECT_EQ(must(store().forget({{uid}, {}}, ana_, kNever)), 0) << "once is enough";
  }
  for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(must(store().find(before[i].id, ana_, kNever)).forgotten, 2);
  EXPECT_EQ(must(store().find(before[2].id, ana_, kNever)), before[2]);
}

TEST_P(ReceiptStoreContract, forgetting_looks_through_all_that_it_may_see) {
  std::vector<RecallReceipt> all;
  const Uuid uid = made_.uid();
  for (std::size_t i = 0; i < kMost; ++i) {
    all.push_back(receipt(i < 10 ? "bob" : "ana", {1, 0, 0, 0}));
    all.back().turns[0].uid = uid;
  }
  put_all(all);
  EXPECT_EQ(must(store().naming({&uid, 1}, bob_, kNever)).size(), 10u);
  EXPECT_EQ(must(store().forget({{uid}, {}}, ana_, kNever)), static_cast<std::int64_t>(kMost) - 10);
  std::vector<Uuid> of_bob;
  for (std::size_t i = 0; i < 10; ++i) of_bob.push_back(all[i].id);
  EXPECT_THAT(must(store().naming({&uid, 1}, system_, kNever)), ElementsAreArray(of_bob)) << "ascending";
  EXPECT_EQ(must(store().forget({{uid}, {}}, system_, kNever)), 10);
}

TEST_P(ReceiptStoreContract, a_question_that_holds_forgotten_words_goes_with_its_receipt) {
  RecallReceipt asks = receipt(), other = receipt(), of_bob = receipt("bob"), of_a_turn = receipt();
  asks.question = "Who said: the safe opens with 4711?";
  of_bob.question = of_a_turn.question = asks.question;
  of_a_turn.turn = made_.uid();
  put(of_a_turn);
  put(asks);
  put(other);
  put(of_bob);
  EXPECT_EQ(must(store().forget({{}, {"", "no such words", "the safe opens with 4711"}}, ana_, kNever)), 1);
  EXPECT_THAT(listed({}, system_), ElementsAre(of_a_turn.id, of_bob.id, other.id)) << "what a turn asked goes with it";
}

TEST_P(ReceiptStoreContract, of_long_words_their_beginning_is_looked_for) {
  const std::string words(kMaxForgottenPrefix + 500, 'x');
  RecallReceipt cut = receipt(), shorter = receipt();
  cut.question = words.substr(0, kMaxForgottenPrefix);
  shorter.question = words.substr(0, kMaxForgottenPrefix - 1);
  put(cut);
  put(shorter);
  EXPECT_EQ(must(store().forget({{}, {words}}, ana_, kNever)), 1);
  EXPECT_THAT(listed({}, ana_), ElementsAre(shorter.id));
}

TEST_P(ReceiptStoreContract, a_deadline_that_has_passed_does_nothing) {
  const RecallReceipt one = put(receipt());
  EXPECT_FAILS(kDeadlineExceeded, store().find(one.id, ana_, past()));
  EXPECT_FAILS(kDeadlineExceeded, store().list({}, ana_, past()));
  EXPECT_FAILS(kDeadlineExceeded, store().forget({{one.turns[0].uid}, {}}, ana_, past()));
  EXPECT_FAILS(kDeadlineExceeded, store().naming({&one.turns[0].uid, 1}, ana_, past()));
  EXPECT_EQ(must(store().find(one.id, ana_, kNever)), one);
}

INSTANTIATE_TEST_SUITE_P(All, ReceiptStoreContract, ::testing::ValuesIn(receipt_implementations()),
                         kImplementationName);

}  // namespace
}  // namespace pandora
