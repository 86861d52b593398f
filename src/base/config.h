// Configuration: a flag beats an environment variable (NAME, or a file that NAME_FILE names) beats what the folder of
// an instance says under the same names beats `pandora.toml` beats the default.
//
// Every setting stands once in a closed table (config.cpp): its key ("recall.token_budget"), the environment variable,
// the kind, default, bounds, one line of help, and whether it is a secret. An unknown key in the file, a value that
// does not parse or is out of bounds, and a NAME together with its NAME_FILE are errors that name the place. The values
// are fixed after `load`; reading is thread-safe.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_system.h"
#include "base/result.h"

namespace pandora {

enum class SettingKind { kString, kInteger, kNumber, kBool, kPath, kUrl };
enum class SettingSource { kFlag, kEnvironment, kEnvironmentFile, kInstance, kInstanceFile, kFile, kDefault };
std::string_view to_string(SettingSource source);

struct Setting {
  std::string_view key;          // "section.name", as in pandora.toml
  std::string_view environment;  // "PANDORA_RECALL_TOKEN_BUDGET", or a known name such as DATABASE_URL
  SettingKind kind;
  std::string_view default_value;
  double min = 0, max = 0;  // bounds of numbers; both 0: none
  bool secret = false;
  std::string_view help;
};
// The whole table, in the order in which `pandora config` prints it.
std::span<const Setting> settings();

// A key with a star in it stands for a table that has a name: [model_servers.voice] has its "model_servers.*.port" as
// "model_servers.voice.port". Such settings come from the file and from flags alone; the name is [a-z0-9-], of
// kMaxTableName at most, and a family has kMaxTables of them at most.
inline constexpr std::size_t kMaxTables = 16;
inline constexpr std::size_t kMaxTableName = 32;

struct EffectiveValue {
  const Setting* setting;
  std::string key;    // the setting's own, the star replaced
  std::string value;  // as text; secrets in clear: mask when showing
  SettingSource source;
  std::string origin;  // "PANDORA_DATA", "NAME_FILE=path", "/etc/pandora.toml:12", "--data"; empty for a default
  bool is_of_instance() const { return source == SettingSource::kInstance || source == SettingSource::kInstanceFile; }
};

struct ConfigInputs {
  std::map<std::string, std::string> flags;                                   // key → value
  std::function<std::optional<std::string>(const std::string&)> environment;  // injected getenv
  std::string file;  // path of pandora.toml; empty: none. A missing one that was named is an error
  bool file_required = false;
  std::function<std::optional<std::string>(const std::string&)> instance = {};  // variables of its folder; may be empty
};

class Config {
 public:
  static Result<Config> load(const ConfigInputs& inputs, FileSystem& files);
  // Each aborts on a key that the table lacks: a programmer's error.
  const std::string& string(std::string_view key) const;
  std::int64_t integer(std::string_view key) const;
  double number(std::string_view key) const;
  bool boolean(std::string_view key) const;
  // The names of a family's tables, in their order: "model_servers" → {"eyes", "voice"}.
  std::vector<std::string> tables(std::string_view family) const;
  std::span<const EffectiveValue> values() const { return values_; }

 private:
  const EffectiveValue& at(std::string_view key) const;
  std::vector<EffectiveValue> values_;
};

}  // namespace pandora
