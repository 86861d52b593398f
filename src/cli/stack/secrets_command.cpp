#include "cli/stack/secrets_command.h"

#include <algorithm>
#include <memory>
#include <thread>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/text.h"
#include "cli/stack/host_plan.h"
#include "cli/stack/stack_commands.h"
#include "cli/stack/stack_session.h"
#include "cli/storage/data_paths.h"
#include "cli/terminal/output.h"
#include "postgres/password_verifier.h"
#include "stack/instance.h"
#include "stack/one_off.h"

namespace pandora {
namespace {

constexpr Duration kPatience = std::chrono::minutes(3), kPause = std::chrono::milliseconds(100);
constexpr Duration kProbePatience = std::chrono::seconds(5);
constexpr unsigned kReadable = 0444;  // by whatever user a container has; the folder keeps others out
constexpr int kStopSeconds = 60;

// What has a password that can be changed here, and who else reads it when it starts.
struct Rotated {
  std::string_view service, secret;
  std::vector<std::string_view> readers;
};
const std::vector<Rotated>& rotated() {
  static const std::vector<Rotated> kRotated = {{"postgres", "postgres_password", {"postgres_exporter"}},
                                                {"vectordb", "qdrant_api_key", {"vectordb", "prometheus"}},
                                                {"redis", "redis_password", {"redis"}},
                                                {"objects", "objects_secret_key", {"objects"}}};
  return kRotated;
}

class Rotation {
 public:
  Rotation(StackSession& session, DockerEngine& engine, const Rotated& what)
      : session_(session),
        files_(session.files()),
        engine_(engine),
        what_(what),
        path_(join_path(session.folder().secrets, what.secret)),
        next_(path_ + ".next"),
        previous_(path_ + ".previous"),
        deadline_(Deadline::after(session.clock(), kPatience)) {}

  Status run() {
    PANDORA_TRY(containers, engine_.containers(deadline_));
    containers_ = std::move(containers);
    if (files_.exists(next_) || !files_.exists(previous_)) {
      if (!files_.exists(next_)) PANDORA_CHECK(make_next());
      PANDORA_CHECK(teach());
      PANDORA_CHECK(put_in_place());
    }
    PANDORA_CHECK(settle());
    return files_.remove_file(previous_);
  }

 private:
  const Container* running(std::string_view service) const {
    const auto found = std::ranges::find_if(containers_, [&](const Container& container) {
      return container.project == session_.folder().name && container.service == service &&
             container.state == "running";
    });
    return found == containers_.end() ? nullptr : &*found;
  }

  Result<std::string> text_of(const std::string& path) {
    auto text = files_.read_file(path, kMaxSecretBytes);
    if (!text && text.error().code == ErrorCode::kNotFound) return std::string();
    return text;
  }

  Status make_next() {
    SystemRandom random;
    const auto made = plan_secrets({}, random);
    const auto secret = std::ranges::find(made, what_.secret, &Secret::name);
    return files_.write_atomic(next_, secret->text, Durability::kNow);
  }

  // The store takes the new one, and, where it can, goes on taking the old one.
  Status teach() {
    PANDORA_TRY(next, text_of(next_));
    if (what_.service == "postgres") return teach_postgres(next);
    if (what_.service != "redis") return {};  // it reads the file when it starts
    PANDORA_TRY(present, text_of(path_));
    PANDORA_CHECK(write_users({present, next}));
    PANDORA_CHECK(restart("redis"));
    return wait_until_taken("redis", next);
  }

  Status teach_postgres(const std::string& next) {
    const Container* container = running("postgres");
    if (!container) {
      PANDORA_TRY(volumes, engine_.volumes(deadline_));
      const auto has_data = std::ranges::any_of(volumes, [&](const Volume& volume) {
        return volume.name == session_.folder().variable("PANDORA_VOLUME_POSTGRES_DATA");
      });
      if (!has_data) return {};  // it takes the file's when its volume is made
      return fail(ErrorCode::kUnavailable, "postgres does not run, and has data: it must be told its new password",
                  "docker compose up -d postgres, then try again");
    }
    PANDORA_TRY(verifier, password_verifier(next));
    auto done =
        run_inside(engine_, container->id,
                   {"psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-U", "pandora", "-d", "pandora", "-c",
                    "SET log_statement = 'none'", "-c", fmt::format("ALTER ROLE pandora PASSWORD '{}'", verifier)},
                   deadline_);
    if (!done) return fail(std::move(done).error().with_context("telling PostgreSQL its new password"));
    return wait_until_taken("postgres", next);
  }

  Status write_users(const std::vector<std::string>& passwords) {
    const std::string path = join_path(session_.folder().secrets, "redis_acl");
    PANDORA_CHECK(files_.write_atomic(path, redis_users(passwords), Durability::kNow));
    return set_mode(path, kReadable);
  }

  Status put_in_place() {
    PANDORA_TRY(present, text_of(path_));
    PANDORA_CHECK(files_.write_atomic(previous_, present, Durability::kNow));
    PANDORA_CHECK(set_mode(next_, kReadable));
    PANDORA_CHECK(files_.rename(next_, path_));
    return files_.sync_directory(session_.folder().secrets);
  }

