// What `pandora doctor` says of the instance's containers, volumes and passwords, as the Engine has them.
#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "cli/stack/doctor_stack.h"
#include "cli/stack/instance_volumes.h"
#include "compose/compose_model.h"

namespace pandora {
namespace {

constexpr Duration kPatience = std::chrono::seconds(30), kProbePatience = std::chrono::seconds(5);
constexpr int kLastLines = 5, kManyRestarts = 3;
constexpr std::uint64_t kNearlyFull = 20;  // one part in so many

struct Look {
  StackSession& session;
  const StackSight& sight;
  DockerEngine& engine;
  std::vector<CheckResult>& results;
  Deadline deadline() const { return Deadline::after(session.clock(), kPatience); }
  std::string compose() const { return fmt::format("{}", fmt::join(sight.compose.command, " ")); }
};

std::string last_words(const Look& look, const std::string& container) {
  const auto lines = look.engine.last_lines(container, kLastLines, look.deadline());
  if (!lines || lines->empty()) return "it said nothing";
  std::string text;
  for (const auto& line : *lines) text += fmt::format("{}{}", text.empty() ? "" : " | ", trim(line));
  return "its last words: " + text;
}

bool keeps_restarting(const ServiceSight& service) {
  return service.state.state == "restarting" ||
         (service.state.restarts >= kManyRestarts && service.state.health != "healthy");
}

// Its state; true: it runs as it should.
bool check_state(const Look& look, const ServiceSight& service, bool others_run) {
  const Container& container = *service.container;
  const ContainerState& state = service.state;
  if (state.out_of_memory)
    return look.results.push_back(broken("containers",
                                         fmt::format("{} was ended because it wanted more memory than its limit allows "
                                                     "(code {}, {} restarts)",
                                                     service.name, state.exit_code, state.restarts),
                                         "give it the memory that this pandora gives it",
                                         made_anew(look.sight, service.name), ErrorCode::kResourceExhausted)),
           false;
  if (keeps_restarting(service))
    return look.results.push_back(broken(
               "containers",
               fmt::format("{} keeps restarting ({}{} restarts); {}", service.name,
                           state.state == "running" ? "" : fmt::format("code {}, ", state.exit_code), state.restarts,
                           last_words(look, container.id)),
               "solve what it names, or what the other rows here name; when it is its settings, make it anew from "
               "files as this pandora writes them",
               made_anew(look.sight, service.name), ErrorCode::kUnavailable)),
           false;
  if (state.state == "paused")
    return look.results.push_back(broken("containers", fmt::format("{} is paused: it answers nobody", service.name),
                                         "let it go on", "docker unpause " + shell_word(container.name),
                                         ErrorCode::kUnavailable)),
           false;
  if (state.state != "running") {
    if (others_run)
      look.results.push_back(broken(
          "containers",
          fmt::format("{} does not run ({}, code {}{}), although others do; {}", service.name, state.state,
                      state.exit_code, state.error.empty() ? "" : ": " + state.error, last_words(look, container.id)),
          "start it", fmt::format("{} up -d {}", look.compose(), service.name), ErrorCode::kUnavailable));
    return false;
  }
  if (state.health == "unhealthy")
    return look.results.push_back(broken(
               "containers",
               fmt::format("{} runs, but its health check fails: {}; {}", service.name,
                           state.checked.empty() ? "no answer" : state.checked, last_words(look, container.id)),
               "start it again", fmt::format("{} restart {}", look.compose(), service.name), ErrorCode::kUnavailable)),
           false;
  return true;
}

// What its container was made with, which may differ from what the files say now.
void check_making(const Look& look, const ServiceSight& service) {
  const auto inspected = look.engine.get(fmt::format("/containers/{}/json", service.container->id), look.deadline());
  if (!inspected) return;
  const Json& host = member(*inspected, "HostConfig");
  const auto wrong = [&](std::string detail, std::string remedy) {
    look.results.push_back(
        broken("containers", std::move(detail), std::move(remedy), made_anew(look.sight, service.name)));
  };
  if (const std::string policy = text_in(member(host, "RestartPolicy"), "Name"); policy.empty() || policy == "no")
    wrong(fmt::format("{} is not started again after a crash or a reboot (restart policy: no)", service.name),
          "make it anew with a restart policy");
  const Json& log = member(host, "LogConfig");
  if (text_in(log, "Type") == "json-file" && text_in(member(log, "Config"), "max-size").empty())
    wrong(fmt::format("the log of {} grows without a bound, until the disk is full", service.name),
          "make it anew with log rotation");
  for (const auto& [port, bindings] : member(host, "PortBindings").items())
    for (const auto& binding : bindings)
      if (const std::string address = text_in(binding, "HostIp");
          !address.starts_with("127.") && address != "::1" && service.state.state != "running")
        wrong(fmt::format("{} publishes {} on every interface, past any firewall", service.name, port),
              "publish it on 127.0.0.1 only");
}

void check_networks(const Look& look) {
  const auto networks = look.engine.get("/networks", look.deadline());
  if (!networks) return;
  for (const auto& network : *networks)
    if (text_in(member(network, "Labels"), "com.docker.compose.project") == look.session.folder().name &&
        member(network, "Internal") == true)
      look.results.push_back(
          broken("networks",
                 fmt::format("{} is internal: Docker drops the published ports, and the programs of this machine reach "
                             "no store",
                             text_in(network, "Name")),
                 "use an ordinary bridge, with ports on 127.0.0.1",
                 fmt::format("pandora init --yes && {0} down && {0} up -d", look.compose())));
}

// The user as which a service touches its volumes; none: root, or as its image says.
const ServiceSight* user_of_volume(const Look& look, const std::string& volume) {
  for (const auto& service : look.sight.services)
    if (std::ranges::find(service.volumes, volume) != service.volumes.end()) return &service;
  return nullptr;
}

void check_owner(const Look& look, const std::string& volume, const std::string& key, const VolumeContents& inside,
                 const std::string& image) {
  const ServiceSight* service = user_of_volume(look, volume);
  if (!service || !service->user || *service->user == 0 || inside.is_empty) return;
  const unsigned owner = inside.user != *service->user ? inside.user : inside.other_user.value_or(inside.user);
  if (owner == *service->user) return;
  look.results.push_back(
      broken("volumes",
             fmt::format("{} belongs to user {}, but {} runs as user {}: it cannot read its data", volume, owner,
                         service->name, *service->user),
             "give it to that user",
             fmt::format("docker run --rm --network none --user 0:0 --entrypoint chown -v {}:/volumes/{} {} -R {}:{} "
                         "/volumes/{} && {} up -d --force-recreate {}",
                         shell_word(volume), key, shell_word(image), *service->user, *service->user, key,
                         look.compose(), service->name),
             ErrorCode::kPermissionDenied));
}

void check_version(const Look& look, const std::string& volume, const VolumeContents& inside) {
  const ServiceSight* postgres = look.sight.find("postgres");
  const std::string held(trim(inside.postgres));
  if (held.empty() || !postgres || std::ranges::find(postgres->volumes, volume) == postgres->volumes.end()) return;
  if (postgres->major_version() == held) return;
  look.results.push_back(broken(
      "volumes", fmt::format("{} holds the data of PostgreSQL {}, but the image is {}", volume, held, postgres->image),
      fmt::format("dump it with PostgreSQL {0} and restore the dump, or begin anew beside it", held),
      "pandora reset --no-backup", ErrorCode::kIncompatible));
}

void check_contents(const Look& look, const InstanceVolumes& volumes) {
  std::vector<VolumeMount> mounts;
  for (const auto& [key, choice] : volumes.current)
    if (find_volume(volumes.all, choice.name)) mounts.push_back({.volume = choice.name, .key = key});
  if (mounts.empty()) return;
  const auto image = any_image(look.session, look.deadline());
  if (!image) return;  // the row about images says it
  const auto inside = look_into(look.engine, *image, mounts, look.deadline());
  if (!inside)
    return look.results.push_back(
        {CheckState::kWarning, "volumes", "they could not be looked into: " + inside.error().message, ""});
  for (const auto& [key, contents] : *inside) {
    const std::string& name = volumes.current.at(key).name;
    check_owner(look, name, key, contents, *image);
    check_version(look, name, contents);
    if (contents.bytes > 0 && contents.free_bytes < contents.bytes / kNearlyFull)
      look.results.push_back(broken(
          "volumes",
          fmt::format("{} is nearly full: {} of {} are free", name, size_of(static_cast<double>(contents.free_bytes)),
                      size_of(static_cast<double>(contents.bytes))),
          "free some space on its disk, or have its data copied to Docker's own",
          fmt::format("{0} down && pandora volumes move {1} && {0} up -d", look.compose(), name),
          ErrorCode::kStorageFull));
  }
}

void check_marks(const Look& look, const InstanceVolumes& volumes) {
  const StackFolder& folder = look.session.folder();
  for (const auto* volume : volumes.strangers(folder))
    look.results.push_back(broken(
        "volumes",
        volume->instance.empty() ? fmt::format("{} was not made by this instance: it carries no mark", volume->name)
                                 : fmt::format("{} is marked as the volume of instance {}, and this is {}",
                                               volume->name, volume->instance, folder.instance),
        "give this instance a name of its own in another folder; or, if that one is no more, take its volumes over",
        fmt::format("{} down && pandora init --yes --adopt {}", look.compose(),
                    volume->project.empty() ? folder.name : volume->project)));
  for (const auto& [key, choice] : volumes.current)
    if (choice.adopted && !find_volume(volumes.all, choice.name))
      look.results.push_back(broken("volumes",
                                    fmt::format("{}, which was taken over, is not there any more", choice.name),
                                    "restore it; or begin with an empty one",
                                    fmt::format("docker volume create --label {}={} {}", kInstanceLabel,
                                                folder.instance, shell_word(choice.name)),
                                    ErrorCode::kNotFound));
}

bool answers(StackSession& session, const StackService& service, const std::string& password) {
  const auto probe = make_store_probe(
      service, {.port = session.folder().port_of(service), .user = "pandora", .secret = password}, session.http());
  return probe->probe(Deadline::after(session.clock(), kProbePatience)).state == HealthState::kReady;
}

}  // namespace

void examine_containers(StackSession& session, const StackSight& sight, std::vector<CheckResult>& results) {
  const auto engine = session.engine();
  if (!engine) return;
  const Look look{session, sight, **engine, results};
  const std::size_t before = results.size();
  const bool some_run =
      std::ranges::any_of(sight.services, [](const ServiceSight& service) { return service.state.state == "running"; });
  std::size_t running = 0;
  for (const auto& service : sight.services) {
    if (service.is_wanted && service.image_id.empty() && !service.is_built)
      results.push_back(broken("images", fmt::format("{} of {} is not on this machine", service.image, service.name),
                               "fetch it", fmt::format("{} pull {}", look.compose(), service.name),
                               ErrorCode::kNotFound));
    if (!service.container) {
      if (service.is_wanted && some_run && !service.image_id.empty())
        results.push_back(broken("containers", fmt::format("{} has no container, although others run", service.name),
                                 "start it", fmt::format("{} up -d {}", look.compose(), service.name),
                                 ErrorCode::kUnavailable));
      continue;
    }
    if (check_state(look, service, some_run)) ++running;
    check_making(look, service);
  }
  check_networks(look);
  if (results.size() == before)
    results.push_back({CheckState::kOk, "containers", running == 0 ? "none runs" : fmt::format("{} run", running), ""});
}

void examine_volumes(StackSession& session, const StackSight& sight, std::vector<CheckResult>& results) {
  const auto engine = session.engine();
  if (!engine) return;
  const Look look{session, sight, **engine, results};
  const std::size_t before = results.size();
  const auto volumes = read_volumes(session, look.deadline());
  if (!volumes)
    return results.push_back(
        broken("volumes", volumes.error().message, volumes.error().remedy, "", volumes.error().code));
  check_marks(look, *volumes);
  check_contents(look, *volumes);
  if (results.size() == before)
    results.push_back({CheckState::kOk, "volumes",
                       volumes->aside.empty() ? "of this instance"
                                              : fmt::format("of this instance; {} set aside", volumes->aside.size()),
                       ""});
}

void examine_passwords(StackSession& session, const StackSight& sight, std::vector<CheckResult>& results) {
  std::size_t asked = 0, wrong = 0;
  for (const auto& service : stack_services()) {
    const ServiceSight* seen = sight.find(service.name);
    if (service.secret.empty() || !seen || seen->state.state != "running" || seen->state.health == "unhealthy" ||
        seen->state.health == "starting" || session.folder().port_of(service) == 0)
      continue;
    const auto secret = read_secret(session.files(), session.folder(), std::string(service.secret));
    if (!secret) continue;  // the row about secrets says it
    ++asked;
    const std::string rotate = fmt::format("pandora secrets rotate {}", service.name);
    const std::string usual = service.kind == StoreKind::kQdrant ? "" : "pandora";
    if (answers(session, service, usual)) {
      ++wrong;
      results.push_back(broken("passwords",
                               usual.empty() ? fmt::format("{} answers without a key", service.name)
                                             : fmt::format("{} takes the default password", service.name),
                               "whoever reaches it is in: give it one of its own", rotate,
                               ErrorCode::kPermissionDenied));
    } else if (!answers(session, service, *secret)) {
      ++wrong;
      results.push_back(
          broken("passwords",
                 fmt::format("{} is healthy, but does not take the password in {}: a volume keeps the one "
                             "that it was made with",
                             service.name, join_path(session.folder().secrets, service.secret)),
                 "have it told a new one", rotate, ErrorCode::kUnauthenticated));
    }
  }
  if (asked > 0 && wrong == 0)
    results.push_back(
        {CheckState::kOk, "passwords", fmt::format("{} stores take theirs, and no default one", asked), ""});
}

}  // namespace pandora
