// The Docker Engine's own API, over its Unix socket. What it answers is JSON; nothing that is meant for people is read.
//
// Thread-safe. Errors: kNotFound (no socket there, no such container), kPermissionDenied (this user may not speak to
// it), kUnavailable (nobody listens, or no Engine answers), kDeadlineExceeded, kIncompatible (an Engine older than
// kOldestApiMinor).
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "net/http_client.h"
#include "wire/json_reader.h"

namespace pandora {

inline constexpr std::string_view kUsualDockerSocket = "/var/run/docker.sock";
inline constexpr int kOldestApiMinor = 40;  // of version 1: Docker 19.03
inline constexpr std::size_t kMaxLogLine = 1000;

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
  std::string image_id;
  std::string state;    // "created", "running", "paused", "restarting", "removing", "exited", "dead"
  std::string project;  // of Compose; empty: none
  std::string service;
  std::string config_hash;  // what Compose made it from
  std::vector<ContainerPort> ports;
  std::vector<std::string> volumes;  // by name
};
// What only a look at one container says.
struct ContainerState {
  std::string state;    // as above
  std::string health;   // "starting", "healthy", "unhealthy"; empty: it has no check
  std::string checked;  // what its last check that failed printed
  std::string error;    // why it could not be started
  int exit_code = 0;
  int pid = 0;  // of its main process, on this machine; 0: it does not run
  bool out_of_memory = false;
  int restarts = 0;          // by its restart policy, since it was made
  Timestamp started, ended;  // 0: never
};
struct Volume {
  std::string name;
  std::string project;   // of Compose; empty: none
  std::string instance;  // its label pandora.instance; empty: none
};

class DockerEngine {
 public:
  // `threads` outlives it. Whether anybody may be reached there is looked at once, now.
  static Result<std::unique_ptr<DockerEngine>> open(const std::string& socket, IoThreads& threads);
  explicit DockerEngine(std::unique_ptr<HttpClient> client) : client_(std::move(client)) {}

  Result<EngineVersion> version(const Deadline& deadline);
  Result<std::vector<Container>> containers(const Deadline& deadline);  // all, also those that have ended
  Result<ContainerState> state(const std::string& container, const Deadline& deadline);
  // The end of what it has written, oldest first; a line longer than kMaxLogLine is cut.
  Result<std::vector<std::string>> last_lines(const std::string& container, int count, const Deadline& deadline);
  Result<std::string> image_id(const std::string& image, const Deadline& deadline);  // kNotFound: it is not here
  Result<std::string> data_directory(const Deadline& deadline);  // where images, containers and volumes are
  Result<std::vector<Volume>> volumes(const Deadline& deadline);
  // By name. The Engine walks through all of them: seconds where they are large.
  Result<std::map<std::string, std::uint64_t>> volume_sizes(const Deadline& deadline);

  // Any call of the API, with a body unless that is null: what it answers, as it is. What the Engine refuses is
  // kInvalidArgument, kNotFound or kConflict, with its reason.
  Result<std::string> call(const std::string& method, const std::string& path, const Json& body,
                           const Deadline& deadline);
  // Likewise, of what is asked for as JSON.
  Result<Json> get(const std::string& path, const Deadline& deadline);

 private:
  std::unique_ptr<HttpClient> client_;
};

inline constexpr int kBothStreams = 0;
// One stream (1: standard output, 2: standard error), or both, of what a container without a terminal wrote, as the
// Engine frames it: stream, three zeros, length, bytes. A frame that is cut ends it. Pure.
std::string stream_of_log(std::string_view framed, int stream);

// The lines of both, as they came; a line longer than kMaxLogLine is cut. Pure.
std::vector<std::string> lines_of_log(std::string_view framed);

// The path in DOCKER_HOST=unix://…, or the usual one. kInvalidArgument: an Engine that is reached otherwise.
Result<std::string> docker_socket(const std::string& docker_host);

}  // namespace pandora
