// The volumes of an instance: those in use, those that were set aside, and how one takes the place of another.
//
// Nothing is moved or copied. A volume is set aside by naming another one in its place in `.env`; it stays as it is,
// for kKeptAside at least, and is named again to have it back. A crash leaves `.env` as it was or as it will be.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "cli/stack/stack_session.h"
#include "stack/instance.h"
#include "stack/stack_volumes.h"

namespace pandora {

inline constexpr Duration kKeptAside = std::chrono::hours(14 * 24);

struct AsideVolume {
  std::string name, key;
  Timestamp since, keep_until;
  bool adopted = false;  // another project made it
};

struct InstanceVolumes {
  VolumeChoices current;           // by key
  std::vector<AsideVolume> aside;  // that are there, the oldest first
  std::vector<StackVolume> all;    // of the Engine, other people's as well

  // Which of the stores' data it holds now; empty: none.
  std::string key_of(std::string_view name) const;
  const AsideVolume* find_aside(std::string_view name) const;
  // The current volumes that carry the label of another instance.
  std::vector<const StackVolume*> strangers(const StackFolder& folder) const;
};
Result<InstanceVolumes> read_volumes(StackSession& session, const Deadline& deadline);

// An image of the instance that is here, to look into volumes with. kNotFound: none is.
Result<std::string> any_image(StackSession& session, const Deadline& deadline);

// Ends and removes the containers and networks of the project. kConflict, and nothing is done: one of them uses a
// volume of another instance.
Status remove_containers(StackSession& session, const InstanceVolumes& volumes, const Deadline& deadline);

// Gives each key a name that no volume has; those whose present volume exists are set aside, and returned. The
// containers are gone by then.
Result<std::vector<AsideVolume>> set_aside(StackSession& session, const InstanceVolumes& volumes,
                                           const std::vector<std::string>& keys);
// Names `chosen` in place of the present ones, which are set aside.
Result<std::vector<AsideVolume>> switch_volumes(StackSession& session, const InstanceVolumes& volumes,
                                                const VolumeChoices& chosen);
// What a move that was killed has left, also of its container: for whoever holds the instance.
Status discard_half_copy(StackSession& session, const Deadline& deadline);
// Copies it into a new volume where Docker keeps its own, and uses that from then on.
Result<std::vector<AsideVolume>> move_volume(StackSession& session, const InstanceVolumes& volumes,
                                             const std::string& key, const Deadline& deadline);
// Removes it from the Engine and from `.env`. It is one that was set aside.
Status remove_aside(StackSession& session, const InstanceVolumes& volumes, const std::string& name,
                    const Deadline& deadline);

}  // namespace pandora
