#include "support/s3_process.h"

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

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

std::string found_s3_server() {
  std::vector<std::string> places;
  if (const char* given = std::getenv("PANDORA_S3_SERVER")) places.emplace_back(given);
  const std::string of_cache = "/images/programs/versitygw";
  if (const char* cache = std::getenv("PANDORA_CACHE")) places.push_back(cache + of_cache);
  if (const char* cache = std::getenv("XDG_CACHE_HOME")) places.push_back(cache + ("/pandora" + of_cache));
  if (const char* home = std::getenv("HOME")) places.push_back(home + ("/.cache/pandora" + of_cache));
  for (const auto& place : places)
    if (fs::exists(place)) return place;
  return "";
}

S3Process::S3Process(S3ProcessOptions options) : options_(std::move(options)) {
  std::string path = (fs::temp_directory_path() / "pandora-s3-XXXXXX").string();
  if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("mkdtemp");
  folder_ = path;
  fs::create_directories(folder_ + "/data/" + kBucket);
  port_ = free_port();
  start();
}

S3Process::~S3Process() {
  if (process_ > 0) stop(SIGKILL);
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

void S3Process::start() {
  const std::string program = found_s3_server(), log = folder_ + "/log";
  if (program.empty()) throw std::runtime_error("no S3 server: run tests/images/fetch_programs");
  const std::string address = options_.on_a_socket ? socket() : "127.0.0.1:" + std::to_string(port_);
  std::vector<std::string> command = {"versitygw", "--access", kAccessKey, "--secret", kSecretKey, "--port", address};
  command.insert(command.end(), options_.arguments.begin(), options_.arguments.end());
  command.insert(command.end(), {"posix", folder_ + "/data"});
  std::vector<char*> words;
  for (auto& word : command) words.push_back(word.data());
  words.push_back(nullptr);
  fs::remove(socket());
  process_ = ::fork();
  if (process_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int out = ::open(log.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0600);
    ::dup2(out, 1);
    ::dup2(out, 2);
    ::execv(program.c_str(), words.data());
    ::_exit(127);
  }
  const auto listens = [&] { return options_.on_a_socket ? fs::exists(socket()) : connect_raw(port_) != nullptr; };
  if (!eventually(listens)) throw std::runtime_error("the S3 server did not start: " + text_of(log));
}

void S3Process::stop(int signal) {
  ::kill(process_, signal);
  ::waitpid(process_, nullptr, 0);
  process_ = 0;
}

}  // namespace pandora::testing
