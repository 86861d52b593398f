// The Docker Engine's own API, over its Unix socket. What it answers is JSON; nothing that is meant for people is read.
//
// Thread-safe. Errors: kNotFound (no socket there), kPermissionDenied (this user may not speak to it), kUnavailable
// (nobody listens, or no Engine answers), kDeadlineExceeded, kIncompatible (an Engine older than kOldestApiMinor).
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "net/http_client.h"
#include "wire/json_reader.h"

namespace pandora {

inline constexpr std::string_view kUsualDockerSocket = "/var/run/docker.sock";
inline constexpr int kOldestApiMinor = 40;  // of version 1: Docker 19.03

struct EngineVersion {
  std::string version;  // "20.10.24"
  std::string api;      // "1.41"
};
struct ContainerPort {
  std::string address;  // empty: published nowhere
  int published = 0, target = 0;
  std::string protocol;
};
struct Container {
  std::string id, name, image;
  std::string state;    // "running", "restarting", "exited"
  std::string project;  // of Compose; empty: none
  std::string service;
  std::vector<ContainerPort> ports;
};

class DockerEngine {
 public:
  // `threads` outlives it. Whether anybody may be reached there is looked at once, now.
  static Result<std::unique_ptr<DockerEngine>> open(const std::string& socket, IoThreads& threads);
  explicit DockerEngine(std::unique_ptr<HttpClient> client) : client_(std::move(client)) {}

  Result<EngineVersion> version(const Deadline& deadline);
  Result<std::vector<Container>> containers(const Deadline& deadline);  // all, also those that have ended

 private:
  Result<Json> get(const std::string& path, const Deadline& deadline);
  std::unique_ptr<HttpClient> client_;
};

// The path in DOCKER_HOST=unix://…, or the usual one. kInvalidArgument: an Engine that is reached otherwise.
Result<std::string> docker_socket(const std::string& docker_host);

}  // namespace pandora
