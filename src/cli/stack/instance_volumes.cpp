#include "cli/stack/instance_volumes.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "cli/storage/data_paths.h"
#include "compose/compose_model.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxFile = 1u << 20;
constexpr unsigned kReadable = 0644;
constexpr int kStopSeconds = 120;  // as the Compose files have it

// By days: nobody sets aside twice a day what is to be told apart.
AsideVolume volume_of(const AsideEntry& entry) {
  const Timestamp since = parse_iso8601(entry.since).value_or(Timestamp{});
  return {
      .name = entry.name, .key = entry.key, .since = since, .keep_until = since + kKeptAside, .adopted = entry.adopted};
}
AsideEntry entry_of(const AsideVolume& volume) {
  return {.name = volume.name,
          .key = volume.key,
          .since = to_iso8601(volume.since).substr(0, 10),
          .adopted = volume.adopted};
}

// The key in "pandora_postgres_data_3", where no label says it.
std::string key_in(std::string_view name) {
  for (const auto key : volume_keys())
    if (name.find(key) != std::string_view::npos) return std::string(key);
  return "";
}

std::string unused_name(const InstanceVolumes& volumes, const std::string& instance, const std::string& key) {
  std::string name = fmt::format("{}_{}", instance, key);
  for (int number = 2; find_volume(volumes.all, name); ++number) name = fmt::format("{}_{}_{}", instance, key, number);
  return name;
}

// A file that names the volume which is being copied into: until it is gone that is no copy, whatever its label says.
std::string copying_note(const StackFolder& folder) { return join_path(folder.state_directory(), "copying"); }

Result<std::string> half_copy(StackSession& session) {
  auto note = session.files().read_file(copying_note(session.folder()), kMaxFile);
  if (!note && note.error().code == ErrorCode::kNotFound) return std::string();
  if (!note) return fail(note.error());
  return std::string(trim(*note));
}

}  // namespace

std::string InstanceVolumes::key_of(std::string_view name) const {
  for (const auto& [key, volume] : current)
    if (volume.name == name) return key;
  return "";
}

const AsideVolume* InstanceVolumes::find_aside(std::string_view name) const {
  const auto found = std::ranges::find(aside, name, &AsideVolume::name);
  return found == aside.end() ? nullptr : &*found;
}

std::vector<const StackVolume*> InstanceVolumes::strangers(const StackFolder& folder) const {
  std::vector<const StackVolume*> found;
  for (const auto& [key, choice] : current) {
    const StackVolume* volume = find_volume(all, choice.name);
    if (volume && !choice.adopted && volume->instance != folder.instance) found.push_back(volume);
  }
  return found;
}

Result<InstanceVolumes> read_volumes(StackSession& session, const Deadline& deadline) {
  const StackFolder& folder = session.folder();
  PANDORA_TRY(env, session.files().read_file(join_path(folder.directory, ".env"), kMaxFile));
  PANDORA_TRY(engine, session.engine());
  InstanceVolumes volumes{.current = volume_choices(folder.name, env), .aside = {}, .all = {}};
  PANDORA_TRY(all, engine_volumes(*engine, deadline));
  volumes.all = std::move(all);
  for (const auto& entry : volumes_aside(env))
    if (volumes.key_of(entry.name).empty() && find_volume(volumes.all, entry.name))
      volumes.aside.push_back(volume_of(entry));
  PANDORA_TRY(half, half_copy(session));
  for (const auto& volume : volumes.all) {  // .env was lost; its label says whose it is
    if (volume.instance != folder.instance || volume.name == half || !volumes.key_of(volume.name).empty() ||
        volumes.find_aside(volume.name))
      continue;
    const auto made = parse_iso8601(volume.created);
    const Timestamp since = made ? *made : Timestamp{};
    volumes.aside.push_back({.name = volume.name,
                             .key = volume.key.empty() ? key_in(volume.name) : volume.key,
                             .since = since,
                             .keep_until = session.clock().now() + kKeptAside,
                             .adopted = false});
  }
  std::ranges::stable_sort(volumes.aside, {}, &AsideVolume::since);
  return volumes;
}

