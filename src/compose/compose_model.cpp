#include "compose/compose_model.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <span>

#include <fmt/format.h>

namespace pandora {
namespace {

using Places = std::map<std::string, Place>;

constexpr std::array<std::string_view, 9> kTopKeys = {"services", "volumes", "networks", "secrets", "configs",
                                                      "name",     "version", "include",  "x-"};
constexpr std::array<std::string_view, 3> kReplaced = {"command", "entrypoint", "test"};

bool has(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

std::string last_step(const std::string& pointer) { return pointer.substr(pointer.rfind('/') + 1); }

Status interpolate_all(Json& value, const std::string& pointer, const Places& places, const Variables& variables) {
  if (value.is_string()) {
    auto text = interpolate(value.get_ref<const std::string&>(), variables);
    if (!text) {
      const auto at = places.find(pointer);
      return fail(std::move(text).error().with_context(at == places.end() ? pointer : at->second.to_string()));
    }
    value = *text;
  } else if (value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i)
      PANDORA_CHECK(interpolate_all(value[i], pointer_to(pointer, i), places, variables));
  } else if (value.is_object()) {
    for (auto& [name, item] : value.items())
      PANDORA_CHECK(interpolate_all(item, pointer_to(pointer, name), places, variables));
  }
  return {};
}

// What stands below `from` in one document comes to stand below `to` in another.
void copy_places(const Places& source, const std::string& from, Places& into, const std::string& to) {
  for (auto at = source.lower_bound(from); at != source.end() && at->first.starts_with(from); ++at)
    if (at->first.size() == from.size() || at->first[from.size()] == '/')
      into[to + at->first.substr(from.size())] = at->second;
}

// Which service a fragment is of: the one whose variables begin with the same word (POSTGRES_USER,
// POSTGRES_PASSWORD_FILE).
std::string service_of(const Json& fragment, const std::vector<ComposeFile>& others) {
  std::string word;
  if (fragment.contains("environment")) {
    const Json& given = fragment["environment"];
    if (given.is_object() && !given.empty()) word = given.begin().key();
    if (given.is_array() && !given.empty() && given[0].is_string()) word = given[0].get<std::string>();
  }
  word = word.substr(0, word.find_first_of("_="));
  for (const auto& file : others)
    if (!word.empty() && file.value.contains("services"))
      for (const auto& [name, service] : file.value["services"].items())
        if (service.contains("environment"))
          for (const auto& [variable, unused] : service["environment"].items())
            if (variable.starts_with(word + "_")) return name;
  std::string lower;
  for (const char c : word) lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower.empty() ? "fragment" : lower;
}

void wrap_fragment(ComposeFile& file, const std::vector<ComposeFile>& others) {
  const std::string name = service_of(file.value, others);
  const std::string service = pointer_to("/services", name);
  Json whole = Json::object();
  Places places;
  for (const auto& [key, value] : file.value.items()) {
    // Lists of these belong to the service; maps define them for all.
    const bool defines = has(kTopKeys, key) && value.is_object();
    (defines ? whole[key] : whole["services"][name][key]) = value;
    copy_places(file.places, pointer_to("", key), places, pointer_to(defines ? "" : service, key));
  }
  file.value = std::move(whole);
  file.places = std::move(places);
  file.is_fragment = true;
}

class Merge {
 public:
  Merge(ComposeModel& into, const ComposeFile& file) : into_(into), file_(file) {}

  void run() { merge(into_.value, file_.value, ""); }

 private:
  void set(Json& base, const Json& over, const std::string& pointer) {
    base = over;
    copy_places(file_.places, pointer, into_.places, pointer);
  }

  void merge(Json& base, const Json& over, const std::string& pointer) {
    const auto tag = file_.raw.tags.find(pointer);
    const bool replaces = tag != file_.raw.tags.end() && tag->second == "!override";
    if (base.is_null() || replaces || base.type() != over.type()) {
      if (!over.is_null() || base.is_null()) set(base, over, pointer);
      return;
    }
    if (over.is_object()) {
      for (const auto& [name, value] : over.items()) {
        const std::string below = pointer_to(pointer, name);
        const auto reset = file_.raw.tags.find(below);
        if (reset != file_.raw.tags.end() && reset->second == "!reset") {
          base.erase(name);
        } else if (base.contains(name)) {
          merge(base[name], value, below);
        } else {
          set(base[name], value, below);
        }
      }
    } else if (over.is_array() && !has(kReplaced, last_step(pointer))) {
      append(base, over, pointer);
    } else {
      set(base, over, pointer);
    }
  }

