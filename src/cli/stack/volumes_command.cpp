#include "cli/stack/volumes_command.h"

#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/stack/instance_volumes.h"
#include "cli/stack/stack_commands.h"
#include "cli/storage/data_paths.h"
#include "cli/terminal/output.h"
#include "compose/compose_model.h"

namespace pandora {
namespace {

constexpr Duration kPatience = std::chrono::minutes(1), kResetPatience = std::chrono::minutes(15);
constexpr Duration kMovePatience = std::chrono::hours(4);

struct VolumesOptions {
  std::string directory = ".", name, path;
  Consent consent;
};

struct Opened {
  std::unique_ptr<StackSession> session;
  InstanceVolumes volumes;
};
// `command`: it changes something, and nobody else may meanwhile.
Result<Opened> open(const std::string& directory, const std::string& command) {
  PANDORA_TRY(session, StackSession::open(directory, {}));
  const auto deadline = Deadline::after(session->clock(), kPatience);
  if (!command.empty()) {
    PANDORA_CHECK(session->hold(command));
    PANDORA_CHECK(discard_half_copy(*session, deadline));
  }
  PANDORA_TRY(volumes, read_volumes(*session, deadline));
  return Opened{std::move(session), std::move(volumes)};
}

Status ask_for_name(const std::string& name, const std::string& what, const Consent& consent) {
  const auto wrong = [&](const std::string& given) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("\"{}\" is not the name of this instance, which is {}; nothing was done",
                            one_line(ellipsize(given, 64)), name));
  };
  if (!consent.name.empty()) return consent.name == name ? Status() : wrong(consent.name);
  if (!is_terminal(STDIN_FILENO))
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}, and there is no terminal to ask on", what),
                fmt::format("add --yes {} if you mean it", name));
  print_error(fmt::format("{}. Type the name of the instance ({}) to go on: ", what, name));
  std::string answer;
  if (!std::getline(std::cin, answer)) print_error("\n");
  return trim(answer) == name ? Status() : wrong(answer);
}

// Pandora makes no backups yet, so it knows of none that was verified.
Status ask_about_backup(const std::string& what, const Consent& consent) {
  if (consent.no_backup) return {};
  return fail(ErrorCode::kConflict, fmt::format("{}, and no verified backup of it exists", what),
              "make one first, or add --no-backup if you can do without");
}

std::string day(Timestamp time) { return to_iso8601(time).substr(0, 10); }

std::string users_of(const StackVolume& volume) {
  std::string text;
  for (const auto& user : volume.users)
    text += fmt::format("{}{}{}", text.empty() ? "" : ", ", user.container, user.running ? "" : " (stopped)");
  return text;
}

struct VolumeLine {
  std::string name, key, state, users;
  std::optional<std::uint64_t> bytes;
  std::string keep_until;
};

Result<std::vector<VolumeLine>> lines_of(Opened& opened) {
  PANDORA_TRY(engine, opened.session->engine());
  const auto deadline = Deadline::after(opened.session->clock(), kPatience);
  PANDORA_TRY(sizes, engine->volume_sizes(deadline));
  std::vector<VolumeLine> lines;
  const auto add = [&](const std::string& name, const std::string& key, std::string state, std::string keep_until) {
    const StackVolume* volume = find_volume(opened.volumes.all, name);
    const auto size = sizes.find(name);
    lines.push_back({.name = name,
                     .key = key,
                     .state = volume ? std::move(state) : "not made yet",
                     .users = volume ? users_of(*volume) : "",
                     .bytes = size == sizes.end() ? std::nullopt : std::optional(size->second),
                     .keep_until = std::move(keep_until)});
  };
  const auto strangers = opened.volumes.strangers(opened.session->folder());
  for (const auto& [key, choice] : opened.volumes.current) {
    const bool strange = std::ranges::any_of(strangers, [&](const StackVolume* v) { return v->name == choice.name; });
    add(choice.name, key, strange ? "of another instance" : choice.adopted ? "in use, taken over" : "in use", "");
  }
  for (const auto& aside : opened.volumes.aside)
    add(aside.name, aside.key, "set aside " + day(aside.since), to_iso8601(aside.keep_until));
  return lines;
}

std::string size_text(const std::optional<std::uint64_t>& bytes) {
  constexpr double kMega = 1e6;
  return bytes ? fmt::format("{:.1f} MB", static_cast<double>(*bytes) / kMega) : "";
}

