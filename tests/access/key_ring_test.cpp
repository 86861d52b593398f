// The keys of the API: told apart by their secrets, refused from the moment they are revoked, and back after a loss.
#include "access/key_ring.h"

#include <fstream>
#include <iterator>

#include <gmock/gmock.h>

#include "access/key_documents.h"
#include "base/hash.h"
#include "contract/expect.h"
#include "store_memory/memory_document_store.h"
#include "store_memory/memory_key_store.h"

namespace pandora {
namespace {

using ::testing::ElementsAre;

class KeyRingTest : public ::testing::Test {
 protected:
  KeyRingTest() { open(); }
  void open() { ring_ = must(KeyRing::open(*store_, *documents_, ids_, random_, clock_, kNever)); }
  NewKey wanted(const std::string& name) const {
    return {name, must(UserId::parse("ana")), {KeyScope::kChat, KeyScope::kRead}};
  }
  CreatedKey create(const std::string& name) { return must(ring_->create(wanted(name), kNever)); }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& key : ring_->list()) names.push_back(key.name);
    return names;
  }

  ManualClock clock_;
  SeededRandom random_{11};
  UuidV7Generator ids_{clock_, random_};
  std::unique_ptr<MemoryKeyStore> store_ = std::make_unique<MemoryKeyStore>();
  std::unique_ptr<MemoryDocumentStore> documents_ = std::make_unique<MemoryDocumentStore>(clock_);
  std::unique_ptr<KeyRing> ring_;
};

TEST_F(KeyRingTest, ASecretFindsItsKeyAndNoOtherTextDoes) {
  const CreatedKey one = create("laptop"), other = create("phone");
  EXPECT_EQ(one.secret.size(), kKeySecretLength);
  EXPECT_TRUE(one.secret.starts_with(kKeyPrefix));
  EXPECT_EQ(ring_->find(one.secret).value().id, one.key.id);
  EXPECT_EQ(ring_->find(other.secret).value().id, other.key.id);
  std::string wrong = one.secret;
  wrong.back() = wrong.back() == 'x' ? 'y' : 'x';
  const std::string mixed = one.secret.substr(0, kKeyHintLength) + other.secret.substr(kKeyHintLength);
  for (const std::string& text : {wrong, mixed, std::string(), one.key.hint, one.secret + "x", one.key.secret_sha256})
    EXPECT_FALSE(ring_->find(text)) << text;
}

TEST_F(KeyRingTest, TheSecretIsNowhereKept) {
  const CreatedKey one = create("laptop");
  const std::string hidden = one.secret.substr(kKeyHintLength);
  const std::string document = must(documents_->read(key_path(one.key.id), kNever));
  EXPECT_EQ(document.find(hidden), std::string::npos);
  EXPECT_NE(document.find(sha256_hex(one.secret)), std::string::npos);
  EXPECT_EQ(encode_key(must(store_->list(kNever)).front()), document);
}

