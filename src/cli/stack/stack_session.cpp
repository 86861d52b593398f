#include "cli/stack/stack_session.h"

#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/posix_process_runner.h"

namespace pandora {
namespace {

constexpr Duration kLookTime = std::chrono::seconds(60);  // Compose 1.29 is a Python program on a busy machine

std::optional<std::string> environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value ? std::optional<std::string>(value) : std::nullopt;
}

std::optional<FileFacts> facts_of(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return std::nullopt;
  return FileFacts{.mode = info.st_mode & 07777u, .user = info.st_uid};
}

// Wherever the Docker command looks for its plugins, and the two commands themselves. A path that is not there is one
// as well: tomorrow it may be.
std::string compose_programs() {
  const std::string own = environment("DOCKER_CONFIG").value_or(environment("HOME").value_or("") + "/.docker");
  std::vector<std::string> paths = {own + "/cli-plugins/docker-compose", own + "/config.json"};
  for (const char* folder : {"/usr/local/lib", "/usr/local/libexec", "/usr/lib", "/usr/libexec"})
    paths.push_back(fmt::format("{}/docker/cli-plugins/docker-compose", folder));
  std::string path = environment("PATH").value_or("") + ":";
  for (auto end = path.find(':'); end != std::string::npos; end = path.find(':')) {
    for (const char* program : {"docker", "docker-compose"}) paths.push_back(join_path(path.substr(0, end), program));
    path.erase(0, end + 1);
  }
  std::string text;
  for (const auto& one : paths) {
    struct stat info{};
    if (::stat(one.c_str(), &info) == 0)
      text +=
          fmt::format("{} {} {} {}.{}\n", one, info.st_ino, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
  }
  return text;
}

}  // namespace

Result<std::unique_ptr<StackSession>> StackSession::open(const std::string& directory,
                                                         const std::vector<std::string>& profiles) {
  std::unique_ptr<StackSession> session(new StackSession);
  session->files_ = make_posix_file_system();
  session->runner_ = make_posix_process_runner();
  std::error_code code;
  const std::string absolute =
      std::filesystem::weakly_canonical(std::filesystem::absolute(directory, code), code).string();
  PANDORA_TRY(folder, read_stack_folder(*session->files_, absolute, environment, {profiles.begin(), profiles.end()}));
  session->folder_ = std::move(folder);
  session->threads_ = std::make_unique<IoThreads>(session->clock_);
  PANDORA_TRY(http, HttpClient::create({}, *session->threads_));
  session->http_ = std::move(http);
  return session;
}

Result<std::unique_ptr<FileLock>> hold_instance(FileSystem& files, const std::string& state_directory,
                                                const std::string& name, const std::string& command) {
  PANDORA_CHECK(files.create_directories(state_directory));
  auto lock =
      files.lock(join_path(state_directory, "lock"), fmt::format("`pandora {}`, process {}", command, ::getpid()));
  if (!lock && lock.error().code == ErrorCode::kConflict)
    return fail(ErrorCode::kConflict, fmt::format("another command works on {}: {}", name, lock.error().message),
                "wait until it has ended, or end it with Ctrl-C");
  return lock;
}

Status StackSession::hold(const std::string& command) {
  PANDORA_TRY(lock, hold_instance(*files_, folder_.state_directory(), folder_.name, command));
  lock_ = std::move(lock);
  return {};
}

Result<DockerEngine*> StackSession::engine() {
  if (!engine_) {
    PANDORA_TRY(socket, docker_socket(folder_.docker_host));
    auto engine = DockerEngine::open(socket, *threads_);
    if (!engine)
      return fail(Error(engine.error()).with_remedy("`pandora doctor` looks at what is wrong with Docker here"));
    engine_ = *std::move(engine);
  }
  return engine_.get();
}

Result<StackSight> StackSession::look() {
  PANDORA_TRY(engine, this->engine());
  auto sight = observe({.files = *files_,
                        .runner = *runner_,
                        .engine = *engine,
                        .clock = clock_,
                        .environment = environment,
                        .facts = facts_of,
                        .compose_programs = compose_programs()},
                       folder_, Deadline::after(clock_, kLookTime));
  if (!sight && sight.error().remedy.empty())
    return fail(Error(sight.error()).with_remedy("`pandora doctor` looks at Docker, `pandora lint` at the files"));
  return sight;
}

std::unique_ptr<HealthProbe> StackSession::probe_of(const std::string& service) {
  const StackService* known = find_stack_service(service);
  if (!known || folder_.port_of(*known) == 0) return nullptr;
  StoreAddress address{.port = folder_.port_of(*known)};
  // Without its password it is asked all the same: what it answers then says what is wrong.
  if (!known->secret.empty())
    if (auto secret = read_secret(*files_, folder_, std::string(known->secret))) address.secret = *std::move(secret);
  return make_store_probe(*known, std::move(address), *http_);
}

}  // namespace pandora
