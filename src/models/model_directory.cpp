#include "models/model_directory.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "models/openai_chat_model.h"

namespace pandora {

ModelDirectory::ModelDirectory(const ModelSettings& settings, HttpClient& client, const Clock& clock)
    : client_(client), clock_(clock) {
  for (const ModelRole role :
       {ModelRole::kVoice, ModelRole::kMind, ModelRole::kEyes, ModelRole::kReflex, ModelRole::kNerves})
    for (const auto& one : settings.of(role).servers) {
      auto found = std::ranges::find(servers_, one.url, [](const Server& server) { return server.settings.url; });
      if (found == servers_.end()) found = servers_.insert(servers_.end(), Server{one, role, {}, {}, {}, {}});
      if (!one.model.empty()) found->configured.push_back(one.model);
    }
}

std::vector<std::string> ModelDirectory::servers() const {
  std::vector<std::string> urls;
  for (const auto& server : servers_)  // fixed once they are made
    if (!server.settings.sleeps) urls.push_back(server.settings.url);
  return urls;
}

Status ModelDirectory::ask_one(std::size_t place, const Deadline& deadline) {
  auto names = list_models(client_, servers_[place].settings, clock_, deadline.at_most(clock_, kModelListPatience));
  const std::lock_guard lock(mutex_);
  Server& server = servers_[place];
  server.asked_at = clock_.steady();
  if (!names) {
    server.failure = names.error();
    return fail(std::move(names).error());
  }
  server.failure.reset();
  server.listed = *std::move(names);
  return {};
}

void ModelDirectory::refresh(const Deadline& deadline) {
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    {
      const std::lock_guard lock(mutex_);
      if (servers_[i].settings.sleeps) continue;
      if (servers_[i].asked_at && clock_.steady() - *servers_[i].asked_at < kModelListAge) continue;
    }
    (void)ask_one(i, deadline);  // its failure is kept beside it
  }
}

Status ModelDirectory::ask(const std::string& server, const Deadline& deadline) {
  for (std::size_t i = 0; i < servers_.size(); ++i)
    if (servers_[i].settings.url == server) return ask_one(i, deadline);
  return fail(ErrorCode::kNotFound, server + " is no server of these");
}

std::vector<ServedModel> ModelDirectory::all(const Deadline& deadline) {
  refresh(deadline);
  const std::lock_guard lock(mutex_);
  std::vector<ServedModel> models;
  std::set<std::string> seen;
  for (const auto& server : servers_)
    for (const auto* names : {&server.configured, &server.listed})
      for (const auto& name : *names)
        if (seen.insert(name).second) models.push_back({name, server.settings.url, server.role});
  return models;
}

std::optional<ServedModel> ModelDirectory::find_known(const std::string& name) {
  const std::lock_guard lock(mutex_);
  for (const auto& server : servers_)
    for (const auto* names : {&server.configured, &server.listed})
      if (std::ranges::find(*names, name) != names->end()) return ServedModel{name, server.settings.url, server.role};
  return std::nullopt;
}

Result<ServedModel> ModelDirectory::find(const std::string& name, const Deadline& deadline) {
  if (const auto known = find_known(name)) return *known;
  refresh(deadline);
  if (const auto known = find_known(name)) return *known;
  const std::lock_guard lock(mutex_);
  for (const auto& server : servers_)
    if (server.failure)
      return fail(ErrorCode::kUnavailable,
                  fmt::format("whether there is a model \"{}\" is not known: {}", name, server.failure->to_line()));
  return fail(ErrorCode::kNotFound, fmt::format("there is no model \"{}\"", name),
              "GET /v1/models lists those there are");
}

}  // namespace pandora
