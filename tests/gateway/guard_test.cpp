// Who comes in: with OpenAI's statuses, codes and headers for who does not.
#include "gateway/guard.h"

#include "contract/expect.h"
#include "store_embedded/process_cache.h"
#include "store_memory/memory_document_store.h"
#include "store_memory/memory_key_store.h"
#include "wire/json_reader.h"

namespace pandora {
namespace {

class GuardTest : public ::testing::Test {
 protected:
  GuardTest() { open(Exposure::kLoopback); }
  void open(Exposure exposure) {
    guard_ = std::make_unique<Guard>(ring_.get(), &cache_, must(UserId::parse("owner")), exposure, clock_);
  }
  std::string create(const std::string& name, KeyScopes scopes = {KeyScope::kChat}, std::int64_t requests = 0,
                     std::int64_t tokens = 0) {
    return must(ring_->create({name, must(UserId::parse("ana")), scopes, requests, tokens, {}}, kNever)).secret;
  }
  static HttpRequest with(const std::string& authorization) {
    HttpRequest request;
    if (!authorization.empty()) request.headers.add("Authorization", authorization);
    return request;
  }
  Guard::Identified chat(const std::string& authorization) {
    return guard_->identify(with(authorization), Needs::of(KeyScope::kChat));
  }
  static Json error_of(const HttpResponse& response) {
    return must(parse_json(response.body, 1 << 16, "body"))["error"];
  }

  ManualClock clock_;
  SeededRandom random_{3};
  UuidV7Generator ids_{clock_, random_};
  MemoryKeyStore store_;
  MemoryDocumentStore documents_{clock_};
  ProcessCache cache_{clock_};
  std::unique_ptr<KeyRing> ring_ = must(KeyRing::open(store_, documents_, ids_, random_, clock_, kNever));
  std::unique_ptr<Guard> guard_;
};

TEST_F(GuardTest, WithoutKeysLoopbackIsTheOwners) {
  for (const std::string& given : {std::string(), std::string("Bearer none"), std::string("nonsense")}) {
    const auto caller = chat(given);
    ASSERT_TRUE(caller);
    EXPECT_EQ(caller->user.str(), "owner");
    EXPECT_TRUE(caller->may(KeyScope::kApprove));
  }
}

TEST_F(GuardTest, BeyondLoopbackNobodyIsLetInWithoutAKey) {
  open(Exposure::kBeyond);
  EXPECT_EQ(chat("").error().status, 401);
  create("laptop");
  must(ring_->revoke("laptop", kNever));
  must(ring_->remove(ring_->list().front().id.to_string(), kNever));
  EXPECT_EQ(chat("").error().status, 401) << "also when there is no key any more";
  for (const char* address : {"0.0.0.0", "::", "192.168.1.7", "no-address"})
    EXPECT_EQ(exposure_of(address), Exposure::kBeyond) << address;
  for (const char* address : {"127.0.0.1", "127.8.9.10", "::1", "localhost"})
    EXPECT_EQ(exposure_of(address), Exposure::kLoopback) << address;
}

// Loopback is open only once it is known that there is no key.
TEST_F(GuardTest, WhileTheKeysAreOutOfReachOnlyThoseThatAreKnownComeIn) {
  const std::string secret = create("laptop");
  ring_ = must(KeyRing::open_without_rows(store_, documents_, ids_, random_, clock_, kNever));
  open(Exposure::kLoopback);
  EXPECT_TRUE(chat("Bearer " + secret));
  EXPECT_TRUE(guard_->identify(with(""), Needs::nothing()));
  MemoryDocumentStore empty{clock_};
  for (const std::string& given : {std::string(), std::string("Bearer none")}) {
    const auto refused = chat(given);
    ASSERT_FALSE(refused) << given;
    EXPECT_EQ(refused.error().status, 503);
    EXPECT_FALSE(refused.error().headers.get("Retry-After").empty());
  }
  ring_ = must(KeyRing::open_without_rows(store_, empty, ids_, random_, clock_, kNever));
  open(Exposure::kLoopback);
  EXPECT_EQ(chat("").error().status, 503) << "whether there are keys is not known";
  must(ring_->refresh(kNever));
  EXPECT_TRUE(chat("Bearer " + secret));
}

TEST_F(GuardTest, WhenTheLastKeyIsGoneTheRefusalNamesTheRemedy) {
  const std::string secret = create("laptop");
  must(ring_->revoke("laptop", kNever));
  for (const std::string& given : {std::string(), "Bearer " + secret}) {
    const auto refused = chat(given);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().status, 401);
    const std::string said = error_of(refused.error())["message"];
    EXPECT_NE(said.find("pandora keys create"), std::string::npos) << said;
    EXPECT_NE(said.find("pandora keys remove"), std::string::npos) << said;
  }
  create("phone");
  const std::string said = error_of(chat("").error())["message"];
  EXPECT_EQ(said.find("any more"), std::string::npos) << said;
}

TEST_F(GuardTest, AMissingKeyAndAWrongOneAreToldApartAsOpenAIDoes) {
  const std::string secret = create("laptop");
  const auto missing = chat("");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().status, 401);
  EXPECT_TRUE(missing.error().headers.get("WWW-Authenticate").starts_with("Bearer"));
  EXPECT_EQ(error_of(missing.error())["type"], "invalid_request_error");
  EXPECT_TRUE(error_of(missing.error())["code"].is_null());
  for (const std::string& wrong : {"Bearer " + secret + "x", std::string("Bearer none"), "Basic " + secret, secret,
                                   std::string("Bearer "), "Bearer " + secret.substr(0, kKeyHintLength)}) {
    const auto refused = chat(wrong);
    ASSERT_FALSE(refused) << wrong;
    EXPECT_EQ(refused.error().status, 401);
    EXPECT_EQ(error_of(refused.error())["code"], "invalid_api_key");
    EXPECT_EQ(refused.error().body.find(secret.substr(kKeyHintLength)), std::string::npos) << "no secret is repeated";
  }
  HttpRequest twice = with("Bearer " + secret);
  twice.headers.add("Authorization", "Bearer none");
  EXPECT_FALSE(guard_->identify(twice, Needs::of(KeyScope::kChat))) << "which of them?";
  for (const std::string& right : {"Bearer " + secret, "bearer  " + secret + " "})
    EXPECT_EQ(chat(right).value().user.str(), "ana") << right;
}