int list_volumes(const VolumesOptions& options, bool json) {
  auto opened = open(options.directory, "");
  if (!opened) return report(opened.error());
  const auto lines = lines_of(*opened);
  if (!lines) return report(lines.error());
  Json list = Json::array();
  std::string text;
  for (const auto& line : *lines) {
    list.push_back({{"volume", line.name},
                    {"key", line.key},
                    {"state", line.state},
                    {"bytes", line.bytes ? Json(*line.bytes) : Json()},
                    {"used_by", line.users},
                    {"keep_until", line.keep_until}});
    text += fmt::format("{} {:>10}  {}{}{}\n", bold(line.name, 32), size_text(line.bytes), line.state,
                        line.keep_until.empty() ? "" : ", kept until " + line.keep_until.substr(0, 10),
                        line.users.empty() ? "" : ": " + line.users);
    if (!line.keep_until.empty()) text += fmt::format("{:32} → pandora volumes restore {}\n", "", line.name);
  }
  print_out(json ? Json{{"volumes", list}}.dump(2) + "\n" : text);
  return 0;
}

// Nothing of other people's is looked at, or touched.
Result<const StackVolume*> ours(const Opened& opened, const std::string& name) {
  const std::string key = opened.volumes.key_of(name);
  const StackVolume* volume = find_volume(opened.volumes.all, name);
  for (const auto* stranger : opened.volumes.strangers(opened.session->folder()))
    if (stranger == volume)
      return fail(ErrorCode::kConflict, fmt::format("{} is marked as the volume of another instance", name),
                  "`pandora doctor` says what can be done");
  if (volume && (!key.empty() || opened.volumes.find_aside(name))) return volume;
  return fail(ErrorCode::kNotFound, fmt::format("{} is no volume of {}", name, opened.session->folder().name),
              "`pandora volumes list` names them");
}

int inspect_volume(const VolumesOptions& options, bool json) {
  auto opened = open(options.directory, "");
  if (!opened) return report(opened.error());
  const auto volume = ours(*opened, options.name);
  if (!volume) return report(volume.error());
  const auto deadline = Deadline::after(opened->session->clock(), kPatience);
  const auto image = any_image(*opened->session, deadline);
  if (!image) return report(image.error());
  const auto engine = opened->session->engine();
  const auto looked = look_into(**engine, *image, {{.volume = options.name, .key = "one"}}, deadline);
  if (!looked) return report(looked.error());
  const VolumeContents& inside = looked->at("one");
  const AsideVolume* aside = opened->volumes.find_aside(options.name);
  const std::string key = aside ? aside->key : opened->volumes.key_of(options.name);
  std::string holds = !inside.postgres.empty() ? "PostgreSQL " + std::string(trim(inside.postgres))
                      : inside.is_qdrant       ? "Qdrant"
                      : inside.is_redis        ? "Redis"
                      : inside.is_empty        ? "nothing"
                                               : "other files";
  const Json result = {{"volume", options.name},
                       {"key", key},
                       {"instance", (*volume)->instance},
                       {"taken_over_by", inside.marker},
                       {"project", (*volume)->project},
                       {"created", (*volume)->created},
                       {"holds", holds},
                       {"user", inside.user},
                       {"group", inside.group},
                       {"mode", fmt::format("{:04o}", inside.mode)},
                       {"free_bytes", inside.free_bytes},
                       {"used_by", users_of(**volume)},
                       {"state", aside ? "set aside" : "in use"},
                       {"keep_until", aside ? Json(to_iso8601(aside->keep_until)) : Json()}};
  std::string text;
  for (const auto& [name, value] : result.items())
    if (!value.is_null() && value != "")
      text += fmt::format("{} {}\n", bold(name, 14), value.is_string() ? value.get<std::string>() : value.dump());
  print_out(json ? result.dump(2) + "\n" : visible(text));
  return 0;
}

int browse_volume(const VolumesOptions& options, bool json) {
  auto opened = open(options.directory, "");
  if (!opened) return report(opened.error());
  if (const auto volume = ours(*opened, options.name); !volume) return report(volume.error());
  const auto deadline = Deadline::after(opened->session->clock(), kPatience);
  const auto image = any_image(*opened->session, deadline);
  if (!image) return report(image.error());
  const auto files = browse(**opened->session->engine(), *image, options.name, options.path, deadline);
  if (!files) return report(files.error());
  Json list = Json::array();
  std::string text;
  for (const auto& file : *files) {
    const std::string changed = to_iso8601({file.changed_at * 1'000'000});
    list.push_back({{"name", sanitize_utf8(file.name)},
                    {"kind", file.kind},
                    {"size", file.size},
                    {"user", file.user},
                    {"group", file.group},
                    {"mode", fmt::format("{:04o}", file.mode)},
                    {"changed", changed}});
    text += fmt::format("{:04o} {:>5} {:>5} {:>12} {} {}{}\n", file.mode, file.user, file.group, file.size,
                        changed.substr(0, 19), file.name, file.kind == "directory" ? "/" : "");
  }
  print_out(json ? Json{{"volume", options.name}, {"path", options.path}, {"files", list}}.dump(2) + "\n"
                 : visible(text));
  return 0;
}