Result<std::string> any_image(StackSession& session, const Deadline& deadline) {
  PANDORA_TRY(engine, session.engine());
  for (const auto& [name, image] : session.folder().variables) {
    if (!name.starts_with("PANDORA_IMAGE_")) continue;
    const auto id = engine->image_id(image, deadline);
    if (id) return image;
    if (id.error().code != ErrorCode::kNotFound) return fail(id.error());
  }
  return fail(ErrorCode::kNotFound, "no image of the instance is on this machine, and no foreign one is used",
              "docker compose pull");
}

Status remove_containers(StackSession& session, const InstanceVolumes& volumes, const Deadline& deadline) {
  const StackFolder& folder = session.folder();
  PANDORA_TRY(engine, session.engine());
  PANDORA_TRY(containers, engine->containers(deadline));
  std::erase_if(containers, [&](const Container& container) { return container.project != folder.name; });
  for (const auto& container : containers)
    for (const auto& volume : volumes.all)
      for (const auto& user : volume.users)
        if (user.container == container.name && !volume.instance.empty() && volume.instance != folder.instance &&
            volumes.key_of(volume.name).empty())
          return fail(
              ErrorCode::kConflict,
              fmt::format("the container {} uses the volume {} of another instance: the project \"{}\" is in use "
                          "twice on this machine",
                          container.name, volume.name, folder.name),
              "run this in the folder of that instance, or give this one a name of its own");
  // A volume without a name may be of a service that the user has added: nobody could have it back.
  for (const auto& container : containers) {
    PANDORA_CHECK(
        engine->call("POST", fmt::format("/containers/{}/stop?t={}", container.id, kStopSeconds), nullptr, deadline));
    PANDORA_CHECK(engine->call("DELETE", fmt::format("/containers/{}?force=1", container.id), nullptr, deadline));
  }
  PANDORA_TRY(networks, engine->get("/networks", deadline));
  for (const auto& network : networks)
    if (text_in(member(network, "Labels"), "com.docker.compose.project") == folder.name)
      PANDORA_CHECK(engine->call("DELETE", "/networks/" + text_in(network, "Id"), nullptr, deadline));
  return {};
}

Result<std::vector<AsideVolume>> switch_volumes(StackSession& session, const InstanceVolumes& volumes,
                                                const VolumeChoices& chosen) {
  const StackFolder& folder = session.folder();
  FileSystem& files = session.files();
  const std::string env_path = join_path(folder.directory, ".env");
  const std::string compose_path = join_path(folder.directory, "compose.yaml");
  PANDORA_TRY(env, files.read_file(env_path, kMaxFile));
  PANDORA_TRY(compose, files.read_file(compose_path, kMaxFile));
  VolumeChoices all = volumes.current;
  for (const auto& [key, choice] : chosen) all[key] = choice;
  PANDORA_TRY(new_compose, compose_with_volumes(compose, all));

  std::vector<AsideVolume> gone;
  std::vector<AsideEntry> kept;
  const Timestamp now = session.clock().now();
  for (const auto& [key, choice] : chosen) {
    const VolumeChoice& before = volumes.current.at(key);
    if (before.name == choice.name || !find_volume(volumes.all, before.name)) continue;
    gone.push_back(
        {.name = before.name, .key = key, .since = now, .keep_until = now + kKeptAside, .adopted = before.adopted});
  }
  for (const auto& entry : volumes.aside)
    if (std::ranges::none_of(chosen, [&](const auto& item) { return item.second.name == entry.name; }))
      kept.push_back(entry_of(entry));
  for (const auto& volume : gone) kept.push_back(entry_of(volume));
  if (new_compose != compose) {
    PANDORA_CHECK(files.write_atomic(compose_path, new_compose, Durability::kNow));
    PANDORA_CHECK(set_mode(compose_path, kReadable));
  }
  PANDORA_CHECK(files.write_atomic(env_path, env_with_volumes(env, all, kept), Durability::kNow));
  return gone;
}

