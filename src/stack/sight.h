// What is there when a command about the stack begins: the first of observe → plan → apply.
//
// Compose says what is wanted, the Engine what is there, the kernel who listens. Nothing is changed.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "compose/compose_program.h"
#include "compose/lint.h"
#include "net/listeners.h"
#include "ports/process_runner.h"
#include "stack/docker_engine.h"
#include "stack/stack_folder.h"

namespace pandora {

struct SecretSight {
  std::string name, file;
  std::optional<FileFacts> facts;  // none: it is not there, or not for us to look at
};
struct PublishedPort {
  std::string address;  // empty: all of this machine
  std::uint16_t port = 0;
  bool operator==(const PublishedPort&) const = default;
};
struct ServiceSight {
  std::string name, image;
  bool is_wanted = false;            // its profile is asked for
  bool is_built = false;             // Compose builds its image: it cannot be pulled
  std::string hash;                  // what Compose would make it from
  std::string image_id;              // empty: the image is not on this machine
  std::optional<unsigned> user;      // none: as its image says
  std::vector<PublishedPort> ports;  // on this machine
  std::vector<std::string> volumes;  // by their real names
  std::vector<SecretSight> secrets;
  Duration patience{};  // until its own health check would give it up
  std::optional<Container> container;
  ContainerState state;               // of the container
  std::string major_version() const;  // of its image: "16" of "postgres:16.14-bookworm"; empty: its tag is no number
};
struct StackSight {
  ComposeProgram compose;
  ComposeFiles compose_files;  // with every profile that there is
  EngineVersion engine;
  std::vector<ServiceSight> services;  // of every profile, by name
  std::vector<Container> containers;   // of the whole machine
  std::vector<Volume> volumes;         // likewise
  std::vector<Listener> listeners;     // likewise

  const ServiceSight* find(std::string_view service) const;
};

struct Observer {
  FileSystem& files;
  ProcessRunner& runner;
  DockerEngine& engine;
  const Clock& clock;
  Environment environment;
  std::function<std::optional<FileFacts>(const std::string& path)> facts;
  std::string compose_programs;  // each that there may be, with its size and time
};
// kInvalidArgument: Compose refuses the files; what the Engine's client and find_compose return.
Result<StackSight> observe(const Observer& observer, const StackFolder& folder, const Deadline& deadline);

// The services of a merged model, with everything but what the Engine knows. Pure but for `facts`.
std::vector<ServiceSight> services_of(const ComposeModel& model, const StackFolder& folder,
                                      const std::function<std::optional<FileFacts>(const std::string&)>& facts);

}  // namespace pandora
