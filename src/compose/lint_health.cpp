// Rules about health checks, restarts and order.
#include <fmt/format.h>

#include "base/text.h"
#include "compose/lint_rules.h"

namespace pandora {
namespace {

constexpr double kLeastBudget = 60;  // seconds that a store may take to load its data, at the very least
constexpr double kLeastGrace = 30;   // seconds that a store may take to write down what it has

bool is_store(const Json& service) {
  const auto* image = known_image(service);
  return image && image->is_store;
}

// The health check's command; empty: none, or switched off.
std::string check_of(const Json& service) {
  const Json& check = member(service, "healthcheck");
  const std::string words = all_words(member(check, "test"));
  return words == "NONE" || member(check, "disable") == true ? "" : words;
}

std::string check_path(const std::string& pointer) { return pointer_to(pointer_to(pointer, "healthcheck"), "test"); }

void find_missing_checks(const LintInput& input, Findings& findings) {
  each_service(input, [&](const std::string& name, const Json& service, const std::string& pointer) {
    if (is_whole(service) && check_of(service).empty())
      findings.add(*input.compose, pointer, fmt::format("{} has no health check", name));
  });
}

void find_check_programs(const LintInput& input, Findings& findings) {
  each_service(input, [&](const std::string& name, const Json& service, const std::string& pointer) {
    const auto* image = known_image(service);
    if (!image) return;
    for (const auto program : image->lacks)
      if (has_word(check_of(service), program)) {
        findings.add(
            *input.compose, check_path(pointer),
            fmt::format("the check of {} runs {}, which {} does not contain", name, program, image->repository));
        return;
      }
  });
}

bool asks_old_qdrant_route(std::string_view words) {
  const auto at = words.find("/health");
  if (at == std::string_view::npos) return false;
  const auto end = at + std::string_view("/health").size();
  return end == words.size() || !(std::isalnum(static_cast<unsigned char>(words[end])) || words[end] == '/');
}

void find_check_routes(const LintInput& input, Findings& findings) {
  each_service(input, [&](const std::string& name, const Json& service, const std::string& pointer) {
    const auto* image = known_image(service);
    if (image && image->repository == "qdrant/qdrant" && asks_old_qdrant_route(check_of(service)))
      findings.add(*input.compose, check_path(pointer),
                   fmt::format("the check of {} asks for /health, which Qdrant does not have", name));
  });
  each_line(input, FileKind::kShell, [&](const TextLine& line) {
    if (mentions(line.text, ":6333/") && asks_old_qdrant_route(line.text))
      findings.add(line.place, line.text, "it asks Qdrant for /health, which it does not have");
  });
}

void find_checks_over_socket(const LintInput& input, Findings& findings) {
  const auto over_socket = [](const std::string& words) {
    return has_word(words, "pg_isready") && !mentions(words, "-h") && !mentions(words, "--host");
  };
  each_service(input, [&](const std::string& name, const Json& service, const std::string& pointer) {
    if (over_socket(check_of(service)))
      findings.add(*input.compose, check_path(pointer), fmt::format("the check of {} asks over the socket", name));
  });
  each_line(input, FileKind::kShell, [&](const TextLine& line) {
    if (over_socket(line.text)) findings.add(line.place, line.text, "it asks PostgreSQL over the socket");
  });
}

void find_short_budgets(const LintInput& input, Findings& findings) {
  constexpr double kDefaultInterval = 30, kDefaultRetries = 3;
  each_service(input, [&](const std::string& name, const Json& service, const std::string& pointer) {
    if (!is_store(service) || check_of(service).empty()) return;
    const Json& check = member(service, "healthcheck");
    const Json& retries = member(check, "retries");
    const double seconds = duration_seconds(member(check, "start_period")).value_or(0) +
                           duration_seconds(member(check, "interval")).value_or(kDefaultInterval) *
                               (retries.is_number() ? retries.get<double>() : kDefaultRetries);
    if (seconds < kLeastBudget)
      findings.add(*input.compose, pointer_to(pointer, "healthcheck"),
                   fmt::format("{} counts as unhealthy after {:.0f} seconds", name, seconds));
  });
}

void find_missing_restarts(const LintInput& input, Findings& findings) {
  each_service(input, [&](const std::string& name, const Json& service, const std::string& pointer) {
    const std::string condition = text_in(member(member(service, "deploy"), "restart_policy"), "condition");
    const std::string restart = text_in(service, "restart");
    const bool comes_back = restart == "always" || restart == "unless-stopped" || condition == "any";
    if (is_store(service) && !comes_back)
      findings.add(*input.compose, pointer, fmt::format("{} does not come back by itself", name));
  });
}

void find_short_grace(const LintInput& input, Findings& findings) {
  constexpr double kDefault = 10;
  each_service(input, [&](const std::string& name, const Json& service, const std::string& pointer) {
    const double seconds = duration_seconds(member(service, "stop_grace_period")).value_or(kDefault);
    if (is_store(service) && seconds < kLeastGrace)
      findings.add(*input.compose, pointer_to(pointer, "stop_grace_period"),
                   fmt::format("{} is killed {:.0f} seconds after it is told to stop", name, seconds));
  });
}

void find_one_shots(const LintInput& input, Findings& findings) {
  each_service(input, [&](const std::string& name, const Json& service, const std::string& pointer) {
    for (const auto& [other, how] : member(service, "depends_on").items())
      if (text_in(how, "condition") == "service_completed_successfully")
        findings.add(*input.compose, pointer_to(pointer_to(pointer, "depends_on"), other),
                     fmt::format("{} runs once, and {} waits for its end", other, name));
  });
}

void find_model_gates(const LintInput& input, Findings& findings) {
  each_line(input, FileKind::kShell, [&](const TextLine& line) {
    if (mentions(line.text, ":8000/health"))
      findings.add(line.place, line.text, "it takes the model server's /health for its readiness");
  });
}

void find_background_processes(const LintInput& input, Findings& findings) {
  each_line(input, FileKind::kShell, [&](const TextLine& line) {
    if (line.text.ends_with('&') && !line.text.ends_with("&&"))
      findings.add(line.place, line.text, "it starts a process and forgets it");
  });
}

// Prometheus in a container of its own network, whose targets are on the host's loopback.
void find_unreachable_targets(const LintInput& input, Findings& findings) {
  bool bridged = false;
  each_service(input, [&](const std::string&, const Json& service, const std::string&) {
    const auto* image = known_image(service);
    bridged =
        bridged || (image && image->repository == "prom/prometheus" && text_in(service, "network_mode") != "host");
  });
  if (!bridged) return;
  each_line(input, FileKind::kPrometheus, [&](const TextLine& line) {
    if (mentions(line.text, "127.0.0.1:") || mentions(line.text, "localhost:"))
      findings.add(line.place, line.text, "within Prometheus' container this address is the container itself");
  });
}

constexpr LintRule kRules[] = {
    {"check-missing", Severity::kWarning, "what has died but still runs is taken for well",
     "add a health check that asks the service something", find_missing_checks},
    {"check-program", Severity::kError, "the check always fails: the program is not in the image",
     "Qdrant: bash and /dev/tcp; PostgreSQL: pg_isready; Redis: redis-cli", find_check_programs},
    {"check-route", Severity::kError, "the check always fails: the route does not exist", "ask for /readyz",
     find_check_routes},
    {"check-socket", Severity::kError,
     "it is ready while the image's temporary server initialises the volume, and says nothing of user and database",
     "pg_isready -h 127.0.0.1; before the application starts, a real query", find_checks_over_socket},
    {"check-budget", Severity::kWarning,
     "a large collection or the replay of a log takes longer, and is killed or reported for it",
     "start_period of minutes: the first success ends it early", find_short_budgets},
    {"restart-missing", Severity::kError, "it is down after a reboot or a crash", "restart: unless-stopped",
     find_missing_restarts},
    {"grace-short", Severity::kWarning, "it is killed while it writes, and starts with a recovery",
     "stop_grace_period: 120s", find_short_grace},
    {"one-shot-wait", Severity::kWarning,
     "`docker compose up --wait` ends with 1 when a service has run once and ended well",
     "wait for the services that stay, each by its own check", find_one_shots},
    {"model-health", Severity::kWarning, "a model server answers /health before the model does",
     "wait until /v1/models lists the model, then for one token", find_model_gates},
    {"started-in-background", Severity::kError, "no order, no process id, no log, no exit status",
     "start what lasts under a supervisor", find_background_processes},
    {"prometheus-unreachable", Severity::kError, "it cannot scrape a program that listens on the host's loopback",
     "network_mode: host and --web.listen-address=127.0.0.1:9090", find_unreachable_targets},
};

}  // namespace

std::span<const LintRule> health_rules() { return kRules; }

}  // namespace pandora
