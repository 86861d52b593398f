#include "cli/stack/init.h"

#include <filesystem>

#include <fmt/format.h>
#include <unistd.h>

#include "base/file_system.h"
#include "base/random.h"
#include "base/text.h"
#include "cli/installation.h"
#include "cli/stack/adopt.h"
#include "cli/stack/stack_session.h"
#include "cli/storage/data_paths.h"
#include "cli/terminal/output.h"
#include "cli/terminal/terminal.h"
#include "compose/env_file.h"
#include "stack/instance.h"
#include "wire/json_reader.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxKeptFile = 1u << 20;    // of a file that may be replaced
constexpr std::string_view kMarker = "instance";  // in the folder of the secrets: whose they are
constexpr unsigned kSecretMode = 0444;            // for whatever user a container has; the folder keeps others out

// What was done, for the report.
struct Written {
  std::vector<std::string> files, kept, secrets;
};

Result<std::string> text_if_there(FileSystem& files, const std::string& path) {
  auto text = files.read_file(path, kMaxKeptFile);
  if (!text && text.error().code == ErrorCode::kNotFound) return std::string();
  return text;
}

Result<std::string> absolute(const std::string& path) {
  std::error_code code;
  const auto whole = std::filesystem::weakly_canonical(std::filesystem::absolute(path, code), code);
  if (code) return fail(ErrorCode::kInvalidArgument, fmt::format("cannot find {}: {}", path, code.message()));
  std::string text = whole.string();
  while (text.size() > 1 && text.ends_with('/')) text.pop_back();
  return text;
}

// Asked for, or as the instance has it (Compose takes a path from its folder), or the usual one.
std::string secrets_wanted(const InitOptions& options, const std::string& directory, const std::string& env,
                           const std::string& name) {
  if (!options.secrets.empty()) return options.secrets;
  const std::string present = env_value(parse_env(env), "PANDORA_SECRETS").value_or("");
  if (present.empty()) return secrets_directory(name);
  return present.starts_with('/') ? present : join_path(directory, present);
}

// Whoever copies, commits or shares the folder is not to share the passwords with it.
Status check_apart(const std::string& directory, const std::string& secrets) {
  if (secrets != directory && !secrets.starts_with(directory == "/" ? directory : directory + "/")) return {};
  return fail(ErrorCode::kInvalidArgument, fmt::format("the secrets would be in {}, inside the folder itself", secrets),
              "give the instance a folder of its own (--dir), or name another for the secrets (--secrets)");
}

// A folder that was lost and is made again is the instance that its secrets are of.
Result<Uuid> instance_of(FileSystem& files, const std::string& secrets, const std::string& env) {
  PANDORA_TRY(marker, text_if_there(files, join_path(secrets, kMarker)));
  const std::string present = env_value(parse_env(env), "PANDORA_INSTANCE").value_or("");
  if (!marker.empty() && !present.empty() && trim(marker) != present)
    return fail(ErrorCode::kConflict, fmt::format("the secrets in {} are of another instance", secrets),
                "give this one a name of its own (--name), or another folder for its secrets (--secrets)");
  if (!marker.empty()) return Uuid::parse(trim(marker));
  if (!present.empty()) return Uuid::parse(present);
  const SystemClock clock;
  SystemRandom random;
  return UuidV7Generator(clock, random).next();
}

