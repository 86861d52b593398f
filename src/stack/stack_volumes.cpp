#include "stack/stack_volumes.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "compose/compose_model.h"

namespace pandora {
namespace {

// Fifteen fields a volume. What is not there prints as nothing.
constexpr const char* kLook = R"SH(
set -u
for v in /volumes/*; do
  printf '%s\0' "${v##*/}"
  for f in %u %g %a; do printf '%s\0' "$(stat -c "$f" "$v")"; done
  for f in %S %b %a %c %d; do printf '%s\0' "$(stat -f -c "$f" "$v")"; done
  for f in .pandora-instance PG_VERSION; do
    if [ -f "$v/$f" ]; then printf '%s\0' "$(head -c 64 "$v/$f")"; else printf '\0'; fi
  done
  if [ -e "$v/raft_state.json" ] || [ -d "$v/collections" ]; then printf 'yes\0'; else printf '\0'; fi
  if [ -d "$v/appendonlydir" ] || [ -e "$v/dump.rdb" ]; then printf 'yes\0'; else printf '\0'; fi
  if [ -n "$(ls -A "$v")" ]; then printf '\0'; else printf 'yes\0'; fi
  f=$(find "$v" -maxdepth 2 ! -name lost+found ! -user "$(stat -c %u "$v")" | head -n 1)
  if [ -n "$f" ]; then printf '%s\0' "$(stat -c %u "$f")"; else printf '\0'; fi
done
)SH";
constexpr std::size_t kLookFields = 15;

// $1: the path, $2: how many at most. Seven fields a file.
constexpr const char* kBrowse = R"SH(
cd "/volumes/browsed/$1" || { printf 'missing\0'; exit 0; }
n=0
for f in * .[!.]* ..?*; do
  [ -e "$f" ] || [ -L "$f" ] || continue
  n=$((n + 1))
  [ "$n" -le "$2" ] || break
  if [ -L "$f" ]; then k=link; elif [ -d "$f" ]; then k=directory; elif [ -f "$f" ]; then k=file; else k=other; fi
  printf '%s\0' "$k" "$f"
  for s in %u %g %a %s %Y; do printf '%s\0' "$(stat -c "$s" "./$f")"; done
done
)SH";
constexpr std::size_t kBrowseFields = 7;

template <class Number>
Number number_of(const std::string& text, int base = 10) {
  Number number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number, base);
  return number;
}

void add_users(const Json& containers, std::map<std::string, StackVolume>& volumes) {
  for (const auto& container : containers) {
    const Json& names = member(container, "Names");
    std::string name = names.is_array() && !names.empty() && names[0].is_string() ? names[0].get<std::string>() : "";
    if (name.starts_with('/')) name.erase(0, 1);
    const std::string state = text_in(container, "State");
    for (const auto& mount : member(container, "Mounts")) {
      const auto found = volumes.find(text_in(mount, "Name"));
      if (text_in(mount, "Type") == "volume" && found != volumes.end())
        found->second.users.push_back({.container = name,
                                       .service = text_in(member(container, "Labels"), "com.docker.compose.service"),
                                       .running = state == "running" || state == "paused" || state == "restarting"});
    }
  }
}

Error strange_answer() { return {ErrorCode::kUnavailable, "the look into the volumes printed what it should not", ""}; }

}  // namespace

Result<std::vector<StackVolume>> engine_volumes(DockerEngine& engine, const Deadline& deadline) {
  PANDORA_TRY(answer, engine.get("/volumes", deadline));
  std::map<std::string, StackVolume> volumes;
  for (const auto& value : member(answer, "Volumes")) {
    const Json& labels = member(value, "Labels");
    const std::string name = text_in(value, "Name");
    volumes[name] = {.name = name,
                     .instance = text_in(labels, std::string(kInstanceLabel)),
                     .project = text_in(labels, "com.docker.compose.project"),
                     .key = text_in(labels, "com.docker.compose.volume"),
                     .created = text_in(value, "CreatedAt"),
                     .users = {}};
  }
  PANDORA_TRY(containers, engine.get("/containers/json?all=1", deadline));
  add_users(containers, volumes);
  std::vector<StackVolume> all;
  for (auto& [name, volume] : volumes) all.push_back(std::move(volume));
  return all;
}

