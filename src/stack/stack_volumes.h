// The volumes of an Engine as an instance sees them: which are its own, who uses them, and what is in them.
//
// A volume is marked with the instance it belongs to: by its label, which is made with it, or by a file in it when the
// instance has taken it over (`pandora init --adopt`).
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "stack/one_off.h"

namespace pandora {

inline constexpr std::string_view kMarkerFile = ".pandora-instance";

struct VolumeUser {
  std::string container, service;
  bool running = false;
};
struct StackVolume {
  std::string name;
  std::string instance;      // of its label; empty: none
  std::string project, key;  // of Compose's labels: "pandora", "postgres_data"; empty: none
  std::string created;       // as the Engine writes it
  std::vector<VolumeUser> users;
};
// Of the whole Engine, by name.
Result<std::vector<StackVolume>> engine_volumes(DockerEngine& engine, const Deadline& deadline);
const StackVolume* find_volume(const std::vector<StackVolume>& volumes, std::string_view name);

// What is in a volume, as a look inside of it says.
struct VolumeContents {
  unsigned user = 0, group = 0, mode = 0;   // of its root
  std::optional<unsigned> other_user;       // who has something in the two levels below, when that is another
  std::uint64_t bytes = 0, free_bytes = 0;  // of the file system it is on
  std::uint64_t files = 0, free_files = 0;  // 0 of 0: it has no fixed number
  std::string marker;                       // the instance that took it over; empty: none
  std::string postgres;                     // "16"; empty: no PostgreSQL's
  bool is_qdrant = false, is_redis = false, is_empty = false;
};
// By key of the mounts, which are made read-only.
Result<std::map<std::string, VolumeContents>> look_into(DockerEngine& engine, const std::string& image,
                                                        const std::vector<VolumeMount>& mounts,
                                                        const Deadline& deadline);

struct VolumeFile {
  std::string name;
  std::string kind;  // "directory", "file", "link", "other"
  unsigned user = 0, group = 0, mode = 0;
  std::uint64_t size = 0;
  std::int64_t changed_at = 0;  // seconds of the epoch
};
inline constexpr std::size_t kMaxVolumeFiles = 10'000;
// What is in a folder of a volume, sorted by name; `path` is relative to it. kNotFound, kTooLarge.
Result<std::vector<VolumeFile>> browse(DockerEngine& engine, const std::string& image, const std::string& volume,
                                       const std::string& path, const Deadline& deadline);

}  // namespace pandora
