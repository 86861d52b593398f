// Carries everything that one set of stores holds to another: from the files here to a server, or back.
//
// Nothing of the source is removed or changed. What is there already, and says the same, is left; what says something
// else is made equal; what the source has no more was forgotten (it has a tombstone) and is removed there too. So a run
// that was ended in the middle, killed too, is simply run again, and a source that is written to meanwhile is followed
// by another pass. Documents and objects are of both sides: they are not moved.
//
// The source's outbox must be empty (TurnSaver::drain): then files and points are up to date, and the entries that
// writing makes on the other side have nothing to do; they are taken out.
//
// A store that is not there for a while is waited for (patience.h).
//
// kConflict: the other side holds what the source never had: it belongs to something else, or was written to since.
#pragma once
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "ports/attempt_log.h"
#include "ports/key_store.h"
#include "ports/stores.h"
#include "ports/turn_vector_log.h"
#include "turns/patience.h"

namespace pandora {

struct MoveSide {
  Stores stores;
  KeyStore& keys;
  AttemptLog& attempts;
  TurnVectorLog& vectors;
};

// Both sides of a move, opened by the composition root.
class MovePlaces {
 public:
  virtual ~MovePlaces() = default;
  virtual MoveSide from() = 0;
  virtual MoveSide to() = 0;
  virtual bool carries_points() const = 0;
};

struct MoveCount {
  std::string kind;                    // "turns", "observations", "memories", …
  std::int64_t rows = 0;               // in the source
  std::int64_t written = 0;            // of these: were not there, or said something else
  std::int64_t removed = 0;            // of the other side: forgotten since
  std::string from_sha256, to_sha256;  // of all rows on each side; "" for what is compared row by row alone
};
struct MovePass {
  std::vector<MoveCount> counts;
  std::set<UserId> users;  // whoever has a turn, a memory or research
  std::int64_t changed() const;
};

class Mover {
 public:
  using Progress = std::function<Status(std::string_view what, std::int64_t done, std::int64_t of)>;
  // `points`: collections are carried too, vectors as they are; false: they are where both sides look for them.
  Mover(MoveSide from, MoveSide to, bool points, const Clock& clock, Patience& patience)
      : from_(from), to_(to), points_(points), clock_(clock), patience_(patience) {}

  // One look at everything, in the order in which things depend on each other.
  Result<MovePass> pass(const Progress& progress, const Deadline& deadline);

 private:
  Status turns(MovePass& pass, const Progress& progress, const Deadline& deadline);
  Status write_turns(const std::vector<Turn>& missing, const std::vector<Turn>& different, const Deadline& deadline);
  Status write_turn(const Turn& turn, bool is_new, const Deadline& deadline);
  Status drop_turn(const Turn& extra, const Deadline& deadline);
  Status own_vectors(MovePass& pass, const Progress& progress, const Deadline& deadline);
  Status observations(MovePass& pass, const Progress& progress, const Deadline& deadline);
  template <class Row>
  struct Knowledge;  // how memories, or research, are listed, put and removed
  template <class Row>
  Status knowledge(const Knowledge<Row>& of, MovePass& pass, const Deadline& deadline);
  Status memories(MovePass& pass, const Deadline& deadline);
  Status research(MovePass& pass, const Deadline& deadline);
  Status sources(MovePass& pass, const Deadline& deadline);
  Status keys(MovePass& pass, const Deadline& deadline);
  Status receipts(MovePass& pass, const Progress& progress, const Deadline& deadline);
  Status points(MovePass& pass, const Progress& progress, const Deadline& deadline);
  Status collection(const CollectionSpec& spec, MoveCount& count, const Progress& progress, const Deadline& deadline);
  Status last_things(const Deadline& deadline);
  Status empty_outbox(const Deadline& deadline);
  Status forget_receipts(const ForgottenRows& rows, const Deadline& deadline);
  Result<bool> was_forgotten(const Uuid& id, const Deadline& deadline);

  MoveSide from_, to_;
  const bool points_;
  const Clock& clock_;
  Patience& patience_;
};

}  // namespace pandora
