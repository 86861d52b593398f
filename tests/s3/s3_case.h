#pragma once
#include <gtest/gtest.h>

#include "contract/expect.h"
#include "net/io_threads.h"
#include "s3/s3_bucket.h"
#include "support/s3_process.h"

namespace pandora::testing {

class S3Case : public ::testing::Test {
 protected:
  static S3Options options(const std::string& endpoint) {
    S3Options made;
    made.endpoint = endpoint;
    made.bucket = S3Process::kBucket;
    made.credentials = {S3Process::kAccessKey, S3Process::kSecretKey, ""};
    made.pause = std::chrono::milliseconds(1);
    return made;
  }
  std::unique_ptr<S3Bucket> bucket(S3Options made) { return must(S3Bucket::create(std::move(made), *client_, clock_)); }
  std::unique_ptr<S3Bucket> bucket(const std::string& endpoint) { return bucket(options(endpoint)); }

  const SystemClock clock_;
  IoThreads threads_{clock_};
  std::unique_ptr<HttpClient> client_ = must(HttpClient::create({}, threads_));
};

}  // namespace pandora::testing
