// Rules about images, limits, volumes, and what Compose itself stumbles over.
#include <algorithm>
#include <array>
#include <map>

#include <fmt/format.h>

#include "base/text.h"
#include "compose/lint_rules.h"

namespace pandora {
namespace {

constexpr double kLeastSharedMemory = 128.0 * 1024 * 1024;

void find_refusals(const LintInput& input, Findings& findings) {
  if (input.compose && !input.refusal.empty())
    findings.add({input.compose->files.front().path, 0, 0}, "", input.refusal);
}

void find_floating_images(const LintInput& input, Findings& findings) {
  each_service(input, [&](const std::string& name, const Json& service, const std::string& pointer) {
    const std::string image = text_in(service, "image"), tag = image_tag(image);
    if (image.empty() || mentions(image, "@sha256:")) return;
    const auto dot = tag.find('.');
    const auto digit = [&](std::size_t at) { return at < tag.size() && tag[at] >= '0' && tag[at] <= '9'; };
    const bool pinned = dot != std::string::npos && dot > 0 && digit(dot - 1) && digit(dot + 1);
    if (!pinned)
      findings.add(*input.compose, pointer_to(pointer, "image"),
                   fmt::format("{} runs {}, which is another image from time to time", name, image));
  });
}

void find_gone_images(const LintInput& input, Findings& findings) {
  each_service(input, [&](const std::string& name, const Json& service, const std::string& pointer) {
    const auto* image = known_image(service);
    if (image && image->repository == "minio/minio")
      findings.add(*input.compose, pointer_to(pointer, "image"), fmt::format("{} runs MinIO", name));
  });
}

bool has_limits(const Json& service) {
  const Json& limits = member(member(member(service, "deploy"), "resources"), "limits");
  return !member(limits, "memory").is_null() || !member(service, "mem_limit").is_null();
}

void find_uneven_limits(const LintInput& input, Findings& findings) {
  bool some = false;
  each_service(
      input, [&](const std::string&, const Json& service, const std::string&) { some = some || has_limits(service); });
  if (!some) return;
  each_service(input, [&](const std::string& name, const Json& service, const std::string& pointer) {
    if (is_whole(service) && !has_limits(service))
      findings.add(*input.compose, pointer, fmt::format("others have limits of memory, {} has none", name));
  });
}

void find_limits_given_twice(const LintInput& input, Findings& findings) {
  each_service(input, [&](const std::string& name, const Json& service, const std::string& pointer) {
    const Json& limits = member(member(member(service, "deploy"), "resources"), "limits");
    if (!limits.is_null() && (service.contains("mem_limit") || service.contains("cpus")))
      findings.add(*input.compose, pointer,
                   fmt::format("{} has both deploy.resources.limits and mem_limit or cpus", name));
  });
}

void find_unbounded_logs(const LintInput& input, Findings& findings) {
  each_service(input, [&](const std::string& name, const Json& service, const std::string& pointer) {
    const Json& logging = member(service, "logging");
    const std::string driver = text_in(logging, "driver");
    const bool bounded =
        (!driver.empty() && driver != "json-file") || !member(member(logging, "options"), "max-size").is_null();
    if (is_whole(service) && !bounded)
      findings.add(*input.compose, pointer, fmt::format("the log of {} grows without end", name));
  });
}

void find_small_shared_memory(const LintInput& input, Findings& findings) {
  each_service(input, [&](const std::string& name, const Json& service, const std::string& pointer) {
    const auto* image = known_image(service);
    if (!image || image->repository != "postgres") return;
    const auto size = size_bytes(member(service, "shm_size"));
    if (size.value_or(0) < kLeastSharedMemory && text_in(service, "ipc") != "host")
      findings.add(*input.compose, pointer,
                   fmt::format("{} has {} of shared memory", name, size ? "too little" : "64 MB"));
  });
}

void find_volume_names(const LintInput& input, Findings& findings) {
  if (!input.compose || input.project_is_named) return;
  for (const auto& file : input.compose->files)
    if (!text_in(file.value, "name").empty()) return;
  std::map<std::string, std::pair<Place, bool>> volumes;  // where it is first, and whether any file names it
  for (const auto& file : input.compose->files)
    for (const auto& [name, volume] : member(file.value, "volumes").items()) {
      const auto at = file.places.find(pointer_to("/volumes", name));
      auto& known =
          volumes.try_emplace(name, at == file.places.end() ? Place{file.path} : at->second, false).first->second;
      known.second = known.second || !text_in(volume, "name").empty() || member(volume, "external") == true;
    }
  for (const auto& [name, known] : volumes)
    if (!known.second)
      findings.add(known.first, pointer_to("/volumes", name),
                   fmt::format("the name of the volume {} begins with that of its folder", name));
}

// Published twice, or a port that the programs of the host have.
void find_taken_ports(const LintInput& input, Findings& findings) {
  static const std::map<std::string, std::string> kHost = {
      {"9000", "the Gateway"}, {"8090", "the Orchestrator"}, {"8000", "the model server"}};
  std::map<std::string, std::string> taken = kHost;
  each_service(input, [&](const std::string& name, const Json& service, const std::string& pointer) {
    const Json& ports = member(service, "ports");
    for (std::size_t i = 0; ports.is_array() && i < ports.size(); ++i) {
      const std::string published = text_in(ports[i], "published");
      if (published.empty() || published == "0") continue;
      const auto [at, first] =
          taken.try_emplace(published + (text_in(ports[i], "protocol") == "udp" ? "/udp" : ""), name);
      if (!first && at->second != name)
        findings.add(*input.compose, pointer_to(pointer_to(pointer, "ports"), i),
                     fmt::format("port {} of {} is that of {}", published, name, at->second));
    }
  });
}

// What Compose 1.29 refuses, or ends with a traceback at.
void find_newer_syntax(const LintInput& input, Findings& findings) {
  if (!input.compose) return;
  const auto add = [&](const ComposeFile& file, const std::string& pointer, std::string_view what) {
    const auto place = file.places.find(pointer);
    findings.add(place == file.places.end() ? Place{file.path} : place->second, pointer,
                 fmt::format("Compose 1.29 does not know {}", what));
  };
  for (const auto& file : input.compose->files) {
    for (const auto* key : {"name", "include"})
      if (file.value.contains(key)) add(file, pointer_to("", key), fmt::format("`{}:` at the top", key));
    for (const auto& [pointer, tag] : file.raw.tags)
      if (tag == "!reset" || tag == "!override") {
        const auto place = file.raw.places.find(pointer);
        findings.add(place->second, pointer, fmt::format("Compose 1.29 does not know {}", tag));
      }
    for (const auto& [name, config] : member(file.value, "configs").items())
      if (!member(config, "content").is_null()) add(file, pointer_to("/configs", name), "`content` of a config");
    for (const auto& [name, secret] : member(file.value, "secrets").items())
      if (!member(secret, "environment").is_null())
        add(file, pointer_to("/secrets", name), "`environment` of a secret");
    for (const auto& [name, service] : member(file.value, "services").items()) {
      const std::string pointer = pointer_to("/services", name);
      for (const auto* key : {"develop", "attach"})
        if (!member(service, key).is_null()) add(file, pointer_to(pointer, key), fmt::format("`{}`", key));
      if (!member(member(service, "healthcheck"), "start_interval").is_null())
        add(file, pointer_to(pointer_to(pointer, "healthcheck"), "start_interval"), "`start_interval`");
      for (const auto& [other, how] : member(service, "depends_on").items())
        if (!member(how, "required").is_null() || !member(how, "restart").is_null())
          add(file, pointer_to(pointer_to(pointer, "depends_on"), other), "`required` and `restart` of a dependency");
    }
  }
}

void find_bad_durations(const LintInput& input, Findings& findings) {
  each_service(input, [&](const std::string& name, const Json& service, const std::string& pointer) {
    const auto check = [&](const Json& value, const std::string& at, std::string_view key) {
      if (!value.is_null() && !duration_seconds(value))
        findings.add(
            *input.compose, pointer_to(at, key),
            fmt::format("{} of {} is {}, which is no duration", key, name, one_line(ellipsize(value.dump(), 40))));
    };
    for (const auto* key : {"interval", "timeout", "start_period"})
      check(member(member(service, "healthcheck"), key), pointer_to(pointer, "healthcheck"), key);
    check(member(service, "stop_grace_period"), pointer, "stop_grace_period");
  });
}

void find_unknown_keys(const LintInput& input, Findings& findings) {
  constexpr std::array<std::string_view, 92> kKeys = {"annotations",
                                                      "attach",
                                                      "blkio_config",
                                                      "build",
                                                      "cap_add",
                                                      "cap_drop",
                                                      "cgroup",
                                                      "cgroup_parent",
                                                      "command",
                                                      "configs",
                                                      "container_name",
                                                      "cpu_count",
                                                      "cpu_percent",
                                                      "cpu_period",
                                                      "cpu_quota",
                                                      "cpu_rt_period",
                                                      "cpu_rt_runtime",
                                                      "cpu_shares",
                                                      "cpus",
                                                      "cpuset",
                                                      "credential_spec",
                                                      "depends_on",
                                                      "deploy",
                                                      "develop",
                                                      "device_cgroup_rules",
                                                      "devices",
                                                      "dns",
                                                      "dns_opt",
                                                      "dns_search",
                                                      "domainname",
                                                      "entrypoint",
                                                      "env_file",
                                                      "environment",
                                                      "expose",
                                                      "extends",
                                                      "external_links",
                                                      "extra_hosts",
                                                      "gpus",
                                                      "group_add",
                                                      "healthcheck",
                                                      "hostname",
                                                      "image",
                                                      "init",
                                                      "ipc",
                                                      "isolation",
                                                      "label_file",
                                                      "labels",
                                                      "links",
                                                      "logging",
                                                      "mac_address",
                                                      "mem_limit",
                                                      "mem_reservation",
                                                      "mem_swappiness",
                                                      "memswap_limit",
                                                      "models",
                                                      "network_mode",
                                                      "networks",
                                                      "oom_kill_disable",
                                                      "oom_score_adj",
                                                      "pid",
                                                      "pids_limit",
                                                      "platform",
                                                      "ports",
                                                      "post_start",
                                                      "pre_stop",
                                                      "privileged",
                                                      "profiles",
                                                      "provider",
                                                      "pull_policy",
                                                      "read_only",
                                                      "restart",
                                                      "runtime",
                                                      "scale",
                                                      "secrets",
                                                      "security_opt",
                                                      "shm_size",
                                                      "stdin_open",
                                                      "stop_grace_period",
                                                      "stop_signal",
                                                      "storage_opt",
                                                      "sysctls",
                                                      "tmpfs",
                                                      "tty",
                                                      "ulimits",
                                                      "use_api_socket",
                                                      "user",
                                                      "userns_mode",
                                                      "uts",
                                                      "volume_driver",
                                                      "volumes",
                                                      "volumes_from",
                                                      "working_dir"};
  constexpr std::size_t kClose = 3;
  if (!input.compose) return;
  for (const auto& file : input.compose->files)
    for (const auto& [name, service] : member(file.value, "services").items())
      for (const auto& [key, unused] : service.items()) {
        if (!service.is_object() || key.starts_with("x-") || std::ranges::find(kKeys, key) != kKeys.end()) continue;
        const auto distance = [&](std::string_view known) { return edit_distance(key, known); };
        const auto nearest = std::ranges::min_element(kKeys, {}, distance);
        const std::string pointer = pointer_to(pointer_to("/services", name), key);
        const auto place = file.places.find(pointer);
        findings.add(place == file.places.end() ? Place{file.path} : place->second, pointer,
                     distance(*nearest) <= kClose ? fmt::format("\"{}\" is no key of a service; {} is", key, *nearest)
                                                  : fmt::format("\"{}\" is no key of a service", key));
      }
}

constexpr LintRule kRules[] = {
    {"compose-refuses", Severity::kError, "nothing starts",
     "correct what it names; the other findings are of the files as they are", find_refusals},
    {"image-floating", Severity::kError,
     "a pull brings another version: Qdrant goes by single minor versions and never back, PostgreSQL's C library "
     "changes its collation",
     "pin it: postgres:16.14-bookworm, not postgres:16", find_floating_images},
    {"image-gone", Severity::kError, "MinIO publishes no images any more since 2025, and its port is the Gateway's",
     "any other S3 server, on a port of its own", find_gone_images},
    {"limits-uneven", Severity::kWarning, "the service without limits takes the memory that the others were promised",
     "deploy.resources.limits on every service", find_uneven_limits},
    {"limits-twice", Severity::kError, "Compose refuses to start the service", "deploy.resources.limits alone",
     find_limits_given_twice},
    {"log-unbounded", Severity::kWarning, "one talkative container fills the disk of all",
     "logging: json-file with max-size and max-file, on every service", find_unbounded_logs},
    {"shm-small", Severity::kWarning, "parallel queries and index builds fail", "shm_size: 256m",
     find_small_shared_memory},
    {"volume-name", Severity::kError, "renaming the folder \"loses\" the data: Compose makes new, empty volumes",
     "COMPOSE_PROJECT_NAME in .env, and `name:` on every volume", find_volume_names},
    {"port-taken", Severity::kError, "one of the two cannot start",
     "give each a port of its own; docs/stack.md has them all", find_taken_ports},
    {"newer-syntax", Severity::kWarning, "Debian 12's Compose is 1.29",
     "what both know; the rest in an overlay for Compose 2 alone", find_newer_syntax},
    {"duration-invalid", Severity::kError, "Compose 2 refuses the file; 1.29 does not notice", "write 10s, 1m30s, 2h",
     find_bad_durations},
    {"unknown-key", Severity::kError, "a key that is mistyped does nothing, or Compose refuses the file", "correct it",
     find_unknown_keys},
};

}  // namespace

std::span<const LintRule> container_rules() { return kRules; }

}  // namespace pandora
