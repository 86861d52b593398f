// Which models the configured servers have.
//
// Each server is asked for its list at most every kModelListAge, in between its last one counts; a model that the
// settings name counts as its server's without asking. Thread-safe. `all` and `find` may block on servers, `find_known`
// does not.
#pragma once
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "models/model_settings.h"

namespace pandora {

inline constexpr Duration kModelListAge = std::chrono::seconds(30);
inline constexpr Duration kModelListPatience = std::chrono::seconds(5);

struct ServedModel {
  std::string name;
  std::string server;                  // the base of its API
  ModelRole role = ModelRole::kVoice;  // a role that reaches it
};

class ModelDirectory {
 public:
  ModelDirectory(const ModelSettings& settings, HttpClient& client, const Clock& clock);

  // Of every server that answers, in the servers' order; a name that several have stands once.
  std::vector<ServedModel> all(const Deadline& deadline);
  // kNotFound: no server has it. kUnavailable: nor has it one that answers, and another did not.
  Result<ServedModel> find(const std::string& name, const Deadline& deadline);
  // From what is known by now.
  std::optional<ServedModel> find_known(const std::string& name);
  // Does the server answer? The bases of their APIs are `servers`, without those that sleep: those are not asked, and
  // have the models that the settings name.
  Status ask(const std::string& server, const Deadline& deadline);
  std::vector<std::string> servers() const;

 private:
  struct Server {
    ModelServerSettings settings;
    ModelRole role = ModelRole::kVoice;
    std::vector<std::string> configured, listed;
    std::optional<SteadyTime> asked_at;
    std::optional<Error> failure;  // of the last time
  };
  void refresh(const Deadline& deadline);
  Status ask_one(std::size_t place, const Deadline& deadline);
  HttpClient& client_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::vector<Server> servers_;
};

}  // namespace pandora