  // Lists grow; what mounts at the same target takes the other's place.
  void append(Json& base, const Json& over, const std::string& pointer) {
    for (std::size_t i = 0; i < over.size(); ++i) {
      const Json& item = over[i];
      std::size_t at = 0;
      const bool mounts =
          item.is_object() && item.contains("target") && !item.contains("published") && last_step(pointer) != "ports";
      while (at < base.size() && base[at] != item && !(mounts && member(base[at], "target") == item["target"])) ++at;
      if (at == base.size()) base.push_back(nullptr);
      base[at] = item;
      copy_places(file_.places, pointer_to(pointer, i), into_.places, pointer_to(pointer, at));
    }
  }

  ComposeModel& into_;
  const ComposeFile& file_;
};

}  // namespace

const Json& member(const Json& value, const std::string& name) {
  static const Json kNull;
  if (!value.is_object()) return kNull;
  const auto found = value.find(name);
  return found == value.end() ? kNull : *found;
}

std::string text_in(const Json& value, const std::string& name) {
  const Json& found = member(value, name);
  return found.is_string() ? found.get<std::string>() : "";
}

Place ComposeModel::place(std::string pointer) const {
  for (;;) {
    const auto found = places.find(pointer);
    if (found != places.end() && found->second.line > 0) return found->second;
    if (pointer.empty()) return {files.empty() ? "" : files.front().path, 0, 0};
    pointer.resize(pointer.rfind('/'));
  }
}

std::set<std::string> ComposeModel::profiles() const {
  std::set<std::string> names;
  for (const auto& file : files)
    for (const auto& [name, service] : member(file.value, "services").items())
      if (service.is_object() && service.contains("profiles") && service["profiles"].is_array())
        for (const auto& profile : service["profiles"])
          if (profile.is_string()) names.insert(profile.get<std::string>());
  return names;
}

bool ComposeModel::needs_compose() const {
  for (const auto& file : files) {
    if (file.value.contains("include")) return true;
    for (const auto& [name, service] : member(file.value, "services").items())
      if (service.is_object() && service.contains("extends")) return true;
  }
  return false;
}

Result<ComposeModel> read_compose(const std::vector<SourceFile>& files, const Variables& variables) {
  ComposeModel model;
  for (const auto& source : files) {
    ComposeFile file{.path = source.path, .raw = {}, .value = {}, .places = {}};
    PANDORA_TRY(raw, parse_yaml(source.text, source.path));
    file.raw = std::move(raw);
    file.value = file.raw.value;
    file.places = file.raw.places;
    if (!file.value.is_object())
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("{}:1:1: this is no Compose file: it has no keys", source.path));
    for (const auto* section : {"services", "volumes", "networks", "secrets"})
      if (file.value.contains(section) && !file.value[section].is_object() && !file.value[section].is_null() &&
          (std::string_view(section) == "services" || file.value.contains("services")))
        return fail(
            ErrorCode::kInvalidArgument,
            fmt::format("{}: \"{}\" holds no names", file.places[pointer_to("", section)].to_string(), section));
    PANDORA_CHECK(interpolate_all(file.value, "", file.places, variables));
    if (!file.value.contains("services")) wrap_fragment(file, model.files);
    normalise_services(file.value, file.places);
    model.files.push_back(std::move(file));
  }
  for (const auto& file : model.files) Merge(model, file).run();
  return model;
}

Status take_composes_model(ComposeModel& model, Json printed) {
  if (!printed.is_object() || !printed.contains("services") || !printed["services"].is_object())
    return fail(ErrorCode::kDataCorrupt, "Compose printed no model");
  Places unused;
  normalise_services(printed, unused);
  model.value = std::move(printed);
  return {};
}

}  // namespace pandora
