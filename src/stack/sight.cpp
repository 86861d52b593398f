#include "stack/sight.h"

#include <algorithm>
#include <charconv>
#include <future>

#include <fmt/format.h>

#include "compose/compose_model.h"
#include "stack/compose_answers.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxComposeFile = 1u << 20;
constexpr double kDefaultInterval = 30, kDefaultRetries = 3;  // of Docker

std::optional<unsigned> number_of(std::string_view text) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::vector<PublishedPort> ports_of(const Json& service, const std::string& name, const StackFolder& folder) {
  std::vector<PublishedPort> ports;
  for (const auto& port : member(service, "ports"))
    if (const auto number = number_of(text_in(port, "published")); number && *number > 0 && *number <= UINT16_MAX)
      ports.push_back({text_in(port, "host_ip"), static_cast<std::uint16_t>(*number)});
  const StackService* known = find_stack_service(name);
  if (known && text_in(service, "network_mode") == "host" && folder.port_of(*known) != 0)
    ports.push_back({"127.0.0.1", folder.port_of(*known)});
  return ports;
}

Duration patience_of(const Json& service) {
  const Json& check = member(service, "healthcheck");
  const Json& retries = member(check, "retries");
  const double count =
      retries.is_number() ? retries.get<double>() : number_of(text_in(check, "retries")).value_or(kDefaultRetries);
  const double seconds = duration_seconds(member(check, "start_period")).value_or(0) +
                         count * (duration_seconds(member(check, "interval")).value_or(kDefaultInterval) +
                                  duration_seconds(member(check, "timeout")).value_or(0));
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

Result<std::vector<SourceFile>> read_files(const Observer& observer, const StackFolder& folder) {
  std::vector<SourceFile> sources;
  for (const auto& path : folder.files) {
    PANDORA_TRY(text, observer.files.read_file(path, kMaxComposeFile));
    sources.push_back({path, std::move(text)});
  }
  return sources;
}

Status look_at_container(DockerEngine& engine, const StackFolder& folder, const std::vector<Container>& containers,
                         ServiceSight& service, const Deadline& deadline) {
  if (auto id = engine.image_id(service.image, deadline))
    service.image_id = *std::move(id);
  else if (id.error().code != ErrorCode::kNotFound)
    return fail(id.error());
  const auto found = std::ranges::find_if(containers, [&](const Container& container) {
    return container.project == folder.name && container.service == service.name;
  });
  if (found == containers.end()) return {};
  auto state = engine.state(found->id, deadline);
  if (!state && state.error().code == ErrorCode::kNotFound) return {};  // it has just been removed
  if (!state) return fail(state.error());
  service.container = *found;
  service.state = *std::move(state);
  return {};
}

}  // namespace

std::string ServiceSight::major_version() const {
  const std::string_view reference = std::string_view(image).substr(0, image.find('@'));  // without a digest
  const auto colon = reference.rfind(':');
  if (colon == std::string_view::npos) return "";
  const auto tag = reference.substr(colon + 1);
  if (tag.find('/') != std::string_view::npos) return "";  // the port of a registry
  return std::string(tag.substr(0, tag.find_first_not_of("0123456789")));
}

const ServiceSight* StackSight::find(std::string_view service) const {
  const auto found = std::ranges::find(services, service, &ServiceSight::name);
  return found == services.end() ? nullptr : &*found;
}

std::vector<ServiceSight> services_of(const ComposeModel& model, const StackFolder& folder,
                                      const std::function<std::optional<FileFacts>(const std::string&)>& facts) {
  std::vector<ServiceSight> services;
  const Json& all = member(model.value, "services");
  if (!all.is_object()) return services;
  for (const auto& [name, service] : all.items()) {
    ServiceSight sight{.name = name,
                       .image = text_in(service, "image"),
                       .is_built = !member(service, "build").is_null(),
                       .ports = ports_of(service, name, folder),
                       .patience = patience_of(service)};
    const Json& profiles = member(service, "profiles");
    sight.is_wanted =
        !profiles.is_array() || profiles.empty() || std::ranges::any_of(profiles, [&](const Json& profile) {
          return profile.is_string() && folder.asks_for(profile.get<std::string>());
        });
    const std::string user = text_in(service, "user");
    sight.user = number_of(std::string_view(user).substr(0, user.find(':')));
    for (const auto& volume : member(service, "volumes")) {
      if (text_in(volume, "type") != "volume") continue;
      const std::string source = text_in(volume, "source");
      const std::string real = text_in(member(member(model.value, "volumes"), source), "name");
      if (!source.empty()) sight.volumes.push_back(real.empty() ? folder.name + "_" + source : real);
    }
    for (const auto& secret : member(service, "secrets")) {
      const std::string source = text_in(secret, "source");
      const std::string file = text_in(member(member(model.value, "secrets"), source), "file");
      if (!file.empty()) sight.secrets.push_back({.name = source, .file = file, .facts = facts(file)});
    }
    services.push_back(std::move(sight));
  }
  return services;
}

Result<StackSight> observe(const Observer& observer, const StackFolder& folder, const Deadline& deadline) {
  PANDORA_TRY(sources, read_files(observer, folder));
  PANDORA_TRY(model, read_compose(sources, [&](const std::string& name) -> std::optional<std::string> {
                if (const auto found = folder.variables.find(name); found != folder.variables.end())
                  return found->second;
                return observer.environment(name);
              }));
  PANDORA_TRY(env, observer.files.read_file(join_path(folder.directory, ".env"), kMaxEnvBytes));
  // Of every profile: a container whose profile is not asked for today is there all the same.
  ComposeFiles files = folder.compose_files();
  files.profiles.merge(model.profiles());
  const ComposeQuestion question{files, std::move(sources), std::move(env), observer.compose_programs,
                                 observer.environment};
  auto answered = std::async(std::launch::async, [&] {
    return ask_compose(question, join_path(folder.state_directory(), "compose.json"), observer.files, observer.runner,
                       deadline);
  });
  StackSight sight;
  const auto ask_engine = [&]() -> Status {
    PANDORA_TRY(version, observer.engine.version(deadline));
    PANDORA_TRY(containers, observer.engine.containers(deadline));
    PANDORA_TRY(volumes, observer.engine.volumes(deadline));
    sight.engine = std::move(version);
    sight.containers = std::move(containers);
    sight.volumes = std::move(volumes);
    return {};
  };
  const Status asked = ask_engine();
  auto compose = answered.get();
  PANDORA_CHECK(asked);
  if (!compose) return fail(compose.error());
  sight.compose = std::move(compose->program);
  sight.compose_files = std::move(files);
  PANDORA_CHECK(take_composes_model(model, std::move(compose->model)));
  sight.services = services_of(model, folder, observer.facts);
  for (auto& service : sight.services) {
    service.hash = compose->hashes[service.name];
    if (service.image.empty())  // as Compose names one that it builds
      service.image = fmt::format("{}{}{}", folder.name, sight.compose.is_version_two() ? "-" : "_", service.name);
    PANDORA_CHECK(look_at_container(observer.engine, folder, sight.containers, service, deadline));
  }
  sight.listeners = listeners();
  return sight;
}

}  // namespace pandora
