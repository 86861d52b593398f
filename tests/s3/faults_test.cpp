// Servers that have no time, stop in the middle, say nothing, or something else.
#include <gmock/gmock.h>

#include "s3_case.h"
#include "support/raw_tcp.h"

namespace pandora {
namespace {

using ::testing::HasSubstr;
using testing::RawConnection;
using testing::RawServer;

std::string answer(const std::string& status, const std::string& body) {
  return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\nETag: \"t\"\r\n\r\n" + body;
}
std::string fault(const std::string& code) {
  return "<?xml version=\"1.0\"?><Error><Code>" + code + "</Code><Message>Because.</Message></Error>";
}

// Says each of these to one request, the last one to all others.
class Scripted {
 public:
  explicit Scripted(std::vector<std::string> answers) : answers_(std::move(answers)) {}
  std::string url() const { return server_.url(); }
  int asked() const { return asked_; }

 private:
  const std::vector<std::string> answers_;
  std::atomic<int> asked_ = 0;
  RawServer server_{[this](RawConnection& connection, int) {
    while (!connection.receive_response().empty()) {
      const auto which = static_cast<std::size_t>(asked_++);
      const std::string& said = answers_[std::min(which, answers_.size() - 1)];
      connection.send(said);
      if (said.find("cut here") != std::string::npos) return;
    }
  }};
};

class S3FaultsTest : public testing::S3Case {
 protected:
  Status put(const Scripted& server) {
    return bucket(server.url())->put("k", "bytes", "a/b", S3When::kNew, kNever).map([](auto&&) {});
  }
  ErrorCode refused(const std::string& status, const std::string& code) {
    const Scripted server({answer(status, fault(code))});
    const Status said = put(server);
    EXPECT_FALSE(said);
    EXPECT_THAT(said.error().message, HasSubstr(code));
    return said ? ErrorCode::kInternal : said.error().code;
  }
};

TEST_F(S3FaultsTest, AServerThatTakesConditionsAndDoesNotKeepThemIsFoundOut) {
  const std::string taken = answer("200 OK", ""),
                    refused = answer("412 Precondition Failed", fault("PreconditionFailed"));
  const auto said = [&](const std::vector<std::string>& answers) {
    const Scripted server(answers);
    return bucket(server.url())->check_conditions("k", kNever);
  };
  const Status of_new = said({taken});
  EXPECT_FAILS(kIncompatible, of_new);
  EXPECT_THAT(of_new.error().message, HasSubstr("If-None-Match"));
  const Status of_tag = said({taken, refused, taken, taken, answer("204 No Content", "")});
  EXPECT_FAILS(kIncompatible, of_tag);
  EXPECT_THAT(of_tag.error().message, HasSubstr("If-Match"));
  must(said({taken, refused, taken, refused, answer("204 No Content", "")}));
}

TEST_F(S3FaultsTest, WhoIsAskedToSlowDownAsksAgainAFewTimes) {
  const std::string slow = answer("503 Slow Down", fault("SlowDown"));
  const Scripted once({slow, answer("500 Oops", fault("InternalError")), answer("200 OK", "")});
  must(put(once));
  EXPECT_EQ(once.asked(), 3);
  const Scripted always({slow});
  EXPECT_FAILS(kResourceExhausted, put(always));
  EXPECT_EQ(always.asked(), kS3Attempts);
}

TEST_F(S3FaultsTest, NoMoreIsAskedThanTheDeadlineAllows) {
  const Scripted always({answer("503 Slow Down", fault("SlowDown"))});
  S3Options patient = options(always.url());
  patient.pause = std::chrono::hours(1);
  EXPECT_FAILS(kResourceExhausted, bucket(patient)->check("", Deadline::after(clock_, std::chrono::seconds(20))));
  EXPECT_EQ(always.asked(), 1);
}

TEST_F(S3FaultsTest, ABodyThatEndsTooSoonIsAnErrorAndNoObject) {
  const Scripted server({"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut here"});
  EXPECT_FAILS(kUnavailable, bucket(server.url())->get("k", kNever));
  const Scripted better({"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut here", answer("200 OK", "whole")});
  EXPECT_EQ(must(bucket(better.url())->get("k", kNever)).bytes, "whole");
}

TEST_F(S3FaultsTest, AServerThatSaysNothingIsLeft) {
  RawServer mute([](RawConnection& connection, int) { connection.receive_all(); });
  S3Options hasty = options(mute.url());
  hasty.timeouts.first_byte = std::chrono::milliseconds(100);
  EXPECT_FAILS(kDeadlineExceeded, bucket(hasty)->get("k", kNever));
  const auto gone = bucket("http://127.0.0.1:" + std::to_string(testing::free_port()))->check("", kNever);
  EXPECT_FAILS(kUnavailable, gone);
  EXPECT_THAT(gone.error().remedy, HasSubstr("S3_ENDPOINT"));
}

TEST_F(S3FaultsTest, WhatARefusalMeans) {
  EXPECT_EQ(refused("403 Forbidden", "SignatureDoesNotMatch"), ErrorCode::kUnauthenticated);
  EXPECT_EQ(refused("403 Forbidden", "RequestTimeTooSkewed"), ErrorCode::kUnavailable);
  EXPECT_EQ(refused("403 Forbidden", "AccessDenied"), ErrorCode::kPermissionDenied);
  EXPECT_EQ(refused("400 Bad Request", "ExpiredToken"), ErrorCode::kUnauthenticated);
  EXPECT_EQ(refused("404 Not Found", "NoSuchBucket"), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused("409 Conflict", "ConditionalRequestConflict"), ErrorCode::kUnavailable);
  EXPECT_EQ(refused("412 Precondition Failed", "PreconditionFailed"), ErrorCode::kConflict);
  EXPECT_EQ(refused("400 Bad Request", "EntityTooLarge"), ErrorCode::kTooLarge);
  EXPECT_EQ(refused("507 Insufficient Storage", "XMinioStorageFull"), ErrorCode::kStorageFull);
  EXPECT_EQ(refused("403 Forbidden", "QuotaExceeded"), ErrorCode::kStorageFull);
  EXPECT_EQ(refused("501 Not Implemented", "NotImplemented"), ErrorCode::kIncompatible);
  EXPECT_EQ(refused("301 Moved Permanently", "PermanentRedirect"), ErrorCode::kInvalidArgument);
}

TEST_F(S3FaultsTest, WhatIsNoAnswerOfItsApiIsNotTakenForOne) {
  for (const std::string body :
       {"", "<html></html>", "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>", "{}", "<a>",
        "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>"}) {
    const Scripted server({answer("200 OK", body)});
    EXPECT_FAILS(kUnavailable, bucket(server.url())->list({}, kNever)) << body;
  }
  const Scripted empty({answer("200 OK", "<ListBucketResult/>")});
  EXPECT_TRUE(must(bucket(empty.url())->list({}, kNever)).objects.empty());
  const Scripted strange({answer("418 I'm a teapot", "\x1b[31m")});
  EXPECT_FAILS(kUnavailable, put(strange));
}

TEST_F(S3FaultsTest, PartsThatCannotBePutTogetherAreNoObject) {
  const std::string begun =
      answer("200 OK", "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>");
  const std::string none = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
  const Scripted server({none, begun, answer("200 OK", ""), answer("200 OK", ""),
                         answer("200 OK", fault("InternalError")), answer("204 No Content", "")});
  const std::string longer(kS3PartBytes + 1, 'x');
  EXPECT_FAILS(kUnavailable, bucket(server.url())->put("k", longer, "a/b", S3When::kAlways, kNever));
  EXPECT_EQ(server.asked(), 6) << "the parts were not given up";
}

// The answer is cut off, and the server has forgotten the upload that it has finished.
TEST_F(S3FaultsTest, PartsThatWerePutTogetherUnheardAreAnObject) {
  const std::string longer(kS3PartBytes + 1, 'x');
  const std::string begun =
      answer("200 OK", "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>");
  const std::string none = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
  const auto there = [](std::size_t size) {
    return "HTTP/1.1 200 OK\r\nETag: \"new\"\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n";
  };
  const std::vector<std::string> sent = {begun, answer("200 OK", ""), answer("200 OK", ""),
                                         answer("404 Not Found", fault("NoSuchUpload"))};
  const auto with = [&](std::vector<std::string> before, const std::string& after) {
    before.insert(before.end(), sent.begin(), sent.end());
    before.push_back(after);
    before.push_back(answer("204 No Content", ""));
    return before;
  };
  const Scripted whole(with({none}, there(longer.size()))), other(with({none}, there(longer.size() - 1))),
      gone(with({none}, none));
  EXPECT_EQ(must(bucket(whole.url())->put("k", longer, "a/b", S3When::kNew, kNever)), "\"new\"");
  EXPECT_FAILS(kUnavailable, bucket(other.url())->put("k", longer, "a/b", S3When::kNew, kNever));
  EXPECT_FAILS(kUnavailable, bucket(gone.url())->put("k", longer, "a/b", S3When::kNew, kNever));
  const Scripted replaced(with({}, there(longer.size()))), as_before(with({}, there(longer.size())));
  EXPECT_EQ(must(bucket(replaced.url())->replace("k", longer, "a/b", "\"old\"", kNever)), "\"new\"");
  EXPECT_FAILS(kUnavailable, bucket(as_before.url())->replace("k", longer, "a/b", "\"new\"", kNever));
  // Whatever is there: it must be another than before, and of this size.
  const std::string former = "HTTP/1.1 200 OK\r\nETag: \"old\"\r\nContent-Length: 3\r\n\r\n";
  const Scripted first(with({none}, there(longer.size()))), over(with({former}, there(longer.size()))),
      another(with({former}, there(longer.size() - 1))), same(with({there(longer.size())}, there(longer.size())));
  EXPECT_EQ(must(bucket(first.url())->put("k", longer, "a/b", S3When::kAlways, kNever)), "\"new\"");
  EXPECT_EQ(must(bucket(over.url())->put("k", longer, "a/b", S3When::kAlways, kNever)), "\"new\"");
  EXPECT_FAILS(kUnavailable, bucket(another.url())->put("k", longer, "a/b", S3When::kAlways, kNever));
  EXPECT_FAILS(kUnavailable, bucket(same.url())->put("k", longer, "a/b", S3When::kAlways, kNever));
}

TEST_F(S3FaultsTest, SettingsThatCannotBeAreRefused) {
  const auto made = [&](auto change) {
    S3Options given = options("http://127.0.0.1:7070");
    change(given);
    return S3Bucket::create(given, *client_, clock_);
  };
  must(made([](S3Options&) {}));
  must(made([](S3Options& given) { given.bucket = "abc"; }));
  must(made([](S3Options& given) { given.bucket = std::string(63, 'b'); }));
  EXPECT_FAILS(kInvalidArgument, made([](S3Options& given) { given.bucket = "ab"; }));
  EXPECT_FAILS(kInvalidArgument, made([](S3Options& given) { given.bucket = std::string(64, 'b'); }));
  EXPECT_FAILS(kInvalidArgument, made([](S3Options& given) { given.bucket = "a/b"; }));
  EXPECT_FAILS(kInvalidArgument, made([](S3Options& given) { given.endpoint = ""; }));
  EXPECT_FAILS(kInvalidArgument, made([](S3Options& given) { given.endpoint = "http://h/path"; }));
  EXPECT_FAILS(kInvalidArgument, made([](S3Options& given) { given.region = "us east"; }));
  EXPECT_FAILS(kInvalidArgument, made([](S3Options& given) { given.credentials.secret_key = ""; }));
  const auto here = bucket("http://127.0.0.1:1");
  EXPECT_FAILS(kTooLarge, here->put("k", std::string(kMaxS3Bytes + 1, 'x'), "a/b", S3When::kAlways, kNever));
  EXPECT_FAILS(kInvalidArgument, here->put(std::string(1'025, 'k'), "v", "a/b", S3When::kAlways, kNever));
}

}  // namespace
}  // namespace pandora
