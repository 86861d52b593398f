// What a bucket on a real server does.
#include <csignal>

#include <gmock/gmock.h>

#include "s3_case.h"
#include "support/tcp_gate.h"

namespace pandora {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::S3Process;

class S3BucketTest : public testing::S3Case {
 protected:
  void SetUp() override {
    if (testing::found_s3_server().empty()) GTEST_SKIP() << "no S3 server: run tests/images/fetch_programs";
  }
};

TEST_F(S3BucketTest, WhatIsPutIsThereWithItsType) {
  S3Process server;
  const auto here = bucket(server.url());
  must(here->check("", kNever));
  const std::string bytes("a\0\xff\r\n", 5), key = "a b/ü+$&=/c~d.txt";
  const std::string tag = must(here->put(key, bytes, "text/plain; charset=utf-8", S3When::kAlways, kNever));
  server.stop(SIGKILL);
  server.start();
  const S3Object object = must(here->get(key, kNever));
  EXPECT_EQ(object.bytes, bytes);
  EXPECT_EQ(object.media_type, "text/plain; charset=utf-8");
  EXPECT_EQ(object.tag, tag);
  const S3Head head = must(here->head(key, kNever));
  EXPECT_EQ(head.size, bytes.size());
  EXPECT_EQ(head.tag, tag);
  must(here->remove(key, kNever));
  must(here->remove(key, kNever));
  EXPECT_FAILS(kNotFound, here->get(key, kNever));
  EXPECT_FAILS(kNotFound, here->head(key, kNever));
}

TEST_F(S3BucketTest, OnConditionsAnObjectIsMadeOrReplaced) {
  const S3Process server;
  const auto here = bucket(server.url());
  const std::string first = must(here->put("k", "1", "a/b", S3When::kNew, kNever));
  EXPECT_FAILS(kConflict, here->put("k", "2", "a/b", S3When::kNew, kNever));
  EXPECT_EQ(must(here->get("k", kNever)).bytes, "1");
  const std::string second = must(here->replace("k", "2", "a/b", first, kNever));
  EXPECT_NE(first, second);
  EXPECT_FAILS(kConflict, here->replace("k", "3", "a/b", first, kNever));
  EXPECT_EQ(must(here->get("k", kNever)).bytes, "2");
}

TEST_F(S3BucketTest, WhetherConditionsAreKeptIsFoundOutAndNothingStays) {
  const S3Process server;
  const auto here = bucket(server.url());
  must(here->check_conditions("checks/one", kNever));
  must(here->check_conditions("checks/one", kNever));
  EXPECT_FAILS(kNotFound, here->head("checks/one", kNever));
}

TEST_F(S3BucketTest, ALongObjectIsSentInPartsAndConditionsHoldForItToo) {
  const S3Process server;
  const auto here = bucket(server.url());
  const std::string whole(kS3PartBytes, 'w'), longer(2 * kS3PartBytes + 1, 'l');
  must(here->put("whole", whole, "a/b", S3When::kNew, kNever));
  must(here->put("longer", longer, "a/b", S3When::kNew, kNever));
  EXPECT_EQ(must(here->head("longer", kNever)).size, longer.size());
  EXPECT_EQ(must(here->head("longer", kNever)).media_type, "a/b");
  EXPECT_TRUE(must(here->get("longer", kNever)).bytes == longer);
  EXPECT_FAILS(kConflict, here->put("longer", longer, "a/b", S3When::kNew, kNever));
  testing::TcpGate gate(server.port());
  S3Options once = options("http://127.0.0.1:" + std::to_string(gate.port()));
  const auto cut = bucket(once);
  gate.cut_after(static_cast<std::int64_t>(kS3PartBytes + kS3PartBytes / 2));
  const auto stored = cut->put("cut", longer, "a/b", S3When::kNew, kNever);
  EXPECT_TRUE(stored || stored.error().code == ErrorCode::kUnavailable);
  EXPECT_EQ(here->head("cut", kNever).has_value(), stored.has_value()) << "all of it, or nothing";
}

TEST_F(S3BucketTest, AServerThatIsReadAFewBytesAtATimeIsHeardOutAndLeftWhenTheDeadlineHasPassed) {
  const S3Process server;
  testing::TcpGate gate(server.port());
  const auto straight = bucket(server.url()), slow = bucket("http://127.0.0.1:" + std::to_string(gate.port()));
  const std::string large(4'000'000, 'l');
  must(straight->put("large", large, "a/b", S3When::kNew, kNever));
  gate.trickle(256);
  must(slow->put("small", "s", "a/b", S3When::kNew, kNever));
  EXPECT_EQ(must(slow->get("small", kNever)).bytes, "s");
  const auto soon = [&] { return Deadline::after(clock_, std::chrono::milliseconds(300)); };
  EXPECT_FAILS(kDeadlineExceeded, slow->get("large", soon()));
  EXPECT_FAILS(kDeadlineExceeded, slow->put("put", large, "a/b", S3When::kNew, soon()));
  gate.cut();
  gate.trickle(0);
  EXPECT_FALSE(straight->head("put", kNever)) << "a part of it is no object";
  EXPECT_TRUE(must(slow->get("large", kNever)).bytes == large);
}

TEST_F(S3BucketTest, KeysAreListedInPagesAndFolders) {
  const S3Process server;
  const auto here = bucket(server.url());
  for (const std::string key : {"a/1", "a/2", "a/b/3", "c & <d>", "e"})
    must(here->put(key, key, "a/b", S3When::kAlways, kNever));
  const auto keys = [](const S3Page& page) {
    std::vector<std::string> all;
    for (const auto& object : page.objects) all.push_back(object.key);
    return all;
  };
  S3Page page = must(here->list({.limit = 2}, kNever));
  EXPECT_THAT(keys(page), ElementsAre("a/1", "a/2"));
  page = must(here->list({.next = page.next, .limit = 2}, kNever));
  EXPECT_THAT(keys(page), ElementsAre("a/b/3", "c & <d>"));
  page = must(here->list({.next = page.next, .limit = 2}, kNever));
  EXPECT_THAT(keys(page), ElementsAre("e"));
  EXPECT_EQ(page.next, "");
  EXPECT_THAT(keys(must(here->list({.prefix = "a/", .after = "a/1"}, kNever))), ElementsAre("a/2", "a/b/3"));
  const S3Page folder = must(here->list({.prefix = "a/", .delimiter = "/"}, kNever));
  EXPECT_THAT(keys(folder), ElementsAre("a/1", "a/2"));
  EXPECT_THAT(folder.folders, ElementsAre("a/b/"));
}

TEST_F(S3BucketTest, TheBucketMayBeInTheHostsName) {
  const S3Process server({.arguments = {"--virtual-domain", "s3.test"}, .on_a_socket = true});
  client_ = must(HttpClient::create({.limits = {}, .ca_file = "", .unix_socket = server.socket()}, threads_));
  S3Options of_host = options("http://s3.test");
  of_host.style = S3Style::kVirtual;
  const auto here = bucket(of_host);
  must(here->put("a/k", "v", "a/b", S3When::kNew, kNever));
  EXPECT_EQ(must(here->get("a/k", kNever)).bytes, "v");
  EXPECT_EQ(must(here->list({}, kNever)).objects.size(), 1u);
}

TEST_F(S3BucketTest, WhoMayNotIsToldWhy) {
  const S3Process server, closed({.arguments = {"--readonly"}});
  S3Options wrong = options(server.url());
  wrong.credentials.secret_key = "hidden";
  auto refused = bucket(wrong)->check("", kNever);
  EXPECT_FAILS(kUnauthenticated, refused);
  EXPECT_THAT(refused.error().remedy, HasSubstr("AWS_SECRET_ACCESS_KEY"));
  EXPECT_THAT(refused.error().to_line(), Not(HasSubstr("hidden")));
  wrong.credentials = {"nobody", S3Process::kSecretKey, ""};
  EXPECT_FAILS(kUnauthenticated, bucket(wrong)->check("", kNever));
  wrong = options(server.url());
  wrong.bucket = "another";
  refused = bucket(wrong)->check("", kNever);
  EXPECT_FAILS(kInvalidArgument, refused);
  EXPECT_THAT(refused.error().remedy, HasSubstr("S3_BUCKET"));
  wrong = options(server.url());
  wrong.region = "eu-central-1";
  EXPECT_FAILS(kInvalidArgument, bucket(wrong)->check("", kNever));
  EXPECT_FAILS(kPermissionDenied, bucket(closed.url())->put("k", "v", "a/b", S3When::kAlways, kNever));
}

TEST_F(S3BucketTest, AClockThatIsWrongIsNamed) {
  const S3Process server;
  const ManualClock wrong;
  const auto here = must(S3Bucket::create(options(server.url()), *client_, wrong));
  const Status refused = here->check("", kNever);
  EXPECT_FAILS(kUnavailable, refused);
  EXPECT_THAT(refused.error().remedy, HasSubstr("clock"));
}

}  // namespace
}  // namespace pandora
