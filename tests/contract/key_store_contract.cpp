// What ports/key_store.h promises, for every implementation.
#include "contract/key_store_contract.h"

#include <gmock/gmock.h>

namespace pandora {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class KeyStoreContract : public ::testing::TestWithParam<KeyImplementation> {
 protected:
  void SetUp() override { setup_ = GetParam().make(); }
  KeyStore& store() { return setup_->store(); }

  // Every field has a value of its own; ids ascend.
  ApiKey key(const std::string& name) {
    ++count_;
    ApiKey one;
    one.id.bytes = {1, static_cast<std::uint8_t>(count_ >> 8), static_cast<std::uint8_t>(count_)};
    one.name = name;
    one.user = must(UserId::parse("ana"));
    one.scopes = {KeyScope::kChat, KeyScope::kMetrics};
    one.requests_a_minute = count_;
    one.tokens_a_minute = kMaxKeyRate;
    one.hint = std::string(kKeyPrefix) + std::to_string(10'000'000 + count_);
    one.secret_sha256 = std::string(64 - 8, 'a') + std::to_string(10'000'000 + count_);
    one.created_at = {1'000'000 + count_};
    one.expires_at = Timestamp{9'000'000 + count_};
    one.last_used_at = Timestamp{5'000'000 + count_};
    return one;
  }
  ApiKey add(ApiKey one) {
    must(store().add(one, kNever));
    return one;
  }
  ApiKey add(const std::string& name) { return add(key(name)); }
  std::vector<ApiKey> all() { return must(store().list(kNever)); }

  int count_ = 0;
  std::unique_ptr<KeySetup> setup_;
};

TEST_P(KeyStoreContract, WhatIsAddedIsListedAsItWasInTheOrderOfIds) {
  ApiKey bare = key("bare");
  bare.expires_at.reset(), bare.last_used_at.reset();
  bare.requests_a_minute = bare.tokens_a_minute = 0;
  const ApiKey one = add("one");
  add(bare);
  EXPECT_THAT(all(), ElementsAre(bare, one));
  setup_->reopen();
  EXPECT_THAT(all(), ElementsAre(bare, one)) << "after a restart";
}

TEST_P(KeyStoreContract, AnIdAHintAndALivingNameAreOfOneKey) {
  const ApiKey one = add("one");
  ApiKey same_id = key("two"), same_hint = key("three"), same_name = key("one");
  same_id.id = one.id, same_hint.hint = one.hint;
  for (const auto& again : {same_id, same_hint, same_name}) EXPECT_FAILS(kConflict, store().add(again, kNever));
  must(store().revoke(one.id, {7}, kNever));
  add(same_name);
  ApiKey revoked_already = key("one");
  revoked_already.revoked_at = Timestamp{8};
  add(revoked_already);
  EXPECT_EQ(all().size(), 3u);
}

TEST_P(KeyStoreContract, WhatIsNoKeyIsRefused) {
  const auto spoiled = [&](auto spoil) {
    ApiKey one = key("name");
    spoil(one);
    return one;
  };
  for (const ApiKey& one :
       {spoiled([](ApiKey& k) { k.id = {}; }), spoiled([](ApiKey& k) { k.name = ""; }),
        spoiled([](ApiKey& k) { k.name = "two words"; }), spoiled([](ApiKey& k) { k.user = {}; }),
        spoiled([](ApiKey& k) { k.scopes = {}; }), spoiled([](ApiKey& k) { k.requests_a_minute = -1; }),
        spoiled([](ApiKey& k) { k.tokens_a_minute = kMaxKeyRate + 1; }), spoiled([](ApiKey& k) { k.hint += "x"; }),
        spoiled([](ApiKey& k) { k.secret_sha256 = "sk-pandora-a-secret"; })})
    EXPECT_FAILS(kInvalidArgument, store().add(one, kNever));
  EXPECT_THAT(all(), IsEmpty());
}

TEST_P(KeyStoreContract, AKeyIsRevokedOnce) {
  const ApiKey one = add("one"), other = add("other");
  EXPECT_EQ(must(store().revoke(one.id, {70}, kNever)).revoked_at, Timestamp{70});
  EXPECT_EQ(must(store().revoke(one.id, {80}, kNever)).revoked_at, Timestamp{70}) << "the first time stands";
  setup_->reopen();
  EXPECT_EQ(all()[0].revoked_at, Timestamp{70});
  EXPECT_EQ(all()[1], other);
  EXPECT_FAILS(kNotFound, store().revoke(key("none").id, {70}, kNever));
}

TEST_P(KeyStoreContract, WhatIsRemovedIsGoneAndMissingIsFine) {
  const ApiKey one = add("one"), other = add("other");
  must(store().remove(one.id, kNever));
  must(store().remove(one.id, kNever));
  EXPECT_THAT(all(), ElementsAre(other));
}

TEST_P(KeyStoreContract, TheLatestUseStands) {
  const ApiKey one = add("one");
  ApiKey unused = key("unused");
  unused.last_used_at.reset();
  add(unused);
  must(store().note_uses({{one.id, {1}}, {unused.id, {3}}, {key("none").id, {4}}}, kNever));
  EXPECT_EQ(all()[0].last_used_at, one.last_used_at) << "an earlier one changes nothing";
  EXPECT_EQ(all()[1].last_used_at, Timestamp{3});
  must(store().note_uses({{one.id, {99'000'000}}}, kNever));
  EXPECT_EQ(all()[0].last_used_at, Timestamp{99'000'000});
  must(store().note_uses({}, kNever));
}

TEST_P(KeyStoreContract, SoManyKeysAndNotOneMore) {
  for (std::size_t i = 0; i < kMaxApiKeys; ++i) add("key-" + std::to_string(i));
  const ApiKey more = key("more");
  EXPECT_FAILS(kResourceExhausted, store().add(more, kNever));
  const Uuid first = all().front().id;
  must(store().revoke(first, {7}, kNever));
  EXPECT_FAILS(kResourceExhausted, store().add(more, kNever)) << "a revoked one counts until it is removed";
  must(store().remove(first, kNever));
  add(more);
}

TEST_P(KeyStoreContract, ADeadlineThatHasPassedDoesNothing) {
  const ApiKey one = add("one");
  EXPECT_FAILS(kDeadlineExceeded, store().add(key("two"), past()));
  EXPECT_FAILS(kDeadlineExceeded, store().list(past()));
  EXPECT_FAILS(kDeadlineExceeded, store().revoke(one.id, {7}, past()));
  EXPECT_FAILS(kDeadlineExceeded, store().remove(one.id, past()));
  EXPECT_FAILS(kDeadlineExceeded, store().note_uses({{one.id, {7}}}, past()));
  EXPECT_THAT(all(), ElementsAre(one));
}

INSTANTIATE_TEST_SUITE_P(Keys, KeyStoreContract, ::testing::ValuesIn(key_implementations()), kImplementationName);

}  // namespace
}  // namespace pandora
