#include "stack/docker_engine.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "stack/compose_model.h"

namespace pandora {
namespace {

constexpr std::uint64_t kMaxAnswer = 32u << 20;
constexpr std::size_t kMaxMessage = 300;

std::string first_name(const Json& names) {
  const std::string name =
      names.is_array() && !names.empty() && names[0].is_string() ? names[0].get<std::string>() : "";
  return name.starts_with('/') ? name.substr(1) : name;
}

int number_in(const Json& value, const std::string& name) {
  const Json& found = member(value, name);
  return found.is_number_integer() ? found.get<int>() : 0;
}

Container container_of(const Json& value) {
  const Json& labels = member(value, "Labels");
  Container container{.id = text_in(value, "Id"),
                      .name = first_name(member(value, "Names")),
                      .image = text_in(value, "Image"),
                      .state = text_in(value, "State"),
                      .project = text_in(labels, "com.docker.compose.project"),
                      .service = text_in(labels, "com.docker.compose.service"),
                      .ports = {}};
  for (const auto& port : member(value, "Ports"))
    container.ports.push_back({.address = text_in(port, "IP"),
                               .published = number_in(port, "PublicPort"),
                               .target = number_in(port, "PrivatePort"),
                               .protocol = text_in(port, "Type")});
  return container;
}

}  // namespace

Result<std::string> docker_socket(const std::string& docker_host) {
  constexpr std::string_view kScheme = "unix://";
  if (docker_host.empty()) return std::string(kUsualDockerSocket);
  if (docker_host.starts_with(kScheme)) return docker_host.substr(kScheme.size());
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("DOCKER_HOST is {}: only an Engine of this machine is spoken to", docker_host),
              "unset DOCKER_HOST, or set it to unix:///var/run/docker.sock");
}

Result<std::unique_ptr<DockerEngine>> DockerEngine::open(const std::string& socket, IoThreads& threads) {
  struct stat info{};
  if (::stat(socket.c_str(), &info) != 0) {
    const bool hidden = errno == EACCES;
    return fail(hidden ? ErrorCode::kPermissionDenied : ErrorCode::kNotFound,
                fmt::format("no Docker Engine at {}: {}", socket, std::strerror(errno)));
  }
  if (!S_ISSOCK(info.st_mode)) return fail(ErrorCode::kNotFound, fmt::format("{} is no socket", socket));
  if (::access(socket.c_str(), R_OK | W_OK) != 0)
    return fail(ErrorCode::kPermissionDenied,
                fmt::format("this user may not speak to the Docker Engine at {}", socket));
  PANDORA_TRY(client, HttpClient::create({.limits = {}, .ca_file = {}, .unix_socket = socket}, threads));
  return std::make_unique<DockerEngine>(std::move(client));
}

Result<Json> DockerEngine::get(const std::string& path, const Deadline& deadline) {
  HttpCallRequest request{.method = "GET", .url = "http://docker" + path, .headers = {}, .body = {}, .options = {}};
  request.options.max_body_bytes = kMaxAnswer;
  auto response = client_->fetch(std::move(request), deadline);
  if (!response) return fail(std::move(response).error().with_context("the Docker Engine"));
  constexpr int kGood = 200;
  if (response->status != kGood) {
    const Json said = Json::parse(response->body, nullptr, false);
    return fail(ErrorCode::kUnavailable, fmt::format("the Docker Engine answers {} to {}: {}", response->status, path,
                                                     one_line(ellipsize(text_in(said, "message"), kMaxMessage))));
  }
  return parse_json(response->body, kMaxAnswer, "the Docker Engine's answer");
}

Result<EngineVersion> DockerEngine::version(const Deadline& deadline) {
  PANDORA_TRY(answer, get("/version", deadline));
  const EngineVersion version{.version = text_in(answer, "Version"), .api = text_in(answer, "ApiVersion")};
  int major = 0, minor = 0;
  if (std::sscanf(version.api.c_str(), "%d.%d", &major, &minor) != 2)
    return fail(ErrorCode::kUnavailable, "what listens there is no Docker Engine: it names no version of its API");
  if (major == 1 && minor < kOldestApiMinor)
    return fail(ErrorCode::kIncompatible,
                fmt::format("Docker {} is too old: its API is {}", version.version, version.api),
                fmt::format("install Docker 19.03 (API 1.{}) or newer", kOldestApiMinor));
  return version;
}

Result<std::vector<Container>> DockerEngine::containers(const Deadline& deadline) {
  PANDORA_TRY(answer, get("/containers/json?all=1", deadline));
  if (!answer.is_array()) return fail(ErrorCode::kUnavailable, "the Docker Engine's answer is no list of containers");
  std::vector<Container> found;
  for (const auto& value : answer) found.push_back(container_of(value));
  return found;
}

}  // namespace pandora