TEST_F(GuardTest, AKeyDoesWhatItsScopesSay) {
  const std::string secret = create("reader", {KeyScope::kRead});
  const HttpRequest request = with("Bearer " + secret);
  EXPECT_TRUE(guard_->identify(request, Needs::of(KeyScope::kRead)));
  EXPECT_TRUE(guard_->identify(request, Needs::a_key()));
  const auto refused = guard_->identify(request, Needs::of(KeyScope::kWrite));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, 403);
  EXPECT_EQ(error_of(refused.error())["code"], "missing_scope");
  EXPECT_NE(error_of(refused.error())["message"].get<std::string>().find("write"), std::string::npos);
}

TEST_F(GuardTest, WhatIsOpenAnswersStrangersAsStrangers) {
  const std::string secret = create("laptop");
  EXPECT_FALSE(guard_->identify(with("Bearer none"), Needs::nothing()).value().is_known());
  EXPECT_EQ(guard_->identify(with("Bearer " + secret), Needs::nothing()).value().user.str(), "ana");
  EXPECT_FALSE(Caller{}.may(KeyScope::kChat));
}

TEST_F(GuardTest, TheLimitIsToldInOpenAIsHeadersAndKept) {
  const Caller caller = chat("Bearer " + create("laptop", {KeyScope::kChat}, 2, 100)).value();
  const auto first = guard_->count(caller);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->get("x-ratelimit-limit-requests"), "2");
  EXPECT_EQ(first->get("x-ratelimit-remaining-requests"), "1");
  EXPECT_EQ(first->get("x-ratelimit-remaining-tokens"), "100");
  EXPECT_FALSE(first->get("x-ratelimit-reset-requests").empty());
  EXPECT_TRUE(guard_->count(caller));
  const auto refused = guard_->count(caller);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, 429);
  EXPECT_EQ(error_of(refused.error())["type"], "requests");
  EXPECT_EQ(error_of(refused.error())["code"], "rate_limit_exceeded");
  EXPECT_EQ(refused.error().headers.get("x-ratelimit-remaining-requests"), "0");
  const int wait = std::stoi(std::string(refused.error().headers.get("Retry-After")));
  clock_.advance(std::chrono::seconds(wait));
  EXPECT_TRUE(guard_->count(caller)) << "after so many seconds it is admitted";

  const Caller speaker = chat("Bearer " + create("speaker", {KeyScope::kChat}, 0, 100)).value();
  EXPECT_TRUE(guard_->count(speaker));
  guard_->count_tokens(speaker, 100);
  const auto of_tokens = guard_->count(speaker);
  ASSERT_FALSE(of_tokens);
  EXPECT_EQ(error_of(of_tokens.error())["type"], "tokens");
}

}  // namespace
}  // namespace pandora
