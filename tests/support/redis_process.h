// A real Redis for tests, in a folder of its own, on a port of 127.0.0.1. It ends with the test.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

namespace pandora::testing {

struct RedisProcessOptions {
  std::vector<std::string> settings;  // "maxmemory 2mb"
  std::string tls_files;              // a folder with ca.pem, server.pem and server.key: it speaks TLS alone
};

class RedisProcess {
 public:
  explicit RedisProcess(RedisProcessOptions options = {});  // throws std::runtime_error with the server's log
  ~RedisProcess();
  RedisProcess(const RedisProcess&) = delete;
  RedisProcess& operator=(const RedisProcess&) = delete;

  std::uint16_t port() const { return port_; }
  std::string url() const { return "redis://127.0.0.1:" + std::to_string(port_); }
  // What it answers to one command, as redis-cli writes it; not over TLS.
  std::string ask(const std::vector<std::string>& command) const;

  void start();           // empty, unless its settings save
  void stop(int signal);  // SIGKILL: a crash
  void pause();           // it hangs
  void resume();

 private:
  RedisProcessOptions options_;
  std::string folder_;
  std::uint16_t port_ = 0;
  pid_t process_ = 0;
};

}  // namespace pandora::testing
