// A folder of a bucket on a real server, which the suites share; nobody has used it before.
#pragma once
#include "contract/expect.h"
#include "net/io_threads.h"
#include "s3/s3_bucket.h"
#include "support/s3_process.h"

namespace pandora {

class S3Place {
 public:
  S3Place() {
    static int count = 0;
    prefix_ = "test" + std::to_string(++count) + "/";
  }
  static testing::S3Process& server() {
    static testing::S3Process one;
    return one;
  }
  const std::string& prefix() const { return prefix_; }
  std::unique_ptr<S3Bucket> bucket() {
    S3Options options;
    options.endpoint = server().url();
    options.bucket = testing::S3Process::kBucket;
    options.credentials = {testing::S3Process::kAccessKey, testing::S3Process::kSecretKey, ""};
    return must(S3Bucket::create(options, *client_, clock_));
  }

 private:
  const SystemClock clock_;
  IoThreads threads_{clock_};
  std::unique_ptr<HttpClient> client_ = must(HttpClient::create({}, threads_));
  std::string prefix_;
};

}  // namespace pandora
