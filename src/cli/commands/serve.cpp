#include "cli/commands/serve.h"

#include <fmt/format.h>

#include "base/log.h"
#include "cli/program.h"
#include "cli/storage/served_bucket.h"
#include "cli/terminal/output.h"
#include "cli/terminal/stop_signals.h"
#include "gateway/gateway.h"
#include "gateway/guard.h"
#include "mcp/http_endpoint.h"
#include "orchestrator/tool_routes.h"
#include "tools/tool_wire.h"
#include "wire/json_reader.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxStatusBytes = std::size_t{1} << 20;

Result<Json> ask_status(Service& service, const UserId& user, const Deadline& deadline) {
  NoObserver nobody;
  PANDORA_TRY(answer, service.call({"status", user, "{}"}, nobody, deadline));
  return parse_json(answer, kMaxStatusBytes, "a status");
}

// A store that is somewhere else, by what a status says of it.
std::unique_ptr<HealthProbe> probe_of(std::string name, const char* said, Service& service, const ServingParts& parts,
                                      const UserId& user) {
  return make_probe(std::move(name), HealthState::kDegraded, parts.clock,
                    [&service, user, said](const Deadline& deadline) -> Status {
                      PANDORA_TRY(status, ask_status(service, user, deadline));
                      if (std::string why = status.value(said, ""); !why.empty())
                        return fail(ErrorCode::kUnavailable, std::move(why));
                      return {};
                    });
}

// What is somewhere else.
struct Served {
  bool objects = false, documents = false;
};

std::vector<std::unique_ptr<HealthProbe>> make_probes(Service& service, const ServingParts& parts, const UserId& user,
                                                      Served served) {
  std::vector<std::unique_ptr<HealthProbe>> probes;
  probes.push_back(
      make_probe("stores", HealthState::kDown, parts.clock, [&service, user](const Deadline& deadline) -> Status {
        PANDORA_TRY(status, ask_status(service, user, deadline));
        const std::string why = status.value("rows_error", "");
        return why.empty() ? Status() : fail(ErrorCode::kUnavailable, why);
      }));
  // Being built anew it is no reason to stay away: recall says what it lacks.
  probes.push_back(
      make_probe("index", HealthState::kDegraded, parts.clock, [&service, user](const Deadline& deadline) -> Status {
        PANDORA_TRY(status, ask_status(service, user, deadline));
        if (std::string why = status.value("points_error", ""); !why.empty())
          return fail(ErrorCode::kUnavailable, std::move(why));
        for (const auto& collection : status["collections"])
          if (const auto missing = collection.value("unsearched", std::int64_t{0}); missing > 0)
            return fail(ErrorCode::kUnavailable,
                        fmt::format("{}: the index is being built, {} points are not in it yet",
                                    collection.value("name", ""), missing));
        return {};
      }));
  probes.push_back(make_probe(
      "encoder", HealthState::kDegraded, parts.clock, [&spaces = parts.spaces](const Deadline& deadline) -> Status {
        const std::string_view text = "ready?";
        PANDORA_CHECK(spaces.current()->embedder->embed({&text, 1}, TextRole::kQuestion, deadline));
        return {};
      }));
  if (served.objects) probes.push_back(probe_of("objects", "objects_error", service, parts, user));
  if (served.documents) probes.push_back(probe_of("documents", "documents_error", service, parts, user));
  if (parts.cache.may_wait())
    probes.push_back(make_probe("cache", HealthState::kDegraded, parts.clock,
                                [&cache = parts.cache](const Deadline& deadline) { return cache.check(deadline); }));
  if (!parts.directory) return probes;
  for (const auto& server : parts.directory->servers())
    probes.push_back(make_probe(
        "model " + server, HealthState::kDegraded, parts.clock,
        [directory = parts.directory, server](const Deadline& deadline) { return directory->ask(server, deadline); }));
  return probes;
}

// Whose tools work for is the key's word alone; a header names the session.
Result<ToolCaller> tool_caller(const HttpRequest& request, const Caller& caller) {
  PANDORA_TRY(given, read_caller(request.headers, caller.user));
  given.who = Principal::of(caller.user);
  given.key = caller.key ? caller.key->name : "";
  given.turn = Uuid();
  return given;
}

// MCP for the users of the Gateway.
class McpMount final : public GatewayHandler {
 public:
  explicit McpMount(McpEndpoint& endpoint) : endpoint_(endpoint) {}
  void handle(HttpRequest request, const Caller& caller, std::shared_ptr<ResponseWriter> writer) override {
    auto given = tool_caller(request, caller);
    if (!given) return writer->respond(error_response(given.error()));
    endpoint_.handle(std::move(request), *given, std::move(writer));
  }