Result<std::string> remove_volume(const VolumesOptions& options) {
  PANDORA_TRY(opened, open(options.directory, "volumes remove"));
  PANDORA_TRY(volume, ours(opened, options.name));
  const std::string& instance = opened.session->folder().name;
  const AsideVolume* aside = opened.volumes.find_aside(options.name);
  if (!aside)
    return fail(ErrorCode::kConflict, fmt::format("{} is in use by {}", options.name, instance),
                "`pandora reset` sets it aside first");
  if (!volume->users.empty())
    return fail(ErrorCode::kConflict, fmt::format("{} is used by {}", options.name, users_of(*volume)),
                fmt::format("docker rm -f {}", volume->users[0].container));
  if (aside->keep_until > opened.session->clock().now())
    PANDORA_CHECK(ask_about_backup(fmt::format("{} is to be kept until {}", options.name, day(aside->keep_until)),
                                   options.consent));
  PANDORA_CHECK(ask_for_name(instance, fmt::format("{} and all that is in it will be gone for good", options.name),
                             options.consent));
  PANDORA_CHECK(
      remove_aside(*opened.session, opened.volumes, options.name, Deadline::after(opened.session->clock(), kPatience)));
  return fmt::format("{} is gone.\n", options.name);
}

std::string restore_lines(const std::vector<AsideVolume>& aside) {
  std::string text;
  for (const auto& volume : aside)
    text += fmt::format("  {} is set aside, kept until {} → pandora volumes restore {}\n", volume.name,
                        day(volume.keep_until), volume.name);
  return text;
}

Json json_of(const std::vector<AsideVolume>& aside) {
  Json list = Json::array();
  for (const auto& volume : aside)
    list.push_back({{"volume", volume.name},
                    {"key", volume.key},
                    {"keep_until", to_iso8601(volume.keep_until)},
                    {"restore", "pandora volumes restore " + volume.name}});
  return list;
}

Status check_unused(const InstanceVolumes& volumes, const std::string& name) {
  const StackVolume* volume = find_volume(volumes.all, name);
  if (!volume || volume->users.empty()) return {};
  return fail(ErrorCode::kConflict, fmt::format("{} is used by {}", name, users_of(*volume)),
              "docker compose down (volumes stay), then try again");
}

Result<std::vector<AsideVolume>> restore(const VolumesOptions& options) {
  PANDORA_TRY(opened, open(options.directory, "volumes restore"));
  PANDORA_CHECK(ours(opened, options.name));
  const AsideVolume* aside = opened.volumes.find_aside(options.name);
  if (!aside) return fail(ErrorCode::kConflict, fmt::format("{} is in use already", options.name));
  if (!opened.volumes.current.contains(aside->key))
    return fail(ErrorCode::kNotFound, fmt::format("nobody knows what {} holds", options.name),
                "name it in .env yourself (PANDORA_VOLUME_…)");
  PANDORA_CHECK(check_unused(opened.volumes, opened.volumes.current.at(aside->key).name));
  PANDORA_CHECK(check_unused(opened.volumes, options.name));
  return switch_volumes(*opened.session, opened.volumes,
                        {{aside->key, {.name = aside->name, .adopted = aside->adopted}}});
}

Result<std::vector<AsideVolume>> move(const VolumesOptions& options) {
  PANDORA_TRY(opened, open(options.directory, "volumes move"));
  PANDORA_CHECK(ours(opened, options.name));
  const std::string key = opened.volumes.key_of(options.name);
  if (key.empty())
    return fail(ErrorCode::kConflict, fmt::format("{} is set aside: only one in use is moved", options.name),
                fmt::format("pandora volumes restore {}", options.name));
  PANDORA_CHECK(check_unused(opened.volumes, options.name));
  return move_volume(*opened.session, opened.volumes, key, Deadline::after(opened.session->clock(), kMovePatience));
}

Result<std::vector<AsideVolume>> reset(const ResetOptions& options, const std::string& command,
                                       const HostContext& context) {
  PANDORA_TRY(opened, open(options.directory, command));
  const StackFolder& folder = opened.session->folder();
  for (const auto* stranger : opened.volumes.strangers(folder))
    return fail(ErrorCode::kConflict, fmt::format("{} is marked as the volume of another instance", stranger->name),
                "`pandora doctor` says what can be done");
  const std::string what = fmt::format("{} would begin anew, with empty stores", folder.name);
  PANDORA_CHECK(ask_about_backup(what, options.consent));
  PANDORA_CHECK(ask_for_name(folder.name,
                             fmt::format("{}; the present volumes are set aside, and no verified backup exists", what),
                             options.consent));
  if (host_down(context.config, false) != 0)
    return fail(ErrorCode::kConflict, "the processes of this machine could not be ended; nothing was set aside",
                "`pandora host status` names them");
  const auto deadline = Deadline::after(opened.session->clock(), kResetPatience);
  PANDORA_CHECK(remove_containers(*opened.session, opened.volumes, deadline));
  std::vector<std::string> keys;
  for (const auto& [key, choice] : opened.volumes.current) keys.push_back(key);
  return set_aside(*opened.session, opened.volumes, keys);
}