Status write_secrets(FileSystem& files, const std::string& folder, const Uuid& instance, Written& written) {
  PANDORA_CHECK(files.create_directories(folder));
  PANDORA_CHECK(set_mode(folder, 0700));
  PANDORA_TRY(lock, files.lock(join_path(folder, ".lock"), fmt::format("process {}", ::getpid())));
  PANDORA_CHECK(files.write_atomic(join_path(folder, kMarker), instance.to_string() + "\n", Durability::kNow));
  std::vector<Secret> present;
  for (const auto name : secret_names()) {
    const std::string path = join_path(folder, name);
    if (!files.exists(path)) continue;
    PANDORA_TRY(text, files.read_file(path, kMaxKeptFile));
    if (text.empty())
      return fail(ErrorCode::kDataCorrupt, path + " is empty",
                  "put the password back, or remove the file when its store has no data yet");
    present.push_back({std::string(name), std::move(text)});
  }
  SystemRandom random;
  for (const auto& secret : plan_secrets(present, random)) {
    const std::string path = join_path(folder, secret.name);
    PANDORA_CHECK(files.write_atomic(path, secret.text, Durability::kNow));
    PANDORA_CHECK(set_mode(path, kSecretMode));
    written.secrets.push_back(secret.name);
  }
  return {};
}

// Which of the planned files are there with other contents; those with the same are kept as they are.
Result<std::vector<std::string>> changed_files(FileSystem& files, const std::string& directory, InstancePlan& plan,
                                               Written& written) {
  std::vector<std::string> changed;
  std::vector<PlannedFile> to_write;
  for (auto& file : plan.files) {
    const std::string path = join_path(directory, file.path);
    if (files.exists(path)) {
      PANDORA_TRY(present, files.read_file(path, kMaxKeptFile));
      if (present == file.text) {
        written.kept.push_back(file.path);
        continue;
      }
      changed.push_back(file.path);
    }
    to_write.push_back(std::move(file));
  }
  plan.files = std::move(to_write);
  return changed;
}

Status write_files(FileSystem& files, const std::string& directory, const InstancePlan& plan, Written& written) {
  for (const auto& file : plan.files) {
    const std::string path = join_path(directory, file.path);
    PANDORA_CHECK(files.create_directories(std::filesystem::path(path).parent_path().string()));
    PANDORA_CHECK(files.write_atomic(path, file.text, Durability::kNow));
    PANDORA_CHECK(set_mode(path, file.mode));
    written.files.push_back(file.path);
  }
  return {};
}

Status ask_about(const std::vector<std::string>& changed, const std::string& directory, bool yes) {
  if (changed.empty() || yes) return {};
  if (!is_terminal(STDIN_FILENO))
    return fail(ErrorCode::kConflict,
                fmt::format("{} in {} would be replaced, and there is no terminal to ask on", fmt::join(changed, ", "),
                            directory),
                "add --yes if you mean it; what you added to .env stays");
  return confirm(fmt::format("Replace {} in {}?", fmt::join(changed, ", "), directory), false);
}

struct Outcome {
  InstancePlan plan;
  Written written;
  std::string directory, secrets;
};

// What is to be, from what is there; nothing is changed.
struct Wanted {
  std::string name, secrets;
  InstanceOptions instance;
  InstancePlan plan;
};
Result<Wanted> plan_init(const InitOptions& options, const std::string& directory, FileSystem& files) {
  PANDORA_TRY(env, text_if_there(files, join_path(directory, ".env")));
  PANDORA_TRY(name, instance_name(options.name, env));
  PANDORA_TRY(secrets, absolute(secrets_wanted(options, directory, env, name)));
  PANDORA_CHECK(check_apart(directory, secrets));
  PANDORA_TRY(data, absolute(options.data.empty() ? instance_data_directory(name) : expanded_path(options.data)));
  Wanted wanted{.name = name,
                .secrets = secrets,
                .instance = {.name = options.name,
                             .overlay = {},
                             .secrets = secrets,
                             .instance = {},
                             .present_env = env,
                             .data = data,
                             .moves_data = !options.data.empty()},
                .plan = {}};
  if (options.production || options.development)
    wanted.instance.overlay = options.production ? Overlay::kProduction : Overlay::kDevelopment;
  PANDORA_TRY(id, instance_of(files, secrets, env));
  wanted.instance.instance = id;
  PANDORA_TRY(plan, plan_instance(wanted.instance));
  wanted.plan = std::move(plan);
  return wanted;
}