 private:
  McpEndpoint& endpoint_;
};

// The tools, likewise.
class ToolsMount final : public GatewayHandler {
 public:
  explicit ToolsMount(ToolRoutes& routes) : routes_(routes) {}
  void handle(HttpRequest request, const Caller& caller, std::shared_ptr<ResponseWriter> writer) override {
    if (request.path == kToolsPath) return routes_.list(request, *writer);
    auto given = tool_caller(request, caller);
    if (!given) return writer->respond(error_response(given.error()));
    routes_.call(std::move(request), *std::move(given), std::move(writer));
  }

 private:
  ToolRoutes& routes_;
};

class GatewayServing final : public Serving {
 public:
  GatewayServing(ServingParts parts, std::vector<std::unique_ptr<HealthProbe>> probes, Duration drain_time)
      : parts_(parts), probes_(std::move(probes)), drain_time_(drain_time) {}

  Status listen(GatewayOptions options, Service& service) {
    if (parts_.tools) routes_ = ToolRoutes::create({.user = options.owner}, *parts_.tools, parts_.clock);
    mcp_ = std::make_unique<McpServer>(McpOptions{std::string(kProgramVersion)}, parts_.runner, service, parts_.clock);
    mcp_endpoint_ = make_mcp_endpoint(*mcp_, parts_.random, parts_.cache, parts_.clock);
    GatewayParts given{parts_.runtime, parts_.model, parts_.directory, parts_.spaces, {},       parts_.threads,
                       parts_.client,  parts_.ids,   parts_.random,    parts_.clock,  &service, &parts_.keys,
                       &parts_.cache,  {},           &parts_.metrics,  &parts_.board};
    for (const auto& probe : probes_) given.probes.push_back(probe.get());
    if (routes_) {
      const auto mount = std::make_shared<ToolsMount>(*routes_);
      given.mounts.push_back({std::string(kToolsPath), KeyScope::kTools, mount, 0, RunOn::kLoop});
      for (const auto& tool : parts_.tools->catalogue())
        given.mounts.push_back(
            {fmt::format("{}/{}", kToolsPath, tool.name), KeyScope::kTools, mount, kMaxToolRequestBytes, RunOn::kLoop});
    }
    given.mounts.push_back(
        {"/mcp", KeyScope::kTools, std::make_shared<McpMount>(*mcp_endpoint_), kMaxRpcMessageBytes, RunOn::kLoop});
    PANDORA_TRY(gateway, Gateway::open(std::move(options), std::move(given)));
    gateway_ = std::move(gateway);
    return {};
  }
  // Calls under way are stopped before the server that answers them goes.
  ~GatewayServing() override {
    if (routes_) routes_->end();
    if (mcp_endpoint_) mcp_endpoint_->end();
    gateway_.reset();
  }
  std::string url() const override { return gateway_->url(); }
  Status drain() override { return gateway_->drain(Deadline::after(parts_.clock, drain_time_)); }

 private:
  const ServingParts parts_;
  const std::vector<std::unique_ptr<HealthProbe>> probes_;
  const Duration drain_time_;
  std::unique_ptr<McpServer> mcp_;
  std::unique_ptr<McpEndpoint> mcp_endpoint_;
  std::unique_ptr<ToolRoutes> routes_;
  std::unique_ptr<Gateway> gateway_;  // last: nobody asks while the rest goes
};

// Whoever owns the data directory now; it may change.
class OwnersService final : public Service {
 public:
  explicit OwnersService(std::string socket) : socket_(std::move(socket)) {}
  Result<std::string> call(const ServiceCall& call, CallObserver& observer, const Deadline& deadline) override {
    auto owner = make_remote_service(socket_);
    if (owner) return (*owner)->call(call, observer, deadline);
    if (owner.error().code != ErrorCode::kNotFound) return fail(std::move(owner).error());
    return fail(ErrorCode::kUnavailable, "no process owns the data directory now", "start `pandora gateway`");
  }

 private:
  const std::string socket_;
};

// Until it is told to end.
void wait_until_told(const sigset_t& signals, const std::string& url, const std::string& where, bool json,
                     const std::function<Status()>& drain) {
  if (json)
    print_out(fmt::format("{{\"url\":\"{}\"}}\n", url));
  else
    print_error(where);
  flush_output();
  if (output_failed()) return;  // nobody learns where it is; finish_output() says why
  wait_for(signals);
  end_at_next(signals);
  if (const Status drained = drain(); !drained) print_error(fmt::format("pandora: {}\n", drained.error().message));
}

