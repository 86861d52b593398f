#include "stack/docker_engine.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "compose/compose_model.h"

namespace pandora {
namespace {

constexpr std::uint64_t kMaxAnswer = 32u << 20;
constexpr std::size_t kMaxMessage = 300;
constexpr Duration kPatience = std::chrono::minutes(30);

ErrorCode code_of(int status) {
  switch (status) {
    case 400:
      return ErrorCode::kInvalidArgument;
    case 403:
      return ErrorCode::kPermissionDenied;
    case 404:
      return ErrorCode::kNotFound;
    case 409:
      return ErrorCode::kConflict;
    default:
      return ErrorCode::kUnavailable;
  }
}

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
                      .image_id = text_in(value, "ImageID"),
                      .state = text_in(value, "State"),
                      .project = text_in(labels, "com.docker.compose.project"),
                      .service = text_in(labels, "com.docker.compose.service"),
                      .config_hash = text_in(labels, "com.docker.compose.config-hash"),
                      .ports = {},
                      .volumes = {}};
  for (const auto& mount : member(value, "Mounts"))
    if (text_in(mount, "Type") == "volume") container.volumes.push_back(text_in(mount, "Name"));
  for (const auto& port : member(value, "Ports"))
    container.ports.push_back({.address = text_in(port, "IP"),
                               .published = number_in(port, "PublicPort"),
                               .target = number_in(port, "PrivatePort"),
                               .protocol = text_in(port, "Type")});
  return container;
}

// "0001-01-01T00:00:00Z" is the Engine's "never".
Timestamp time_in(const Json& value, const std::string& name) {
  const auto time = parse_iso8601(text_in(value, name));
  return time && time->micros > 0 ? *time : Timestamp{};
}

std::uint64_t count_in(const Json& value, const std::string& name) {
  const Json& found = member(value, name);
  return found.is_number_integer() && found.get<std::int64_t>() > 0 ? found.get<std::uint64_t>() : 0;
}

std::string checked_in(const Json& health) {
  const Json& log = member(health, "Log");
  if (!log.is_array()) return "";
  for (auto entry = log.rbegin(); entry != log.rend(); ++entry)
    if (number_in(*entry, "ExitCode") != 0) return one_line(ellipsize(trim(text_in(*entry, "Output")), kMaxMessage));
  return "";
}

}  // namespace

std::string stream_of_log(std::string_view framed, int stream) {
  constexpr std::size_t kHead = 8, kLengthAt = 4;
  std::string text;
  while (framed.size() > kHead) {
    const bool wanted = stream == kBothStreams || framed[0] == static_cast<char>(stream);
    std::size_t length = 0;
    for (std::size_t i = kLengthAt; i < kHead; ++i) length = length << 8 | static_cast<unsigned char>(framed[i]);
    framed.remove_prefix(kHead);
    if (wanted) text += framed.substr(0, length);
    framed.remove_prefix(std::min(length, framed.size()));
  }
  return text;
}

std::vector<std::string> lines_of_log(std::string_view framed) {
  const std::string text = stream_of_log(framed, kBothStreams);
  std::vector<std::string> lines;
  for (std::string_view rest = text; !rest.empty();) {
    const auto end = rest.find('\n');
    lines.push_back(one_line(ellipsize(sanitize_utf8(rest.substr(0, end)), kMaxLogLine)));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  return lines;
}

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

Result<std::string> DockerEngine::call(const std::string& method, const std::string& path, const Json& body,
                                       const Deadline& deadline) {
  HttpCallRequest request{.method = method, .url = "http://docker" + path, .headers = {}, .body = {}, .options = {}};
  request.options.max_body_bytes = kMaxAnswer;
  request.options.timeouts.first_byte = request.options.timeouts.idle = kPatience;  // of a stop; the deadline holds
  if (!body.is_null()) {
    request.headers.add("Content-Type", "application/json");
    request.body = dump_json(body);
  }
  auto response = client_->fetch(std::move(request), deadline);
  if (!response) return fail(std::move(response).error().with_context("the Docker Engine"));
  constexpr int kGood = 200, kEnd = 300, kAlready = 304;
  if ((response->status >= kGood && response->status < kEnd) || response->status == kAlready)
    return std::move(response->body);
  const Json said = Json::parse(response->body, nullptr, false);
  return fail(code_of(response->status),
              fmt::format("the Docker Engine answers {} to {}: {}", response->status, path.substr(0, path.find('?')),
                          one_line(ellipsize(text_in(said, "message"), kMaxMessage))));
}

Result<Json> DockerEngine::get(const std::string& path, const Deadline& deadline) {
  PANDORA_TRY(body, call("GET", path, nullptr, deadline));
  return parse_json(body, kMaxAnswer, "the Docker Engine's answer");
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

Result<ContainerState> DockerEngine::state(const std::string& container, const Deadline& deadline) {
  PANDORA_TRY(answer, get(fmt::format("/containers/{}/json", container), deadline));
  const Json& state = member(answer, "State");
  const Json& health = member(state, "Health");
  return ContainerState{.state = text_in(state, "Status"),
                        .health = text_in(health, "Status") == "none" ? "" : text_in(health, "Status"),
                        .checked = checked_in(health),
                        .error = one_line(ellipsize(text_in(state, "Error"), kMaxMessage)),
                        .exit_code = number_in(state, "ExitCode"),
                        .pid = number_in(state, "Pid"),
                        .out_of_memory = member(state, "OOMKilled") == true,
                        .restarts = number_in(answer, "RestartCount"),
                        .started = time_in(state, "StartedAt"),
                        .ended = time_in(state, "FinishedAt")};
}

Result<std::vector<std::string>> DockerEngine::last_lines(const std::string& container, int count,
                                                          const Deadline& deadline) {
  PANDORA_TRY(framed, call("GET", fmt::format("/containers/{}/logs?stdout=1&stderr=1&tail={}", container, count),
                           nullptr, deadline));
  auto lines = lines_of_log(framed);
  if (lines.size() > static_cast<std::size_t>(count)) lines.erase(lines.begin(), lines.end() - count);
  return lines;
}

Result<std::string> DockerEngine::image_id(const std::string& image, const Deadline& deadline) {
  PANDORA_TRY(answer, get(fmt::format("/images/{}/json", image), deadline));
  return text_in(answer, "Id");
}

Result<std::string> DockerEngine::data_directory(const Deadline& deadline) {
  PANDORA_TRY(answer, get("/info", deadline));
  return text_in(answer, "DockerRootDir");
}

Result<std::vector<Volume>> DockerEngine::volumes(const Deadline& deadline) {
  PANDORA_TRY(answer, get("/volumes", deadline));
  std::vector<Volume> found;
  for (const auto& value : member(answer, "Volumes")) {
    const Json& labels = member(value, "Labels");
    found.push_back({.name = text_in(value, "Name"),
                     .project = text_in(labels, "com.docker.compose.project"),
                     .instance = text_in(labels, "pandora.instance")});
  }
  return found;
}

Result<std::map<std::string, std::uint64_t>> DockerEngine::volume_sizes(const Deadline& deadline) {
  PANDORA_TRY(answer, get("/system/df?type=volume", deadline));
  std::map<std::string, std::uint64_t> found;
  for (const auto& value : member(answer, "Volumes"))
    found[text_in(value, "Name")] = count_in(member(value, "UsageData"), "Size");
  return found;
}

}  // namespace pandora
