// Rules about what others can reach or read.
#include <array>

#include <fmt/format.h>

#include "base/text.h"
#include "compose/env_file.h"
#include "compose/lint_rules.h"

namespace pandora {
namespace {

bool is_loopback(const std::string& address) {
  return address.starts_with("127.") || address == "::1" || address == "localhost";
}

bool names_a_secret(const std::string& variable) {
  const std::string name = lower(variable);
  for (const auto* word : {"password", "passwd", "secret", "api_key", "apikey", "secret_key", "token"})
    if (name.ends_with(word)) return true;
  return false;
}

// What is tried first by whoever tries.
bool is_weak(const std::string& value) {
  constexpr std::array<std::string_view, 12> kTried = {"pandora",    "postgres", "password", "admin",
                                                       "root",       "secret",   "changeme", "change-me",
                                                       "minioadmin", "redis",    "test",     "123456"};
  for (const auto tried : kTried)
    if (lower(value) == tried) return true;
  return false;
}

// The password of scheme://user:password@host; empty: there is none.
std::string password_in_url(const std::string& value) {
  const auto scheme = value.find("://"), at = value.find('@');
  if (scheme == std::string::npos || at == std::string::npos || at < scheme) return "";
  const std::string user = value.substr(scheme + 3, at - scheme - 3);
  const auto colon = user.find(':');
  return colon == std::string::npos ? "" : user.substr(colon + 1);
}

// Every variable that is set in an environment, of a container or of a `.env` file.
void each_variable(const LintInput& input,
                   const std::function<void(const std::string& name, const std::string& value, const Place& place,
                                            const std::string& path)>& visit) {
  each_service(input, [&](const std::string&, const Json& service, const std::string& pointer) {
    for (const auto& [name, value] : member(service, "environment").items()) {
      const std::string path = pointer_to(pointer_to(pointer, "environment"), name);
      if (value.is_string()) visit(name, value.get<std::string>(), input.compose->place(path), path);
    }
  });
  for (const auto& text : input.texts) {
    if (text.kind != FileKind::kEnvironment) continue;
    int number = 0;
    for (const auto& line : parse_env(text.file.text)) {
      ++number;
      if (!line.name.empty()) visit(line.name, line.value, {text.file.path, number, 1}, line.name);
    }
  }
}

void find_external_secrets(const LintInput& input, Findings& findings) {
  if (!input.compose) return;
  for (const auto& [name, secret] : member(input.compose->value, "secrets").items())
    if (const Json& external = member(secret, "external"); !external.is_null() && external != false)
      findings.add(*input.compose, pointer_to(pointer_to("/secrets", name), "external"),
                   fmt::format("the secret \"{}\" is external", name));
}

void find_passwords_given_twice(const LintInput& input, Findings& findings) {
  each_service(input, [&](const std::string& name, const Json& service, const std::string& pointer) {
    const Json& variables = member(service, "environment");
    for (const auto& [variable, unused] : variables.items())
      for (const auto* end : {"_FILE", "__FILE"})
        if (variable.ends_with(end)) {
          const std::string plain = variable.substr(0, variable.size() - std::string_view(end).size());
          if (variables.contains(plain))
            findings.add(*input.compose, pointer_to(pointer_to(pointer, "environment"), variable),
                         fmt::format("{} has {} and {}", name, plain, variable));
        }
  });
}

void find_ports_for_all(const LintInput& input, Findings& findings) {
  each_service(input, [&](const std::string& name, const Json& service, const std::string& pointer) {
    const Json& ports = member(service, "ports");
    for (std::size_t i = 0; ports.is_array() && i < ports.size(); ++i) {
      const std::string address = text_in(ports[i], "host_ip"), published = text_in(ports[i], "published");
      if (!is_loopback(address))
        findings.add(
            *input.compose, pointer_to(pointer_to(pointer, "ports"), i),
            fmt::format("port {} of {} listens on {}", published.empty() ? text_in(ports[i], "target") : published,
                        name, address.empty() ? "every interface" : address));
    }
  });
}

void find_ports_in_base(const LintInput& input, Findings& findings) {
  if (!input.compose || input.compose->files.size() < 2) return;
  const auto& base = input.compose->files.front();
  for (const auto& [name, service] : member(base.value, "services").items()) {
    if (member(service, "ports").empty()) continue;
    const std::string path = pointer_to(pointer_to("/services", name), "ports");
    const auto place = base.places.find(path);
    findings.add(place == base.places.end() ? Place{base.path} : place->second, path,
                 fmt::format("{} publishes its ports in the first of {} files; none of the others can take them away",
                             name, input.compose->files.size()));
  }
}

void find_internal_networks(const LintInput& input, Findings& findings) {
  each_service(input, [&](const std::string& name, const Json& service, const std::string& pointer) {
    if (member(service, "networks").empty()) return;
    const Json& networks = member(input.compose->value, "networks");
    std::string internal;
    for (const auto& [network, unused] : member(service, "networks").items()) {
      if (member(member(networks, network), "internal") != true) return;  // there is a way in
      internal = network;
    }
    const bool publishes = !member(service, "ports").empty();
    findings.add(*input.compose, pointer_to(pointer, "networks"),
                 fmt::format("{} is on the internal network {} alone{}", name, internal,
                             publishes ? ": its published ports are dropped" : ": no program of the host reaches it"));
  });
}

void find_passwords_in_files(const LintInput& input, Findings& findings) {
  each_service(input, [&](const std::string& name, const Json& service, const std::string& pointer) {
    for (const auto& [variable, value] : member(service, "environment").items())
      if (names_a_secret(variable) && value.is_string() && !value.get_ref<const std::string&>().empty())
        findings.add(*input.compose, pointer_to(pointer_to(pointer, "environment"), variable),
                     fmt::format("{} of {} is a value of its environment", variable, name));
  });
}

void find_default_passwords(const LintInput& input, Findings& findings) {
  each_variable(input,
                [&](const std::string& name, const std::string& value, const Place& place, const std::string& path) {
                  const std::string in_url = password_in_url(value);
                  if ((names_a_secret(name) && is_weak(value)) || (!in_url.empty() && is_weak(in_url)))
                    findings.add(place, path, fmt::format("{} is a password that everybody tries", name));
                });
}

void find_passwords_in_urls(const LintInput& input, Findings& findings) {
  each_variable(input,
                [&](const std::string& name, const std::string& value, const Place& place, const std::string& path) {
                  if (!password_in_url(value).empty())
                    findings.add(place, path, fmt::format("the URL in {} holds a password", name));
                });
}

void find_readable_env_files(const LintInput& input, Findings& findings) {
  constexpr unsigned kOthers = 0077;
  if (!input.facts) return;
  for (const auto& text : input.texts) {
    if (text.kind != FileKind::kEnvironment) continue;
    const auto facts = input.facts(text.file.path);
    if (!facts || (facts->mode & kOthers) == 0) continue;
    for (const auto& line : parse_env(text.file.text))
      if ((names_a_secret(line.name) && !line.value.empty()) || !password_in_url(line.value).empty()) {
        findings.add({text.file.path, 0, 0}, line.name,
                     fmt::format("it holds {}, and others may read it (mode {:04o})", line.name, facts->mode));
        break;
      }
  }
}

void find_unreadable_secrets(const LintInput& input, Findings& findings) {
  constexpr unsigned kOthersRead = 0004, kOwnerRead = 0400;
  if (!input.facts || !input.compose) return;
  const Json& secrets = member(input.compose->value, "secrets");
  each_service(input, [&](const std::string& name, const Json& service, const std::string& pointer) {
    const Json& given = member(service, "secrets");
    const auto* image = known_image(service);
    const Json& user = member(service, "user");
    const unsigned long id = user.is_string() ? std::strtoul(user.get_ref<const std::string&>().c_str(), nullptr, 10)
                             : user.is_number_unsigned() ? user.get<unsigned long>()
                             : image                     ? image->user
                                                         : 0;
    for (std::size_t i = 0; given.is_array() && i < given.size(); ++i) {
      const std::string source = text_in(given[i], "source"), file = text_in(member(secrets, source), "file");
      if (file.empty()) continue;
      const auto facts = input.facts(file);
      const std::string path = pointer_to(pointer_to(pointer, "secrets"), i);
      if (!facts)
        findings.add(*input.compose, path, fmt::format("the secret {} of {} is not there: {}", source, name, file));
      else if (id != 0 && (facts->mode & kOthersRead) == 0 && !(facts->user == id && (facts->mode & kOwnerRead) != 0))
        findings.add(*input.compose, path,
                     fmt::format("{} runs as user {}, who cannot read the secret {} (mode {:04o}, of user {})", name,
                                 id, source, facts->mode, facts->user));
    }
  });
}

void find_stores_without_key(const LintInput& input, Findings& findings) {
  each_service(input, [&](const std::string& name, const Json& service, const std::string& pointer) {
    const auto* image = known_image(service);
    if (!image) return;
    const Json& variables = member(service, "environment");
    const std::string words = all_words(member(service, "command")) + " " + all_words(member(service, "entrypoint"));
    const bool qdrant = image->repository == "qdrant/qdrant" && !variables.contains("QDRANT__SERVICE__API_KEY") &&
                        !mentions(words, "QDRANT__SERVICE__API_KEY");
    const bool redis = image->repository == "redis" && !mentions(words, "requirepass") && !mentions(words, "aclfile") &&
                       !mentions(words, ".conf");
    if (qdrant || redis)
      findings.add(*input.compose, pointer,
                   fmt::format("{} answers whoever asks: it has no {}", name, qdrant ? "API key" : "password"));
  });
}

void find_telemetry(const LintInput& input, Findings& findings) {
  each_service(input, [&](const std::string& name, const Json& service, const std::string& pointer) {
    const auto* image = known_image(service);
    if (!image || image->repository != "qdrant/qdrant") return;
    const Json& variables = member(service, "environment");
    const bool off = text_in(variables, "QDRANT__TELEMETRY_DISABLED") == "true" ||
                     mentions(all_words(member(service, "command")), "--disable-telemetry");
    if (!off) findings.add(*input.compose, pointer, fmt::format("{} reports its use to its makers", name));
  });
}

constexpr LintRule kRules[] = {
    {"secret-external", Severity::kError, "Compose 2 refuses to start; 1.29 starts without the secret",
     "name a file: `secrets: {name: {file: …}}`, as `pandora init` does", find_external_secrets},
    {"secret-unreadable", Severity::kError,
     "a file secret keeps the host's mode: what only root can read, a container that is not root cannot",
     "make the file readable (0444) in a folder that is closed to others (0700)", find_unreadable_secrets},
    {"password-twice", Severity::kError,
     "environments of several files are merged, and the image exits: \"both are set (but are exclusive)\"",
     "no password in the base file; NAME_FILE in every overlay", find_passwords_given_twice},
    {"password-in-file", Severity::kError,
     "the password stands in the file, in the environment and in `docker inspect`", "give it as a secret, by NAME_FILE",
     find_passwords_in_files},
    {"password-default", Severity::kError, "whoever reaches the port is in",
     "let `pandora init` make one; on a volume that exists change it in the store as well", find_default_passwords},
    {"password-in-url", Severity::kWarning, "URLs end up in logs, process lists and error messages",
     "give the URL without it, and the password by a file (POSTGRES_PASSWORD_FILE)", find_passwords_in_urls},
    {"env-readable", Severity::kWarning, "every user of this machine can read the password", "chmod 600 the file",
     find_readable_env_files},
    {"port-exposed", Severity::kError, "a published port listens on every interface, and passes by ufw and firewalld",
     "begin it with 127.0.0.1:", find_ports_for_all},
    {"port-in-base", Severity::kError, "lists grow when files are merged: no overlay can remove a port",
     "publish ports in overlays only", find_ports_in_base},
    {"network-internal", Severity::kError,
     "on an internal network published ports are dropped: the programs of the host cannot reach the store",
     "use an ordinary bridge, and bind ports to 127.0.0.1", find_internal_networks},
    {"store-without-key", Severity::kError, "whoever reaches it reads and deletes everything",
     "set an API key (Qdrant) or an ACL file (Redis)", find_stores_without_key},
    {"telemetry-on", Severity::kWarning, "Qdrant sends telemetry unless it is told not to",
     "set QDRANT__TELEMETRY_DISABLED to \"true\"", find_telemetry},
};

}  // namespace

std::span<const LintRule> exposure_rules() { return kRules; }

}  // namespace pandora
