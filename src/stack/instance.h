// An instance of the stack: a folder with Compose files and a `.env`, and a folder of secrets outside of it.
//
// What `pandora init` writes, decided without touching anything: the caller reads what is there, asks, and writes.
// Pure.
#pragma once
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

struct InstanceOptions {
  std::optional<std::string> name;  // none: that of the present .env, else kDefaultStackName
  std::optional<Overlay> overlay;   // none: that of the present .env, else development
  std::string secrets;              // the folder, absolute
  Uuid instance;                    // of a new instance; one that is there keeps its own
  std::string present_env;          // what the folder's .env holds; empty: there is none
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
// For those that `present` does not have. What is derived from another (Redis' users) follows that one.
std::vector<Secret> plan_secrets(const std::vector<Secret>& present, Random& random);

}  // namespace pandora
