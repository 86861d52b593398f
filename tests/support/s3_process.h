// A real S3 server for tests (versitygw), in a folder of its own, on a port of 127.0.0.1. It ends with the test.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

namespace pandora::testing {

// Of PANDORA_S3_SERVER (a variable), or of the cache that tests/images/fetch_programs fills. Empty: there is none.
std::string found_s3_server();

struct S3ProcessOptions {
  std::vector<std::string> arguments;  // "--readonly"
  bool on_a_socket = false;            // a Unix socket instead of a port
};

class S3Process {
 public:
  static constexpr const char* kAccessKey = "pandora";
  static constexpr const char* kSecretKey = "very secret";
  static constexpr const char* kBucket = "pandora";  // it is there

  explicit S3Process(S3ProcessOptions options = {});  // throws std::runtime_error with the server's log
  ~S3Process();
  S3Process(const S3Process&) = delete;
  S3Process& operator=(const S3Process&) = delete;

  std::uint16_t port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::string socket() const { return folder_ + "/socket"; }
  std::string file_of(const std::string& key) const { return folder_ + "/data/" + kBucket + "/" + key; }

  void start();
  void stop(int signal);  // SIGKILL: a crash; what it had acknowledged is there afterwards

 private:
  const S3ProcessOptions options_;
  std::string folder_;
  std::uint16_t port_ = 0;
  pid_t process_ = 0;
};

}  // namespace pandora::testing
