#include "cli/stack/adopt.h"

#include <algorithm>
#include <memory>

#include <fmt/format.h>

#include "base/text.h"
#include "cli/stack/doctor_stack.h"
#include "compose/env_file.h"

namespace pandora {
namespace {

constexpr const char* kVolumes = "PANDORA_VOLUME";        // so begins whatever .env says of them
constexpr Duration kPatience = std::chrono::minutes(10);  // a large volume is given to another user file by file

// An empty one stays so: PostgreSQL makes its data in no folder that holds anything. $1: the instance. Each further
// argument: KEY:USER, or KEY: when it stays whose it is.
constexpr const char* kTake = R"SH(
set -eu
instance=$1
shift
for entry in "$@"; do
  volume="/volumes/${entry%%:*}"
  user="${entry#*:}"
  if [ -n "$user" ]; then chown -R "$user:$user" "$volume"; fi
  if [ -n "$(ls -A "$volume")" ]; then
    printf '%s\n' "$instance" > "$volume/.pandora-instance"
    chown "$(stat -c %u:%g "$volume")" "$volume/.pandora-instance"
  fi
done
)SH";

struct Candidate {
  std::string key;
  const StackVolume* volume = nullptr;
  const ServiceSight* service = nullptr;
};

std::vector<Candidate> candidates(const InstanceVolumes& volumes, const StackSight& sight, const std::string& project,
                                  const StackFolder& folder) {
  std::vector<Candidate> found;
  for (const auto& [key, choice] : volumes.current) {
    const StackVolume* volume = nullptr;
    for (const auto& one : volumes.all)
      if (one.project == project && one.key == key) volume = &one;
    if (!volume) volume = find_volume(volumes.all, fmt::format("{}_{}", project, key));
    if (!volume || (volume->instance == folder.instance && volume->name == choice.name)) continue;
    const ServiceSight* service = nullptr;
    for (const auto& one : sight.services)
      if (std::ranges::find(one.volumes, choice.name) != one.volumes.end()) service = &one;
    found.push_back({key, volume, service});
  }
  return found;
}

Status check_unused(const Candidate& candidate) {
  for (const auto& user : candidate.volume->users)
    if (user.running)
      return fail(ErrorCode::kConflict,
                  fmt::format("{} is in use by the container {}", candidate.volume->name, user.container),
                  fmt::format("docker stop {}, then try again", user.container));
  return {};
}

// What it holds; an error when that is not what its key says.
Result<std::string> what_it_holds(const Candidate& candidate, const VolumeContents& inside,
                                  const std::string& instance) {
  const std::string& name = candidate.volume->name;
  const std::string taken(trim(inside.marker)), postgres(trim(inside.postgres));
  if (!taken.empty() && taken != instance)
    return fail(ErrorCode::kConflict, fmt::format("{} was taken over by the instance {}", name, taken),
                "undo that there first, as it was told then");
  if (inside.is_empty) return std::string("nothing");
  if (candidate.key == "postgres_data") {
    if (postgres.empty())
      return fail(ErrorCode::kDataCorrupt, fmt::format("{} holds no PostgreSQL: there is no PG_VERSION in it", name));
    if (!candidate.service || postgres != candidate.service->major_version())
      return fail(ErrorCode::kIncompatible,
                  fmt::format("{} holds the data of PostgreSQL {}, but the image is {}", name, postgres,
                              candidate.service ? candidate.service->image : "none"),
                  fmt::format("dump it with PostgreSQL {} and restore the dump here", postgres));
    return "PostgreSQL " + postgres;
  }
  if (candidate.key == "qdrant_data" && !inside.is_qdrant)
    return fail(ErrorCode::kDataCorrupt, fmt::format("{} is no storage of Qdrant: it has no collections", name));
  if (candidate.key == "redis_data" && !inside.is_redis)
    return fail(ErrorCode::kDataCorrupt, fmt::format("{} holds no data of Redis", name));
  return std::string(candidate.key == "qdrant_data" ? "Qdrant" : candidate.key == "redis_data" ? "Redis" : "files");
}

// `env`: as it was before.
std::string undo_of(const std::vector<AdoptedVolume>& taken, const std::string& image, const std::string& env) {
  std::string text;
  for (const auto& volume : taken) {
    std::string give_back = "rm -f /v/.pandora-instance";
    if (volume.user != volume.user_now) give_back += fmt::format(" && chown -R {}:{} /v", volume.user, volume.group);
    text += fmt::format("docker run --rm --network none --user 0:0 --entrypoint sh -v {}:/v {} -c '{}'\n", volume.name,
                        image, give_back);
  }
  std::string before;
  for (const auto& line : parse_env(env))
    if (line.name.starts_with(kVolumes)) before += " " + shell_word(line.text);
  if (!before.empty()) before = fmt::format(" && printf '%s\\n'{} >>.env", before);
  return text + fmt::format("sed -i '/^{}/d' .env{} && pandora init --yes\n", kVolumes, before);
}

// What is decided before anything is touched.
struct Decided {
  std::unique_ptr<StackSession> session;
  InstanceVolumes volumes;
  OneOff take;
  VolumeChoices chosen;
  Adoption adoption;
};

Result<Decided> decide(const std::string& directory, const std::string& project, const Deadline& deadline) {
  Decided decided;
  PANDORA_TRY(session, StackSession::open(directory, {"*"}));
  PANDORA_CHECK(session->hold("init --adopt"));
  PANDORA_TRY(volumes, read_volumes(*session, deadline));
  PANDORA_TRY(sight, session->look());
  const StackFolder& folder = session->folder();
  PANDORA_TRY(env, session->files().read_file(join_path(folder.directory, ".env"), kMaxEnvBytes));
  const auto found = candidates(volumes, sight, project, folder);
  if (found.empty())
    return fail(
        ErrorCode::kNotFound,
        fmt::format("the project \"{}\" has no volume that could be taken over", one_line(ellipsize(project, 64))),
        "docker volume ls names them: PROJECT_qdrant_data, PROJECT_postgres_data and so on");
  for (const auto& candidate : found) PANDORA_CHECK(check_unused(candidate));
  for (const auto& candidate : found)
    if (const auto* present = find_volume(volumes.all, volumes.current.at(candidate.key).name))
      PANDORA_CHECK(check_unused({candidate.key, present, nullptr}));

  PANDORA_TRY(image, any_image(*session, deadline));
  PANDORA_TRY(engine, session->engine());
  std::vector<VolumeMount> mounts;
  for (const auto& candidate : found)
    mounts.push_back({.volume = candidate.volume->name, .key = candidate.key, .writable = true});
  PANDORA_TRY(inside, look_into(*engine, image, mounts, deadline));

  decided.take = {.image = image, .script = kTake, .arguments = {folder.instance}, .mounts = mounts};
  for (const auto& candidate : found) {
    const VolumeContents& contents = inside[candidate.key];
    PANDORA_TRY(holds, what_it_holds(candidate, contents, folder.instance));
    // What root wrote into a volume whose own folder is of another user counts as well.
    const unsigned owner = contents.other_user.value_or(contents.user);
    const unsigned wanted = candidate.service ? candidate.service->user.value_or(owner) : owner;
    const bool is_given = wanted != owner || wanted != contents.user;
    decided.take.arguments.push_back(fmt::format("{}:{}", candidate.key, is_given ? std::to_string(wanted) : ""));
    decided.chosen[candidate.key] = {.name = candidate.volume->name, .adopted = true};
    decided.adoption.taken.push_back({.name = candidate.volume->name,
                                      .key = candidate.key,
                                      .holds = holds,
                                      .user = owner,
                                      .group = owner == contents.user ? contents.group : owner,
                                      .user_now = wanted});
  }
  decided.adoption.undo = undo_of(decided.adoption.taken, image, env);
  decided.session = std::move(session);
  decided.volumes = std::move(volumes);
  return decided;
}

Result<std::vector<AsideVolume>> take(Decided& decided, const Deadline& deadline) {
  PANDORA_TRY(engine, decided.session->engine());
  PANDORA_CHECK(run_one_off(*engine, decided.take, deadline));
  return switch_volumes(*decided.session, decided.volumes, decided.chosen);
}

std::string in_one_line(std::string_view commands) {
  std::string text;
  for (; !commands.empty(); commands.remove_prefix(commands.find('\n') + 1))
    text += (text.empty() ? "" : " && ") + std::string(commands.substr(0, commands.find('\n')));
  return text;
}

}  // namespace

Result<Adoption> adopt(const std::string& directory, const std::string& project) {
  const SystemClock clock;
  const auto deadline = Deadline::after(clock, kPatience);
  auto decided = decide(directory, project, deadline);
  if (!decided) return fail(std::move(decided).error().with_context("nothing was taken over"));
  auto aside = take(*decided, deadline);
  if (!aside)
    return fail(std::move(aside)
                    .error()
                    .with_context("taking it over was begun")
                    .with_remedy(fmt::format("try again; to undo it: {}", in_one_line(decided->adoption.undo))));
  Adoption adoption = std::move(decided->adoption);
  adoption.aside = *std::move(aside);
  return adoption;
}

}  // namespace pandora