Result<std::vector<AsideVolume>> set_aside(StackSession& session, const InstanceVolumes& volumes,
                                           const std::vector<std::string>& keys) {
  VolumeChoices chosen;
  for (const auto& key : keys)
    if (find_volume(volumes.all, volumes.current.at(key).name))
      chosen[key] = {.name = unused_name(volumes, session.folder().name, key), .adopted = false};
  return switch_volumes(session, volumes, chosen);
}

Status discard_half_copy(StackSession& session, const Deadline& deadline) {
  PANDORA_TRY(name, half_copy(session));
  const std::string note = copying_note(session.folder());
  if (name.empty()) return {};
  PANDORA_TRY(volumes, read_volumes(session, deadline));
  if (find_volume(volumes.all, name) && volumes.key_of(name).empty()) {
    PANDORA_TRY(engine, session.engine());
    // What copied may still be at it: the Engine's containers outlive whoever has started them.
    PANDORA_TRY(containers, engine->get("/containers/json?all=1", deadline));
    for (const auto& container : containers) {
      const Json& mounts = member(container, "Mounts");
      const bool uses_it =
          std::ranges::any_of(mounts, [&](const Json& mount) { return text_in(mount, "Name") == name; });
      if (uses_it && !text_in(member(container, "Labels"), "pandora.one_off").empty())
        PANDORA_CHECK(engine->call("DELETE", fmt::format("/containers/{}?force=1&v=1", text_in(container, "Id")),
                                   nullptr, deadline));
    }
    PANDORA_CHECK(engine->call("DELETE", "/volumes/" + name, nullptr, deadline));
  }
  return session.files().remove_file(note);
}

Result<std::vector<AsideVolume>> move_volume(StackSession& session, const InstanceVolumes& volumes,
                                             const std::string& key, const Deadline& deadline) {
  const StackFolder& folder = session.folder();
  const std::string& from = volumes.current.at(key).name;
  const std::string to = unused_name(volumes, folder.name, key);
  PANDORA_TRY(image, any_image(session, deadline));
  PANDORA_TRY(engine, session.engine());
  const Json wanted = {{"Name", to},
                       {"Labels",
                        {{kInstanceLabel, folder.instance},
                         {"com.docker.compose.project", folder.name},
                         {"com.docker.compose.volume", key}}}};
  const std::string note = copying_note(folder);
  PANDORA_CHECK(session.files().write_atomic(note, to + "\n", Durability::kNow));
  PANDORA_CHECK(engine->call("POST", "/volumes/create", wanted, deadline));
  // With the mode and the owner of the folder itself.
  const OneOff copy{
      .image = image,
      .script =
          "set -e; cp -a /volumes/from/. /volumes/to/; chmod \"$(stat -c %a /volumes/from)\" /volumes/to; "
          "chown \"$(stat -c %u:%g /volumes/from)\" /volumes/to; sync",
      .arguments = {},
      .mounts = {{.volume = from, .key = "from"}, {.volume = to, .key = "to", .writable = true}}};
  if (auto copied = run_one_off(*engine, copy, deadline); !copied) {
    (void)discard_half_copy(session, deadline);  // what is left of it the next command discards
    return fail(std::move(copied).error().with_context(fmt::format("copying {}; nothing has changed", from)));
  }
  PANDORA_TRY(aside, switch_volumes(session, volumes, {{key, {.name = to, .adopted = false}}}));
  (void)session.files().remove_file(note);  // it names what is in use, and so no half copy
  return aside;
}

Status remove_aside(StackSession& session, const InstanceVolumes& volumes, const std::string& name,
                    const Deadline& deadline) {
  PANDORA_TRY(engine, session.engine());
  PANDORA_CHECK(engine->call("DELETE", "/volumes/" + name, nullptr, deadline));
  const std::string path = join_path(session.folder().directory, ".env");
  PANDORA_TRY(env, session.files().read_file(path, kMaxFile));
  auto left = volumes_aside(env);
  std::erase_if(left, [&](const AsideEntry& entry) { return entry.name == name; });
  return session.files().write_atomic(path, env_with_volumes(env, volumes.current, left), Durability::kNow);
}

}  // namespace pandora