  Status settle() {
    PANDORA_TRY(present, text_of(path_));
    if (what_.service == "redis") PANDORA_CHECK(write_users({present}));
    for (const auto reader : what_.readers) PANDORA_CHECK(restart(reader));
    return wait_until_taken(what_.service, present);
  }

  Status restart(std::string_view service) {
    const Container* container = running(service);
    if (!container) return {};
    auto done = engine_.call("POST", fmt::format("/containers/{}/restart?t={}", container->id, kStopSeconds), nullptr,
                             deadline_);
    if (!done) return fail(std::move(done).error().with_context(fmt::format("restarting {}", service)));
    return {};
  }

  Status wait_until_taken(std::string_view service, const std::string& password) {
    const StackService* known = find_stack_service(service);
    const auto port = session_.folder().port_of(*known);
    if (!running(service) || port == 0) return {};
    const auto probe = make_store_probe(*known, {.port = port, .user = "pandora", .secret = password}, session_.http());
    for (;;) {
      const Health health = probe->probe(Deadline::after(session_.clock(), kProbePatience));
      if (health.state == HealthState::kReady) return {};
      if (!deadline_.check("waiting"))
        return fail(ErrorCode::kDeadlineExceeded,
                    fmt::format("{} does not take its new password: {}", service, health.detail),
                    "`pandora doctor` looks at it; run this again to go on");
      std::this_thread::sleep_for(kPause);
    }
  }

  StackSession& session_;
  FileSystem& files_;
  DockerEngine& engine_;
  const Rotated& what_;
  const std::string path_, next_, previous_;
  const Deadline deadline_;
  std::vector<Container> containers_;
};

struct RotateOptions {
  std::string directory = ".";
  std::vector<std::string> services;
};

Result<std::vector<const Rotated*>> chosen(const std::vector<std::string>& services) {
  std::vector<const Rotated*> all;
  if (services.empty())
    for (const auto& one : rotated()) all.push_back(&one);
  for (const auto& service : services) {
    const auto found = std::ranges::find(rotated(), service, &Rotated::service);
    if (found == rotated().end())
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("\"{}\" has no password that is changed here", one_line(ellipsize(service, 64))),
                  "it is one of postgres, vectordb, redis, objects; Grafana's is changed in Grafana");
    all.push_back(&*found);
  }
  return all;
}

Result<std::vector<std::string>> rotate(const RotateOptions& options) {
  PANDORA_TRY(wanted, chosen(options.services));
  PANDORA_TRY(session, StackSession::open(options.directory, {}));
  PANDORA_CHECK(session->hold("secrets rotate"));
  PANDORA_TRY(lock, session->files().lock(join_path(session->folder().secrets, ".lock"), "pandora secrets rotate"));
  PANDORA_TRY(engine, session->engine());
  std::vector<std::string> done;
  for (const Rotated* what : wanted) {
    auto one = Rotation(*session, *engine, *what).run();
    if (!one)
      return fail(std::move(one).error().with_context(
          done.empty() ? std::string(what->service)
                       : fmt::format("{} (done: {})", what->service, fmt::join(done, ", "))));
    done.emplace_back(what->service);
  }
  return done;
}

// A Gateway that runs has read the old ones.
Status restart_gateway(const Config& config) {
  const auto uses_them = [&](const EffectiveValue& value) {
    return (value.key == "rows.store" || value.key == "points.store") && value.is_of_instance() &&
           value.value != "embedded";
  };
  if (std::ranges::none_of(config.values(), uses_them)) return {};
  PANDORA_TRY(place, host_place(config));
  const SystemClock clock;
  const auto control = connect_host_supervisor(place, clock);
  if (!control) return {};  // none runs
  const Deadline deadline = Deadline::after(clock, kPatience);
  PANDORA_TRY(rows, (*control)->status(deadline));
  if (std::ranges::find(rows, "gateway", &HostStatus::name) == rows.end()) return {};
  if (auto done = (*control)->restart("gateway", [](const HostEvent&) {}, deadline); !done)
    return fail(std::move(done).error().with_context("the stores have their new passwords; restarting the Gateway"));
  return {};
}

}  // namespace

void add_secrets_commands(CLI::App& app, StackInvocation& to) {
  CLI::App* group = app.add_subcommand("secrets", "the passwords of the stack's stores");
  group->require_subcommand(1);
  CLI::App* command = group->add_subcommand("rotate", "give stores new passwords; their data stays");
  const auto options = std::make_shared<RotateOptions>();
  command->add_option("services", options->services, "postgres, vectordb, redis, objects (all of them)");
  command->add_option("--dir", options->directory, "the instance's folder (the present directory)");
  command->callback([&to, options] {
    to.folder = options->directory;
    to.run = [options](const HostContext& context, bool json) {
      const auto done = rotate(*options);
      if (!done) return report(done.error());
      if (const Status told = restart_gateway(context.config); !told) return report(told.error());
      print_out(
          json ? Json{{"rotated", *done}}.dump(2) + "\n"
               : fmt::format("{} {} a new password.\n", fmt::join(*done, ", "), done->size() == 1 ? "has" : "have"));
      return 0;
    };
  });
}

}  // namespace pandora
