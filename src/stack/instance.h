// An instance of the stack: a folder with Compose files and a `.env`, and a folder of secrets outside of it.
//
// What `pandora init` writes, decided without touching anything: the caller reads what is there, asks, and writes.
// Pure.
#pragma once
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/random.h"
#include "base/result.h"

namespace pandora {

struct DeployFile {
  std::string_view path;  // relative to deploy/
  std::string_view text;
};
// The files of deploy/, sorted by path, as they were when the program was built.
std::span<const DeployFile> deployment_files();

inline constexpr std::string_view kDefaultStackName = "pandora";
inline constexpr std::size_t kMaxStackName = 63;
// What Compose takes as the name of a project: a lower-case letter or digit, then those, '_' and '-'.
Status check_stack_name(std::string_view name);

enum class Overlay { kDevelopment, kProduction };

// Which volume holds the data of a store. Others than those that Compose makes by itself are named in .env: nothing is
// ever moved or copied when an instance takes a volume over, or sets one aside.
struct VolumeChoice {
  std::string name;
  bool adopted = false;  // another project made it: Compose must neither make nor remove it
  bool operator==(const VolumeChoice&) const = default;
};
using VolumeChoices = std::map<std::string, VolumeChoice>;  // by key: "postgres_data"
std::span<const std::string_view> volume_keys();            // those of compose.yaml, sorted
// Of every key: what .env says, else "NAME_postgres_data".
VolumeChoices volume_choices(std::string_view name, std::string_view present_env);
// One that was in use and is kept; `.env` names those as well, so that one write changes what is in use and what is
// kept.
struct AsideEntry {
  std::string name, key;
  std::string since;     // "2026-11-25"
  bool adopted = false;  // another project made it
  bool operator==(const AsideEntry&) const = default;
};
std::vector<AsideEntry> volumes_aside(std::string_view present_env);
// The two files that say it, changed in that and in nothing else. kConflict: compose.yaml is not as `pandora init`
// writes it.
std::string env_with_volumes(std::string_view present_env, const VolumeChoices& volumes,
                             const std::vector<AsideEntry>& aside);
Result<std::string> compose_with_volumes(std::string_view compose, const VolumeChoices& volumes);

struct InstanceOptions {
  std::optional<std::string> name;  // none: that of the present .env, else kDefaultStackName
  std::optional<Overlay> overlay;   // none: that of the present .env, else development
  std::string secrets;              // the folder, absolute
  Uuid instance;                    // of a new instance; one that is there keeps its own
  std::string present_env;          // what the folder's .env holds; empty: there is none
  // The data directory of its programs, absolute. A new instance keeps what is said there and in its own stores; one
  // that is there goes on where it is, unless `moves_data`. Empty: as they are configured elsewhere.
  std::string data = {};
  bool moves_data = false;
  VolumeChoices volumes = {};  // in place of those of the present .env
};
struct PlannedFile {
  std::string path;  // relative to the folder
  std::string text;
  unsigned mode;  // containers that are not root read some of them
};
struct InstancePlan {
  std::string name;
  Overlay overlay = Overlay::kDevelopment;
  std::vector<PlannedFile> files;
};
// The name that `plan_instance` will use: where the secrets are depends on it. kConflict: the folder is another
// instance, whose volumes a new name would leave behind.
Result<std::string> instance_name(const std::optional<std::string>& asked, std::string_view present_env);
// What the user has added to .env, and the ports that he changed there, stay; images become those of this program.
Result<InstancePlan> plan_instance(const InstanceOptions& options);

// The passwords, each a file of its own. Those that are there stay: a store takes its password once, when its volume is
// made.
struct Secret {
  std::string name;
  std::string text;
};
std::span<const std::string_view> secret_names();
// Redis' own users file: the default user is off, ours, with any of these passwords, may do everything but administer.
std::string redis_users(const std::vector<std::string>& passwords);
// For those that `present` does not have. What is derived from another (Redis' users) follows that one.
std::vector<Secret> plan_secrets(const std::vector<Secret>& present, Random& random);

}  // namespace pandora