Result<Outcome> init(const InitOptions& options) {
  Outcome outcome;
  const auto files = make_posix_file_system();
  PANDORA_TRY(directory, absolute(options.directory));
  // What is wrong is said before anything is made; then once more, for what nobody else changes meanwhile.
  PANDORA_TRY(first, plan_init(options, directory, *files));
  PANDORA_TRY(lock, hold_instance(*files, StackFolder::state_directory_in(directory), first.name, "init"));
  PANDORA_TRY(wanted, plan_init(options, directory, *files));
  PANDORA_TRY(changed, changed_files(*files, directory, wanted.plan, outcome.written));
  PANDORA_CHECK(ask_about(changed, directory, options.yes));
  PANDORA_CHECK(write_secrets(*files, wanted.secrets, wanted.instance.instance, outcome.written));
  PANDORA_CHECK(write_files(*files, directory, wanted.plan, outcome.written));
  outcome.plan = std::move(wanted.plan);
  outcome.directory = directory;
  outcome.secrets = wanted.secrets;
  return outcome;
}

std::string render(const Outcome& outcome) {
  const bool production = outcome.plan.overlay == Overlay::kProduction;
  std::string text = fmt::format("{} in {}, for {}\n", bold(outcome.plan.name), outcome.directory,
                                 production ? "production" : "development");
  for (const auto& file : outcome.written.files) text += fmt::format("  written  {}\n", file);
  for (const auto& file : outcome.written.kept) text += fmt::format("  kept     {}\n", file);
  const std::size_t made = outcome.written.secrets.size(), all = secret_names().size();
  text += fmt::format("  secrets  {} made, {} kept, in {}\n", made, all - std::min(all, made), outcome.secrets);
  return text;
}

std::string render(const Adoption& adoption) {
  std::string text;
  for (const auto& volume : adoption.taken)
    text += fmt::format("  taken    {} as {}: {}{}\n", volume.name, volume.key, volume.holds,
                        volume.user == volume.user_now
                            ? ""
                            : fmt::format(", given from user {} to user {}", volume.user, volume.user_now));
  for (const auto& volume : adoption.aside)
    text += fmt::format("  aside    {} → pandora volumes restore {}\n", volume.name, volume.name);
  text +=
      "Their stores still have their old passwords: `docker compose up -d`, then `pandora secrets rotate`.\nTo undo "
      "it:\n";
  for (std::string_view rest = adoption.undo; !rest.empty(); rest.remove_prefix(rest.find('\n') + 1))
    text += fmt::format("  {}\n", rest.substr(0, rest.find('\n')));
  return text;
}

Json json_of(const Adoption& adoption) {
  Json taken = Json::array();
  for (const auto& volume : adoption.taken)
    taken.push_back({{"volume", volume.name},
                     {"key", volume.key},
                     {"holds", volume.holds},
                     {"user_before", volume.user},
                     {"user", volume.user_now}});
  return {{"taken", taken}, {"undo", adoption.undo}};
}

}  // namespace

int init_instance(const InitOptions& options, bool json) {
  const auto outcome = init(options);
  if (!outcome) return report(outcome.error());
  std::optional<Adoption> adoption;
  if (!options.adopt.empty()) {
    auto adopted = adopt(outcome->directory, options.adopt);
    if (!adopted) return report(adopted.error());
    adoption = *std::move(adopted);
  }
  if (!json) {
    print_out(render(*outcome) + (adoption ? render(*adoption) : "") + "Start it there: pandora up\n");
    return 0;
  }
  Json result = {{"name", outcome->plan.name},
                 {"overlay", outcome->plan.overlay == Overlay::kProduction ? "production" : "development"},
                 {"directory", outcome->directory},
                 {"secrets", outcome->secrets},
                 {"written", outcome->written.files},
                 {"kept", outcome->written.kept},
                 {"secrets_made", outcome->written.secrets}};
  if (adoption) result["adoption"] = json_of(*adoption);
  print_out(result.dump(2) + "\n");
  return 0;
}

}  // namespace pandora
