#include "turns/row_commit.h"

namespace pandora {
namespace {

// Is it this turn that can never be written, or the database that cannot be written now (full, read-only, damaged, of
// another version)? In the second case turns wait in the journal, whatever it takes. A conflict is the database's: the
// number was one of its own in the end.
bool concerns_the_turn(ErrorCode code) { return code == ErrorCode::kInvalidArgument || code == ErrorCode::kTooLarge; }

}  // namespace

Result<TurnNumber> commit_row(TurnStore& turns, const TurnRecord& record, const Deadline& deadline) {
  const Principal owner = Principal::of(record.turn.user);
  auto number = turns.commit_turn(record, owner, deadline);
  if (number || number.error().code != ErrorCode::kConflict || record.turn.number.value == 0) return number;
  TurnRecord renumbered = record;
  renumbered.turn.number = {};
  return turns.commit_turn(renumbered, owner, deadline);
}

bool is_hopeless(TurnStore& turns, const Turn& turn, ErrorCode refused, const Deadline& deadline) {
  if (concerns_the_turn(refused)) return true;
  if (refused != ErrorCode::kPermissionDenied) return false;  // which a database that is read-only says as well
  const auto rows = turns.find_all({&turn.uid, 1}, Principal::system(), deadline);
  return rows && !rows->empty() && rows->front().user != turn.user;
}

void tell_of_research(ResearchStore& research, const TurnRecord& record, const Deadline& deadline) {
  if (record.research.empty()) return;
  std::vector<std::string> topics;
  for (const auto& one : record.research) topics.push_back(one.primary_topic);
  (void)research.written_elsewhere({}, topics, deadline);  // of topics alone: it has nothing to fail at
}

}  // namespace pandora
