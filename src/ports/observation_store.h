// Rows of observations, for statistics; and small facts about the installation. Threads, durability, errors and limits
// as in turn_store.h.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "domain/observation.h"
#include "domain/principal.h"

namespace pandora {

struct ObservationQuery {
  std::optional<ObservationKind> kind;
  std::optional<Uuid> turn;
  std::optional<Timestamp> since, until;  // `at` in [since, until)
  std::int64_t after_row = 0;             // rows above: the next page
  std::size_t limit = 1000;               // at most kMaxPage (turn_store.h)
};
struct ObservationRow {
  std::int64_t row = 0;
  Observation observation;
};

class ObservationStore {
 public:
  virtual ~ObservationStore() = default;
  // All or none. Each belongs to the user of its turn; without a row of that turn to the installation: only
  // Access::kSystem sees it. A negative duration is read as 0; kInvalidArgument for a confidence outside 0..1.
  virtual Status add(const std::vector<Observation>& observations, const Deadline& deadline) = 0;
  virtual Result<std::vector<ObservationRow>> list(
      const ObservationQuery& query, const Principal& who,
      const Deadline& deadline) = 0;  // ascending rows, which are never reused
};

// What stands beside the data: instance id, embedder identity, analyser version, schema. Names are 1 to
// kMaxInstanceName of [a-z_.]: kInvalidArgument otherwise. A value is at most kMaxInstanceValueBytes: kTooLarge. `put`
// replaces.
inline constexpr std::size_t kMaxInstanceName = 64;
inline constexpr std::size_t kMaxInstanceValueBytes = 64 * 1024;
class InstanceStore {
 public:
  virtual ~InstanceStore() = default;
  virtual Result<std::optional<std::string>> get(const std::string& name, const Deadline& deadline) = 0;
  virtual Status put(const std::string& name, const std::string& value, const Deadline& deadline) = 0;
};

}  // namespace pandora