const StackVolume* find_volume(const std::vector<StackVolume>& volumes, std::string_view name) {
  const auto found = std::ranges::find(volumes, name, &StackVolume::name);
  return found == volumes.end() ? nullptr : &*found;
}

Result<std::map<std::string, VolumeContents>> look_into(DockerEngine& engine, const std::string& image,
                                                        const std::vector<VolumeMount>& mounts,
                                                        const Deadline& deadline) {
  std::map<std::string, VolumeContents> found;
  if (mounts.empty()) return found;
  OneOff look{.image = image, .script = kLook, .arguments = {}, .mounts = mounts};
  for (auto& mount : look.mounts) mount.writable = false;
  PANDORA_TRY(printed, run_one_off(engine, look, deadline));
  const auto fields = split_at_zeros(printed);
  if (fields.size() != mounts.size() * kLookFields) return fail(strange_answer());
  for (std::size_t i = 0; i < fields.size(); i += kLookFields) {
    const auto number = [&](std::size_t field) { return number_of<std::uint64_t>(fields[i + field]); };
    found[fields[i]] = {
        .user = number_of<unsigned>(fields[i + 1]),
        .group = number_of<unsigned>(fields[i + 2]),
        .mode = number_of<unsigned>(fields[i + 3], 8),
        .other_user = fields[i + 14].empty() ? std::nullopt : std::optional(number_of<unsigned>(fields[i + 14])),
        .bytes = number(4) * number(5),
        .free_bytes = number(4) * number(6),
        .files = number(7),
        .free_files = number(8),
        .marker = fields[i + 9],
        .postgres = fields[i + 10],
        .is_qdrant = !fields[i + 11].empty(),
        .is_redis = !fields[i + 12].empty(),
        .is_empty = !fields[i + 13].empty()};
  }
  return found;
}

Result<std::vector<VolumeFile>> browse(DockerEngine& engine, const std::string& image, const std::string& volume,
                                       const std::string& path, const Deadline& deadline) {
  if (("/" + path + "/").find("/../") != std::string::npos)
    return fail(ErrorCode::kInvalidArgument, fmt::format("{} leads out of the volume", path));
  const OneOff look{.image = image,
                    .script = kBrowse,
                    .arguments = {path, std::to_string(kMaxVolumeFiles + 1)},
                    .mounts = {{.volume = volume, .key = "browsed", .writable = false}}};
  PANDORA_TRY(printed, run_one_off(engine, look, deadline));
  const auto fields = split_at_zeros(printed);
  if (fields.size() == 1) return fail(ErrorCode::kNotFound, fmt::format("{} has no folder {}", volume, path));
  if (fields.size() > kMaxVolumeFiles * kBrowseFields)
    return fail(ErrorCode::kTooLarge, fmt::format("{} has more than {} files there", volume, kMaxVolumeFiles));
  if (fields.size() % kBrowseFields != 0) return fail(strange_answer());
  std::vector<VolumeFile> files;
  for (std::size_t i = 0; i < fields.size(); i += kBrowseFields)
    files.push_back({.name = fields[i + 1],
                     .kind = fields[i],
                     .user = number_of<unsigned>(fields[i + 2]),
                     .group = number_of<unsigned>(fields[i + 3]),
                     .mode = number_of<unsigned>(fields[i + 4], 8),
                     .size = number_of<std::uint64_t>(fields[i + 5]),
                     .changed_at = number_of<std::int64_t>(fields[i + 6])});
  std::ranges::sort(files, {}, &VolumeFile::name);
  return files;
}

}  // namespace pandora
