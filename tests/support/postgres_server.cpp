#include "support/postgres_server.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/raw_tcp.h"

namespace pandora::testing {
namespace {

namespace fs = std::filesystem;

const passwd* server_user() {
  if (::geteuid() != 0) return nullptr;
  for (const char* name : {"postgres", "nobody"})
    if (const passwd* user = ::getpwnam(name)) return user;
  throw std::runtime_error("a PostgreSQL does not run as root, and there is no other user");
}

// The server and what it forked: whoever has this process as its parent, or is it.
std::vector<pid_t> family_of(pid_t server) {
  std::vector<pid_t> family{server};
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::ifstream stat(entry.path() / "stat");
    std::ostringstream copy;
    copy << stat.rdbuf();  // a process that ends meanwhile is no error here
    const std::string text = copy.str();
    const std::size_t after = text.rfind(')');
    if (after == std::string::npos) continue;
    if (std::atoi(text.c_str() + after + 4) == server) family.push_back(std::stoi(name));
  }
  return family;
}

}  // namespace

std::string found_postgres(int version) {
  const std::string number = std::to_string(version);
  std::vector<std::string> places;
  if (const char* given = std::getenv(("PANDORA_POSTGRES_" + number).c_str())) places.emplace_back(given);
  places.push_back("/usr/lib/postgresql/" + number + "/bin");
  places.push_back("/opt/pandora-postgres-" + number + "/bin");  // of root, whose home the server's user cannot see
  if (const char* home = std::getenv("HOME"))
    places.push_back(std::string(home) + "/.cache/pandora/postgres-" + number + "/bin");
  for (const auto& place : places)
    if (fs::exists(fs::path(place) / "initdb") && fs::exists(fs::path(place) / "postgres")) return place;
  return "";
}

PostgresServer::PostgresServer(PostgresServerOptions options) : options_(std::move(options)) {
  if (options_.programs.empty()) options_.programs = found_postgres(15);
  if (options_.programs.empty()) throw std::runtime_error("no PostgreSQL 15: run scripts/bootstrap --tests");
  std::string path = (fs::temp_directory_path() / "pandora-pg-XXXXXX").string();
  if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("mkdtemp");
  folder_ = path;
  if (const passwd* user = server_user())
    if (::chown(folder_.c_str(), user->pw_uid, user->pw_gid) != 0) throw std::runtime_error("chown");
  std::vector<std::string> init = {options_.programs + "/initdb",
                                   "--pgdata",
                                   folder_ + "/data",
                                   "--username",
                                   "owner",
                                   "--auth",
                                   "trust",
                                   "--no-sync",
                                   "--encoding",
                                   "UTF8",
                                   "--no-locale"};
  run_as_server(init, true);
  if (!options_.password.empty()) {
    std::ofstream rules(folder_ + "/data/pg_hba.conf");
    rules << "local all owner trust\nlocal all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n";
  }
  if (!options_.preload.empty())
    fs::copy_file(options_.preload, folder_ + "/preload.so");  // where its user can read it
  port_ = free_port();
  start();
  sql("postgres",
      "CREATE ROLE pandora LOGIN" + (options_.password.empty() ? "" : " PASSWORD '" + options_.password + "'"));
  create_database("pandora");
}

PostgresServer::~PostgresServer() {
  if (process_ > 0) {
    resume();
    stop(SIGQUIT);
  }
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

std::string PostgresServer::url(const std::string& database) const {
  return "postgresql://pandora" + (options_.password.empty() ? "" : ":" + options_.password) + "@/" + database +
         "?host=" + folder_ + "&port=" + std::to_string(port_);
}
std::string PostgresServer::tcp_url(const std::string& database) const {
  return "postgresql://pandora" + (options_.password.empty() ? "" : ":" + options_.password) +
         "@127.0.0.1:" + std::to_string(port_) + "/" + database;
}

void PostgresServer::run_as_server(const std::vector<std::string>& command, bool wait, pid_t* child) {
  const passwd* user = server_user();
  std::vector<char*> words;
  for (const auto& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  const std::string out = folder_ + "/log";
  const pid_t process = ::fork();
  if (process == 0) {
    if (user && (::setgroups(0, nullptr) != 0 || ::setgid(user->pw_gid) != 0 || ::setuid(user->pw_uid) != 0))
      ::_exit(120);
    ::prctl(PR_SET_PDEATHSIG, SIGQUIT);
    ::setpgid(0, 0);
    const int file = ::open(out.c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
    ::dup2(file, 1);
    ::dup2(file, 2);
    if (::chdir("/") != 0) ::_exit(121);
    if (!wait && !options_.preload.empty()) ::setenv("LD_PRELOAD", (folder_ + "/preload.so").c_str(), 1);
    ::execv(words[0], words.data());
    ::_exit(127);
  }
  if (child) *child = process;
  if (!wait) return;
  int status = 0;
  ::waitpid(process, &status, 0);
  if (status != 0) throw std::runtime_error(command[0] + " failed: " + log());
}

std::string PostgresServer::log() const {
  std::ifstream file(folder_ + "/log");
  return {std::istreambuf_iterator<char>(file), {}};
}

void PostgresServer::start() {
  std::vector<std::string> command = {options_.programs + "/postgres", "-D", folder_ + "/data", "-k", folder_, "-p",
                                      std::to_string(port_),           "-h", "127.0.0.1"};
  std::vector<std::string> settings = {"shared_buffers=64MB", "autovacuum_naptime=5s"};
  if (!options_.durable) settings.insert(settings.end(), {"fsync=off", "full_page_writes=off"});
  settings.insert(settings.end(), options_.settings.begin(), options_.settings.end());
  for (const auto& setting : settings) command.insert(command.end(), {"-c", setting});
  run_as_server(command, false, &process_);
  const auto ready = [&] {
    const std::string ask = options_.programs + "/pg_isready";
    const std::string asked =
        (fs::exists(ask) ? ask : std::string("pg_isready")) + " -q -h " + folder_ + " -p " + std::to_string(port_);
    return std::system(asked.c_str()) == 0;  // also while the password is wrong
  };
  // What was ended in the middle is synced file by file before it answers.
  bool is_ready = false;
  for (int tries = 0; tries < 4 && !is_ready; ++tries) is_ready = eventually(ready);
  if (!is_ready) throw std::runtime_error("PostgreSQL did not start: " + log());
}

void PostgresServer::stop(int signal) {
  if (process_ <= 0) return;
  ::kill(process_, signal);
  ::waitpid(process_, nullptr, 0);
  process_ = 0;
}

void PostgresServer::pause() {
  for (const pid_t one : family_of(process_)) ::kill(one, SIGSTOP);
}
void PostgresServer::resume() {
  for (const pid_t one : family_of(process_)) ::kill(one, SIGCONT);
}

void PostgresServer::create_database(const std::string& name, const std::string& from) {
  sql("postgres", "CREATE DATABASE " + name + " OWNER pandora TEMPLATE " + from);
}

void PostgresServer::sql(const std::string& database, const std::string& text) {
  const std::string file = folder_ + "/" + std::to_string(::getpid()) + ".sql";
  std::ofstream(file) << text << ";\n";
  const std::string command = "psql -X -q -v ON_ERROR_STOP=1 -U owner -h " + folder_ + " -p " + std::to_string(port_) +
                              " -d " + database + " -f " + file + " > " + file + ".out 2>&1";
  const int code = std::system(command.c_str());
  std::ifstream out(file + ".out");
  const std::string said{std::istreambuf_iterator<char>(out), {}};
  if (code != 0) throw std::runtime_error("psql: " + said);
}

}  // namespace pandora::testing
