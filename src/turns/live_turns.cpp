#include "turns/live_turns.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace pandora {

Status LiveTurns::hold(std::size_t bytes, std::size_t most) {
  if (held_bytes_ > 0 && held_bytes_ + bytes > most)
    return fail(ErrorCode::kResourceExhausted,
                fmt::format("turns of {} bytes wait for their rows or their files", held_bytes_),
                "see `pandora doctor`; nothing acknowledged is lost");
  held_bytes_ += bytes;
  return {};
}

void LiveTurns::add(const TurnRecordPtr& record, std::size_t held) {
  forget(record->turn.uid);
  turns_[record->turn.uid] = {record, record->turn.session, {}, false, false, held};
}

void LiveTurns::has_row_and_point(const Uuid& uid, TurnNumber number) {
  LiveTurn& live = turns_[uid];
  live.number = number;
  live.point = true;
}

void LiveTurns::has_row(const Uuid& uid, TurnNumber number) {
  if (const auto found = turns_.find(uid); found != turns_.end()) found->second.number = number;
}

void LiveTurns::arrived(const Uuid& uid, OutboxKind place) {
  const auto found = turns_.find(uid);
  if (found == turns_.end()) return;
  LiveTurn& live = found->second;
  if (place == OutboxKind::kTurnPoint) live.point = true;
  // The files may be lost until the next sync; the record in the journal then makes them again.
  if (place == OutboxKind::kTurnDirectory && !std::exchange(live.directory, true)) ++without_point_;
  if (!live.directory) return;
  release(live);
  if (live.point) return erase(found);
  if (without_point_ <= kMaxWithoutPoint) return;
  erase(std::ranges::find_if(turns_, [](const auto& entry) { return entry.second.directory; }));
}

void LiveTurns::forget(const Uuid& uid) {
  if (const auto found = turns_.find(uid); found != turns_.end()) erase(found);
}

void LiveTurns::erase(Turns::iterator turn) {
  release(turn->second);
  if (turn->second.directory) --without_point_;
  turns_.erase(turn);
}

const LiveTurn* LiveTurns::find(const Uuid& uid) const {
  const auto found = turns_.find(uid);
  return found == turns_.end() ? nullptr : &found->second;
}

bool LiveTurns::is_quiet(const SessionId& session) const {
  return std::ranges::none_of(
      turns_, [&](const auto& entry) { return entry.second.session == session && !entry.second.findable(); });
}

bool LiveTurns::lacks_row(const SessionId& session) const {
  return std::ranges::any_of(
      turns_, [&](const auto& entry) { return entry.second.session == session && entry.second.number.value == 0; });
}

LiveTurns::Sessions LiveTurns::behind() const {
  Sessions sessions;
  for (const auto& [uid, live] : turns_) {
    if (!live.findable()) sessions.unfindable.insert(live.session.str());
    if (live.number.value == 0) sessions.without_row.insert(live.session.str());
  }
  return sessions;
}

std::vector<Uuid> LiveTurns::without_point(std::size_t most) const {
  std::vector<Uuid> without;
  for (const auto& [uid, live] : turns_)
    if (live.number.value > 0 && !live.point && without.size() < most) without.push_back(uid);
  return without;
}

std::set<Uuid> LiveTurns::without_directory() const {
  std::set<Uuid> without;
  for (const auto& [uid, live] : turns_)
    if (!live.directory) without.insert(uid);
  return without;
}

void LiveTurns::release(LiveTurn& live) {
  held_bytes_ -= std::exchange(live.bytes, 0);
  live.record.reset();
}

}  // namespace pandora
