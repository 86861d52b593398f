// Compose files as one model, as far as a linter needs it: read, interpolated, brought into the long form and merged,
// each value with its place. Compose itself does the same and more; where there is one, its result is the model and
// this is only where the places come from. `extends` and `include` are Compose's alone. Pure.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "compose/yaml.h"

namespace pandora {

struct SourceFile {
  std::string path;
  std::string text;
};

// The value of a variable; none: it is not set.
using Variables = std::function<std::optional<std::string>(const std::string&)>;
// ${A}, $A, ${A:-default}, ${A-default}, ${A:?message}, ${A:+other}; $$ stays, as in Compose's own output.
// kInvalidArgument: a variable that must be set, or braces that do not close.
Result<std::string> interpolate(std::string_view text, const Variables& variables);

// One file. In the long form: environment and labels are maps of text, ports {host_ip?, published?, target, protocol},
// volumes {type, source?, target, read_only}, secrets {source, target}, depends_on and networks maps, healthcheck.test
// a list.
struct ComposeFile {
  std::string path;
  YamlDocument raw;                     // as it was written
  Json value;                           // interpolated, long form
  std::map<std::string, Place> places;  // of `value`
  // It has keys of a service, but no services: read as the service that its environment names.
  bool is_fragment = false;
};

struct ComposeModel {
  std::vector<ComposeFile> files;  // in the order of merging
  Json value = Json::object();
  std::map<std::string, Place> places;

  // Where that stands; when it stands nowhere, what it is in.
  Place place(std::string pointer) const;
  std::set<std::string> profiles() const;
  bool needs_compose() const;  // says `extends` or `include`
};
Result<ComposeModel> read_compose(const std::vector<SourceFile>& files, const Variables& variables);
// Puts what Compose printed in the place of `value`; kDataCorrupt when it is no model.
Status take_composes_model(ComposeModel& model, Json printed);

// Of a value that may be anything: null, or "", where there is no such thing.
const Json& member(const Json& value, const std::string& name);
std::string text_in(const Json& value, const std::string& name);

// Into the long form, the places with it.
void normalise_services(Json& value, std::map<std::string, Place>& places);

// "5m0s", "90s", "1h30m": seconds; none when it is no duration (a number alone is none either).
std::optional<double> duration_seconds(const Json& value);
// "2G", "256m", 268435456: bytes, as Compose counts them (by 1024).
std::optional<double> size_bytes(const Json& value);

}  // namespace pandora