TEST(KeyDocument, ReadsWhatVersionOneWrote) {
  ApiKey key;
  key.id = must(Uuid::parse("01890a5d-ac96-774b-bcce-b302099a8057"));
  key.name = "laptop";
  key.user = must(UserId::parse("ana"));
  key.scopes = {KeyScope::kChat, KeyScope::kApprove};
  key.requests_a_minute = 60;
  key.tokens_a_minute = 20'000;
  key.hint = "sk-pandora-Ab12Cd34";
  key.secret_sha256 = sha256_hex("a secret");
  key.created_at = must(parse_iso8601("2026-01-05T10:00:00.000001Z"));
  key.expires_at = must(parse_iso8601("2027-01-05T10:00:00Z"));
  std::ifstream file(PANDORA_GOLDEN "/key-v1.json");
  const std::string golden{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(must(decode_key(golden)), key);
  EXPECT_EQ(encode_key(key), golden);
}

TEST_F(KeyRingTest, ARevokedKeyIsRefusedAtOnceAndAfterARestart) {
  const CreatedKey one = create("laptop");
  const ApiKey revoked = must(ring_->revoke("laptop", kNever));
  EXPECT_TRUE(revoked.revoked_at);
  EXPECT_FALSE(ring_->find(one.secret));
  EXPECT_EQ(must(ring_->revoke(one.key.id.to_string(), kNever)), revoked) << "twice is as once";
  EXPECT_FAILS(kNotFound, ring_->revoke("laptop", kNever)) << "the name is free";
  open();
  EXPECT_FALSE(ring_->find(one.secret));
  EXPECT_FALSE(ring_->empty()) << "the API does not open because keys ended";
  EXPECT_FALSE(ring_->has_usable());
  create("laptop");
  EXPECT_TRUE(ring_->has_usable());
}

TEST_F(KeyRingTest, AKeyEndsAtItsTime) {
  NewKey brief = wanted("brief");
  brief.expires_at = clock_.now() + std::chrono::hours(1);
  const CreatedKey one = must(ring_->create(brief, kNever));
  clock_.advance(std::chrono::hours(1) - Duration(1));
  EXPECT_TRUE(ring_->find(one.secret));
  EXPECT_FAILS(kConflict, ring_->remove(one.key.id.to_string(), kNever)) << "it can still be used";
  clock_.advance(Duration(1));
  EXPECT_FALSE(ring_->find(one.secret));
  must(ring_->remove(one.key.id.to_string(), kNever));
  EXPECT_TRUE(ring_->empty());
  open();
  EXPECT_TRUE(ring_->empty());
  brief.expires_at = clock_.now();
  EXPECT_FAILS(kInvalidArgument, ring_->create(brief, kNever));
}

TEST_F(KeyRingTest, ANameIsOfOneKeyThatCanBeUsed) {
  create("laptop");
  EXPECT_FAILS(kConflict, ring_->create(wanted("laptop"), kNever));
  EXPECT_FAILS(kInvalidArgument, ring_->create(wanted("no name"), kNever));
  EXPECT_FAILS(kNotFound, ring_->revoke("another", kNever));
  EXPECT_FAILS(kNotFound, ring_->remove("another", kNever));
  EXPECT_THAT(names(), ElementsAre("laptop"));
}

TEST_F(KeyRingTest, ADatabaseThatIsMadeAnewGetsItsKeysBack) {
  const CreatedKey one = create("laptop"), gone = create("phone");
  must(ring_->revoke("phone", kNever));
  store_ = std::make_unique<MemoryKeyStore>();
  open();
  EXPECT_EQ(ring_->find(one.secret).value(), one.key);
  EXPECT_FALSE(ring_->find(gone.secret)) << "it stays revoked";
  EXPECT_EQ(must(store_->list(kNever)).size(), 2u);
}

TEST_F(KeyRingTest, WhatACrashLeftHalfDoneIsMadeWhole) {
  const CreatedKey one = create("laptop"), other = create("phone");
  must(documents_->remove(key_path(one.key.id), kNever));  // the row was written, the file was not
  ApiKey revoked = other.key;
  revoked.revoked_at = clock_.now();
  must(write_key_document(*documents_, revoked, kNever));  // the file was written, the row was not
  open();
  EXPECT_TRUE(ring_->find(one.secret));
  EXPECT_EQ(must(decode_key(must(documents_->read(key_path(one.key.id), kNever)))), one.key);
  EXPECT_FALSE(ring_->find(other.secret));
  EXPECT_EQ(must(store_->list(kNever)).back().revoked_at, revoked.revoked_at);
}

TEST_F(KeyRingTest, AFileThatCannotBeReadIsAnErrorThatNamesIt) {
  const CreatedKey one = create("laptop");
  const std::string whole = must(documents_->read(key_path(one.key.id), kNever));
  for (std::size_t cut = 0; cut + 2 < whole.size(); ++cut) {
    must(documents_->put(key_path(one.key.id), whole.substr(0, cut), Durability::kNow, kNever));
    const auto opened = KeyRing::open(*store_, *documents_, ids_, random_, clock_, kNever);
    ASSERT_TRUE(fails_with(ErrorCode::kDataCorrupt, opened)) << cut;
    EXPECT_NE(opened.error().message.find(key_path(one.key.id)), std::string::npos);
  }
}

TEST_F(KeyRingTest, WhenAKeyWasLastUsedIsKnownAndNowAndThenWritten) {
  const CreatedKey one = create("laptop");
  EXPECT_EQ(ring_->list().front().last_used_at, std::nullopt);
  clock_.advance(std::chrono::seconds(5));
  (void)ring_->find(one.secret);
  EXPECT_EQ(ring_->list().front().last_used_at, clock_.now());
  EXPECT_TRUE(ring_->uses_are_due());
  EXPECT_FALSE(ring_->uses_are_due());
  must(ring_->write_uses(kNever));
  EXPECT_EQ(must(store_->list(kNever)).front().last_used_at, clock_.now());
  clock_.advance(kKeyUsesWritten - Duration(1));
  EXPECT_FALSE(ring_->uses_are_due());
  clock_.advance(Duration(1));
  EXPECT_TRUE(ring_->uses_are_due());
}

// Several gateways have one table of keys.
TEST_F(KeyRingTest, WhatAnotherProcessChangesIsKnownFromTheNextRefreshOn) {
  const auto other = must(KeyRing::open(*store_, *documents_, ids_, random_, clock_, kNever));
  const CreatedKey one = must(other->create(wanted("laptop"), kNever)), two = create("phone");
  EXPECT_FALSE(ring_->find(one.secret));
  must(ring_->refresh(kNever));
  EXPECT_TRUE(ring_->find(one.secret));
  EXPECT_TRUE(ring_->find(two.secret));
  must(other->revoke(one.key.id.to_string(), kNever));
  must(ring_->refresh(kNever));
  EXPECT_FALSE(ring_->find(one.secret));
  must(other->remove(one.key.id.to_string(), kNever));
  must(ring_->refresh(kNever));
  EXPECT_THAT(names(), ElementsAre("phone"));
  EXPECT_EQ(ring_->list().front().last_used_at, clock_.now()) << "what is not written yet is not forgotten";
}

TEST_F(KeyRingTest, WithoutTheRowsItKnowsTheKeysThatHaveFilesAndSaysThatThereMayBeOthers) {
  const CreatedKey one = create("laptop"), revoked = create("lost");
  must(ring_->revoke("lost", kNever));
  const auto ring = must(KeyRing::open_without_rows(*store_, *documents_, ids_, random_, clock_, kNever));
  EXPECT_FALSE(ring->is_complete());
  EXPECT_TRUE(ring->find(one.secret));
  EXPECT_FALSE(ring->find(revoked.secret));
  const CreatedKey elsewhere = create("elsewhere");
  must(ring->refresh(kNever));
  EXPECT_TRUE(ring->is_complete());
  EXPECT_TRUE(ring->find(elsewhere.secret));
}

}  // namespace
}  // namespace pandora