Status run(const Config& config, ToolPlace tools, bool json) {
  const sigset_t signals = hold_stop_signals();
  PANDORA_TRY(installation, Installation::open(config, {.tools = tools, .without_rows = true}));
  PANDORA_TRY(serving, Serving::open(config, *installation));
  wait_until_told(signals, serving->url(),
                  fmt::format("Pandora listens: {}/v1 is the base URL for any client of OpenAI's API. Ctrl-C ends.\n",
                              serving->url()),
                  json, [&] { return serving->drain(); });
  return {};
}

Status run_orchestrator(const Config& config, bool json) {
  const sigset_t signals = hold_stop_signals();
  PANDORA_TRY(user, UserId::parse(config.string("user.name")));
  PANDORA_TRY(paths, data_paths(config));
  SystemClock clock;
  SystemRandom random;
  OwnersService service(paths.socket);
  PANDORA_TRY(secret, orchestrator_secret(paths, random));
  PANDORA_TRY(toolbox, Toolbox::open(config, ToolPlace::kHere, nullptr, clock));
  toolbox->connect(service);
  IoThreads threads(clock);
  HttpServerOptions server;
  server.address = config.string("orchestrator.address");
  server.port = static_cast<std::uint16_t>(config.integer("orchestrator.port"));
  const auto routes = ToolRoutes::create({.user = user, .secret = secret}, *toolbox->registry(), clock);
  PANDORA_TRY(orchestrator, HttpServer::listen(std::move(server), threads, *routes, random));
  wait_until_told(
      signals, orchestrator->url(),
      fmt::format("The Orchestrator listens: {}/tools lists the tools. Ctrl-C ends.\n", orchestrator->url()), json,
      [&] {
        return orchestrator->drain(
            Deadline::after(clock, std::chrono::milliseconds(config.integer("gateway.drain_ms"))));
      });
  routes->end();
  orchestrator.reset();
  toolbox->disconnect();
  return {};
}

Status use_tls(const Config& config, HttpServerOptions& server) {
  const std::string &certificate = config.string("gateway.tls_certificate"), &key = config.string("gateway.tls_key");
  if (certificate.empty() != key.empty())
    return fail(ErrorCode::kInvalidArgument, "gateway.tls_certificate and gateway.tls_key go together",
                "set both, or neither");
  if (!certificate.empty()) server.tls = TlsFiles{certificate, key};
  return {};
}

void warn_of_plain_text(const HttpServerOptions& server) {
  if (!server.tls && exposure_of(server.address) == Exposure::kBeyond)
    log_warn("serve.unencrypted", {{"address", server.address},
                                   {"why", "keys and conversations travel as they are"},
                                   {"remedy",
                                    "set gateway.tls_certificate and gateway.tls_key, or put a proxy with TLS "
                                    "before it"}});
}

}  // namespace

Result<std::unique_ptr<Serving>> Serving::open(const Config& config, Installation& installation) {
  PANDORA_TRY(user, UserId::parse(config.string("user.name")));
  PANDORA_TRY(parts, installation.serving());
  GatewayOptions options;
  options.server.address = config.string("gateway.address");
  options.server.port = static_cast<std::uint16_t>(config.integer("gateway.port"));
  PANDORA_CHECK(use_tls(config, options.server));
  options.owner = user;
  options.chat_body_bytes = static_cast<std::size_t>(config.integer("gateway.body_bytes"));
  options.turn_time = std::chrono::milliseconds(config.integer("gateway.turn_ms"));
  PANDORA_TRY(objects, objects_are_served(config));
  PANDORA_TRY(documents, documents_are_served(config));
  const Served served{objects, documents};
  auto serving = std::make_unique<GatewayServing>(parts, make_probes(installation.service(), parts, user, served),
                                                  std::chrono::milliseconds(config.integer("gateway.drain_ms")));
  const HttpServerOptions server = options.server;
  PANDORA_CHECK(serving->listen(std::move(options), installation.service()));
  warn_of_plain_text(server);
  return serving;
}

int serve(const Config& config, ToolPlace tools, bool json) {
  const Status served = run(config, tools, json);
  return served ? 0 : report(served.error());
}

int orchestrate(const Config& config, bool json) {
  const Status served = run_orchestrator(config, json);
  return served ? 0 : report(served.error());
}

int serve_beside(const Config& config, Installation& installation, const std::function<int()>& converse) {
  const auto serving = Serving::open(config, installation);
  if (serving)
    print_error(fmt::format("Clients of OpenAI's API find it at {}/v1 meanwhile.\n", (*serving)->url()));
  else
    print_error(fmt::format("pandora: this conversation goes on, but nothing listens for other clients: {}\n",
                            serving.error().to_line()));
  const int code = converse();
  if (serving)
    if (const Status drained = (*serving)->drain(); !drained)
      print_error(fmt::format("pandora: {}\n", drained.error().message));
  return code;
}

}  // namespace pandora