void add_consent(CLI::App& command, Consent& consent) {
  command.add_option("-y,--yes", consent.name, "the name of the instance, in place of being asked for it");
  command.add_flag("--no-backup", consent.no_backup, "there is no verified backup, and none is wanted");
}

}  // namespace

int reset_instance(const ResetOptions& options, const std::string& command, const HostContext& context, bool json) {
  const auto aside = reset(options, command, context);
  if (!aside) return report(aside.error());
  if (json) {
    print_out(Json{{"set_aside", json_of(*aside)}}.dump(2) + "\n");
    return 0;
  }
  print_out("The containers are gone; the next start makes new, empty volumes.\n" + restore_lines(*aside));
  const auto place = data_paths(context.config);
  const bool served = context.config.string("rows.store") == "postgres";
  if (place && served)
    print_out(
        fmt::format("What was said stays in {}: after `pandora up`, `pandora reconcile --apply` brings it into the "
                    "new stores.\n",
                    place->root));
  return 0;
}

void add_volumes_commands(CLI::App& app, StackInvocation& to) {
  CLI::App* group = app.add_subcommand("volumes", "what the data of the stack's stores is kept in");
  group->require_subcommand(1);
  const auto add = [&](const char* name, const char* help, bool names_one) {
    CLI::App* command = group->add_subcommand(name, help);
    const auto options = std::make_shared<VolumesOptions>();
    if (names_one) command->add_option("volume", options->name, "its name, as in `volumes list`")->required();
    command->add_option("--dir", options->directory, "the instance's folder (the present directory)");
    return std::pair(command, options);
  };
  const auto [list, listed] = add("list", "those in use, and those set aside", false);
  list->callback([&to, options = listed] {
    to.run = [options](const HostContext&, bool json) { return list_volumes(*options, json); };
  });
  const auto [inspect, inspected] = add("inspect", "whose it is, what it holds, who uses it", true);
  inspect->callback([&to, options = inspected] {
    to.run = [options](const HostContext&, bool json) { return inspect_volume(*options, json); };
  });
  const auto [look, browsed] = add("browse", "the files in it; nothing is changed", true);
  look->add_option("path", browsed->path, "a folder in it");
  look->callback([&to, options = browsed] {
    to.run = [options](const HostContext&, bool json) { return browse_volume(*options, json); };
  });
  const auto [back, restored] = add("restore", "use one again that was set aside; the present one is set aside", true);
  back->callback([&to, options = restored] {
    to.run = [options](const HostContext&, bool json) {
      const auto aside = restore(*options);
      if (!aside) return report(aside.error());
      print_out(json ? Json{{"restored", options->name}, {"set_aside", json_of(*aside)}}.dump(2) + "\n"
                     : fmt::format("{} is in use from the next start on.\n{}", options->name, restore_lines(*aside)));
      return 0;
    };
  });
  const auto [place, moved] =
      add("move", "copy one in use to where Docker keeps its own; the old one is set aside", true);
  place->callback([&to, options = moved] {
    to.run = [options](const HostContext&, bool json) {
      const auto aside = move(*options);
      if (!aside) return report(aside.error());
      print_out(json ? Json{{"moved", options->name}, {"set_aside", json_of(*aside)}}.dump(2) + "\n"
                     : fmt::format("The copy is in use from the next start on.\n{}", restore_lines(*aside)));
      return 0;
    };
  });
  const auto [remove, removed] =
      add("remove", "delete one that was set aside, for good; asks for the instance's name", true);
  add_consent(*remove, removed->consent);
  remove->callback([&to, options = removed] {
    to.run = [options](const HostContext&, bool json) {
      const auto text = remove_volume(*options);
      if (!text) return report(text.error());
      print_out(json ? Json{{"removed", options->name}}.dump(2) + "\n" : *text);
      return 0;
    };
  });
  CLI::App* command = app.add_subcommand("reset", "begin anew with empty stores; the present volumes are set aside");
  const auto options = std::make_shared<ResetOptions>();
  command->add_option("--dir", options->directory, "the instance's folder (the present directory)");
  add_consent(*command, options->consent);
  command->callback([&to, options] {
    to.folder = options->directory;
    to.run = [options](const HostContext& context, bool json) {
      return reset_instance(*options, "reset", context, json);
    };
  });
}

}  // namespace pandora
