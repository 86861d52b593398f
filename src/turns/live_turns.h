// The turns between the journal and their places. Internal to turns; not thread-safe: its owner guards it.
#pragma once
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "ports/outbox.h"
#include "turns/replayed_turns.h"

namespace pandora {

// An acknowledged turn that is not yet in all its places.
struct LiveTurn {
  TurnRecordPtr record;  // until its directory is written
  SessionId session;
  TurnNumber number;  // 0: no row yet
  bool directory = false, point = false;
  std::size_t bytes = 0;  // of the record in the journal, as long as it is held
  bool findable() const { return number.value > 0 && point; }
};

// That wait for their points alone, and so perhaps for days: one past it lets go of the oldest, which nobody waits for
// any more.
inline constexpr std::size_t kMaxWithoutPoint = 10'000;

class LiveTurns {
 public:
  // Room for a record of so many bytes, before it is added or let go. One alone always has it; else together at most
  // `most` (kResourceExhausted).
  Status hold(std::size_t bytes, std::size_t most);
  void hold_anyway(std::size_t bytes) { held_bytes_ += bytes; }
  void let_go(std::size_t bytes) { held_bytes_ -= bytes; }

  void add(const TurnRecordPtr& record, std::size_t held);  // the same turn again takes its place
  void replace_record(const TurnRecordPtr& record) { turns_[record->turn.uid].record = record; }
  void has_row_and_point(const Uuid& uid, TurnNumber number);
  void has_row(const Uuid& uid, TurnNumber number);  // of one that is in all other places already: nothing
  void arrived(const Uuid& uid, OutboxKind place);   // its directory or its point; in both: it is forgotten
  void forget(const Uuid& uid);                      // it is in all its places, or can be in none

  const LiveTurn* find(const Uuid& uid) const;     // null: it is in all its places, or was never here
  bool is_quiet(const SessionId& session) const;   // all its turns can be found
  bool lacks_row(const SessionId& session) const;  // some turn of it does
  struct Sessions {
    std::set<std::string> unfindable, without_row;
  };
  Sessions behind() const;                                  // of which some turn is
  std::vector<Uuid> without_point(std::size_t most) const;  // that have a row
  std::set<Uuid> without_directory() const;

 private:
  using Turns = std::map<Uuid, LiveTurn>;  // the oldest first, as their ids are of their times
  void release(LiveTurn& live);            // its record is needed no more
  void erase(Turns::iterator turn);

  Turns turns_;
  std::size_t without_point_ = 0;  // of those whose directory is written
  std::size_t held_bytes_ = 0;     // of the records in it, and of those that are just being appended
};

}  // namespace pandora
