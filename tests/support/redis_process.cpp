#include "support/redis_process.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/raw_tcp.h"

namespace pandora::testing {
namespace {

namespace fs = std::filesystem;

// Debian's redis-tools, whose installation starts nothing, has the server under another name: which it is, it sees by
// what it is called.
constexpr const char* kPrograms[] = {"/usr/bin/redis-server", "/usr/local/bin/redis-server",
                                     "/usr/bin/redis-check-rdb"};

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

RedisProcess::RedisProcess(RedisProcessOptions options) : options_(std::move(options)) {
  std::string path = (fs::temp_directory_path() / "pandora-redis-XXXXXX").string();
  if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("mkdtemp");
  folder_ = path;
  port_ = free_port();
  start();
}

RedisProcess::~RedisProcess() {
  if (process_ > 0) stop(SIGKILL);
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

void RedisProcess::start() {
  const char* program = nullptr;
  for (const char* one : kPrograms)
    if (!program && fs::exists(one)) program = one;
  if (!program) throw std::runtime_error("no Redis: run scripts/bootstrap --tests");
  std::ofstream settings(folder_ + "/redis.conf");
  settings << "bind 127.0.0.1\ndir " << folder_ << "\nsave \"\"\n";
  if (options_.tls_files.empty())
    settings << "port " << port_ << "\n";
  else
    settings << "port 0\ntls-port " << port_ << "\ntls-auth-clients no\ntls-ca-cert-file " << options_.tls_files
             << "/ca.pem\ntls-cert-file " << options_.tls_files << "/server.pem\ntls-key-file " << options_.tls_files
             << "/server.key\n";
  for (const auto& setting : options_.settings) settings << setting << "\n";
  settings.close();
  const std::string log = folder_ + "/log", file = folder_ + "/redis.conf";
  process_ = ::fork();
  if (process_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int out = ::open(log.c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
    ::dup2(out, 1);
    ::dup2(out, 2);
    ::execl(program, "redis-server", file.c_str(), nullptr);
    ::_exit(127);
  }
  if (!eventually([&] { return text_of(log).find("Ready to accept connections") != std::string::npos; }))
    throw std::runtime_error("Redis did not start: " + text_of(log));
  fs::rename(log, log + ".before");
}

void RedisProcess::stop(int signal) {
  resume();
  ::kill(process_, signal);
  ::waitpid(process_, nullptr, 0);
  process_ = 0;
}
void RedisProcess::pause() { ::kill(process_, SIGSTOP); }
void RedisProcess::resume() { ::kill(process_, SIGCONT); }

std::string RedisProcess::ask(const std::vector<std::string>& command) const {
  std::string line = "redis-cli -h 127.0.0.1 -p " + std::to_string(port_);
  for (const auto& word : command) line += " '" + word + "'";
  const std::string file = folder_ + "/said";
  const int code = std::system((line + " > " + file + " 2>&1").c_str());
  if (code != 0) throw std::runtime_error(line + ": " + text_of(file));
  std::string said = text_of(file);
  while (said.ends_with('\n')) said.pop_back();
  return said;
}

}  // namespace pandora::testing
