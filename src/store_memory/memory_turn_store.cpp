#include "store_memory/memory_turn_store.h"

#include <algorithm>

#include <fmt/format.h>

#include "domain/analyzer.h"
#include "domain/sparse_weights.h"
#include "ports/row_checks.h"

namespace pandora {
namespace {

tl::unexpected<Error> no_turn(const std::string& which) {
  return fail(ErrorCode::kNotFound, fmt::format("there is no turn {}", which));
}

bool has_keyword(const Turn& turn, const std::string& term) {
  return std::ranges::find(turn.keywords, term) != turn.keywords.end();
}

std::string key_of(const EmbedderIdentity& embedder) { return embedder.model + "@" + embedder.revision; }

bool matches(const Turn& turn, const TurnQuery& query) {
  return (!query.session || turn.session == *query.session) && (!query.before || turn.number < *query.before) &&
         (!query.since || turn.created_at >= *query.since) && (!query.until || turn.created_at < *query.until) &&
         has_terms(turn.topic, query.topic_terms) &&
         std::ranges::all_of(query.keywords, [&](const auto& term) { return has_keyword(turn, term); }) &&
         (query.include_rejected || !turn.rejected) && (query.include_archived || !turn.archived);
}

}  // namespace

// ── what every call below does under the mutex ──

Result<TurnNumber> MemoryTurnStore::next_number() {
  if (state_.last_number.value >= kMaxTurnNumber)
    return fail(ErrorCode::kResourceExhausted, fmt::format("no turn number is left up to {}", kMaxTurnNumber));
  ++state_.last_number.value;
  return state_.last_number;
}

Result<Turn*> MemoryTurnStore::visible(TurnNumber number, const Principal& who) {
  const auto found = state_.turns.find(number);
  if (found == state_.turns.end() || !who.may_see(found->second.user)) return no_turn(std::to_string(number.value));
  return &found->second;
}

Result<Turn*> MemoryTurnStore::visible(const Uuid& uid, const Principal& who) {
  Turn* turn = state_.find_turn(uid);
  if (!turn || !who.may_see(turn->user)) return no_turn(uid.to_string());
  return turn;
}

std::vector<std::pair<int, Turn>> MemoryTurnStore::around(const Turn& turn, int radius) const {
  std::vector<std::pair<int, Turn>> found = {{0, turn}};
  const auto of_session = [&](const Turn& other) { return other.user == turn.user && other.session == turn.session; };
  radius = std::clamp(radius, 0, kMaxRadius);
  int distance = 0;
  for (auto it = std::make_reverse_iterator(state_.turns.find(turn.number)); it != state_.turns.rend(); ++it)
    if (of_session(it->second) && distance < radius) found.emplace_back(++distance, it->second);
  distance = 0;
  for (auto it = state_.turns.upper_bound(turn.number); it != state_.turns.end(); ++it)
    if (of_session(it->second) && distance < radius) found.emplace_back(++distance, it->second);
  std::ranges::stable_sort(found, {}, [](const auto& entry) { return entry.first; });
  return found;
}

std::vector<Uuid> MemoryTurnStore::enqueue_neighbours(const Turn& turn) {
  std::vector<Uuid> uids;
  for (const auto& [distance, other] : around(turn, kWindow)) {
    if (distance == 0) continue;
    memory_rows::enqueue(state_, OutboxKind::kTurnPoint, other.uid.to_string());
    uids.push_back(other.uid);
  }
  return uids;
}

// ── numbers and commits ──

Result<TurnNumber> MemoryTurnStore::reserve_number(const Principal&, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("reserving a number"));
  const std::lock_guard lock(state_.mutex);
  return next_number();
}

Status MemoryTurnStore::reserve_through(TurnNumber number, const Principal&, const Deadline& deadline) {
  PANDORA_CHECK(check_number(number));
  PANDORA_CHECK(deadline.check("reserving numbers"));
  const std::lock_guard lock(state_.mutex);
  state_.last_number = std::max(state_.last_number, number);
  return {};
}

Result<TurnNumber> MemoryTurnStore::commit_turn(const TurnRecord& record, const Principal& who,
                                                const Deadline& deadline) {
  PANDORA_CHECK(check_record(record, who));
  PANDORA_CHECK(deadline.check("committing a turn"));
  const std::lock_guard lock(state_.mutex);
  const Turn* known = state_.find_turn(record.turn.uid);
  if (known && known->user != record.turn.user)
    return fail(ErrorCode::kPermissionDenied, fmt::format("turn {} belongs to another user", known->number.value));
  Turn turn = known ? *known : record.turn;
  if (!known) {
    for (const auto& memory : record.memories) PANDORA_CHECK(memory_rows::check_owner(state_, memory));
    for (const auto& research : record.research) PANDORA_CHECK(memory_rows::check_owner(state_, research));
    if (state_.turns.contains(turn.number))
      return fail(ErrorCode::kConflict, fmt::format("turn {} is another one", turn.number.value));
    if (turn.number.value == 0) {
      PANDORA_TRY(number, next_number());
      turn.number = number;
    }
    state_.last_number = std::max(state_.last_number, turn.number);
    state_.turns[turn.number] = turn;
    state_.numbers[turn.uid] = turn.number;
    for (const auto& memory : record.memories) memory_rows::put_memory(state_, memory);
    for (const auto& research : record.research) memory_rows::put_research(state_, research);
    for (const auto& fetch : record.fetches) memory_rows::record_fetch(state_, fetch);
    for (const auto& one : record.observations) memory_rows::add_observation(state_, one, turn.user);
  }
  memory_rows::enqueue_turn(state_, turn.uid);
  for (const auto& memory : record.memories) memory_rows::enqueue_memory(state_, memory.id);
  for (const auto& research : record.research) memory_rows::enqueue_research(state_, research.id);
  for (const auto& fetch : record.fetches) memory_rows::enqueue(state_, OutboxKind::kSourceFile, fetch.domain);
  return turn.number;
}

// ── reading ──

Result<Turn> MemoryTurnStore::find(TurnNumber number, const Principal& who, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("finding a turn"));
  const std::lock_guard lock(state_.mutex);
  PANDORA_TRY(turn, visible(number, who));
  return *turn;
}

Result<std::vector<Turn>> MemoryTurnStore::find_all(std::span<const Uuid> uids, const Principal& who,
                                                    const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("finding turns"));
  const std::lock_guard lock(state_.mutex);
  std::vector<Turn> found;
  for (const Uuid& uid : uids)
    if (const auto turn = visible(uid, who)) found.push_back(**turn);
  return found;
}

Result<std::vector<Turn>> MemoryTurnStore::list(const TurnQuery& query, const Principal& who,
                                                const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("listing turns"));
  const std::lock_guard lock(state_.mutex);
  std::vector<Turn> found;
  for (auto it = state_.turns.rbegin(); it != state_.turns.rend(); ++it) {
    if (found.size() == std::min(query.limit, kMaxPage)) break;
    if (who.may_see(it->second.user) && matches(it->second, query)) found.push_back(it->second);
  }
  return found;
}

Result<std::vector<Turn>> MemoryTurnStore::scan(TurnNumber after, std::size_t limit, const Principal& who,
                                                const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("scanning turns"));
  const std::lock_guard lock(state_.mutex);
  std::vector<Turn> found;
  for (auto it = state_.turns.upper_bound(after); it != state_.turns.end(); ++it) {
    if (found.size() == std::min(limit, kMaxPage)) break;
    if (who.may_see(it->second.user)) found.push_back(it->second);
  }
  return found;
}

Result<std::vector<std::pair<int, Turn>>> MemoryTurnStore::neighbours(const Uuid& uid, int radius, const Principal& who,
                                                                      const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("finding neighbours"));
  const std::lock_guard lock(state_.mutex);
  PANDORA_TRY(turn, visible(uid, who));
  return around(*turn, radius);
}

Result<std::optional<TurnNumber>> MemoryTurnStore::find_content(const std::string& content_sha256,
                                                                const SessionId& session, const Principal& who,
                                                                const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("finding a content"));
  const std::lock_guard lock(state_.mutex);
  for (const auto& [number, turn] : state_.turns)
    if (turn.user == who.user && turn.session == session && turn.content_sha256 == content_sha256) return number;
  return std::nullopt;
}

Result<std::vector<SessionSummary>> MemoryTurnStore::sessions(const Principal& who, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("listing sessions"));
  const std::lock_guard lock(state_.mutex);
  std::vector<SessionSummary> found;
  for (auto it = state_.turns.rbegin(); it != state_.turns.rend(); ++it) {
    const Turn& turn = it->second;
    if (!who.may_see(turn.user)) continue;
    const auto same = std::ranges::find_if(
        found, [&](const SessionSummary& one) { return one.user == turn.user && one.session == turn.session; });
    if (same == found.end()) {
      found.push_back({turn.session, turn.user, 1, turn.created_at, turn.created_at, turn.topic});
      continue;
    }
    ++same->turns;
    same->first_at = std::min(same->first_at, turn.created_at);
  }
  return found;
}

Result<std::int64_t> MemoryTurnStore::count(const Principal& who, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("counting turns"));
  const std::lock_guard lock(state_.mutex);
  return std::ranges::count_if(state_.turns, [&](const auto& entry) { return who.may_see(entry.second.user); });
}

Result<std::vector<std::int64_t>> MemoryTurnStore::keyword_counts(std::span<const std::string> terms,
                                                                  const Principal& who, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("counting keywords"));
  const std::lock_guard lock(state_.mutex);
  std::vector<std::int64_t> counts;
  for (const auto& term : terms)
    counts.push_back(std::ranges::count_if(state_.turns, [&](const auto& entry) {
      return entry.second.user == who.user && has_keyword(entry.second, term);
    }));
  return counts;
}

// ── changing ──

Result<Turn> MemoryTurnStore::change(TurnNumber number, const TurnChange& change, const Principal& who,
                                     const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("changing a turn"));
  const std::lock_guard lock(state_.mutex);
  PANDORA_TRY(turn, visible(number, who));
  Turn changed = *turn;
  if (change.rejected) changed.rejected = *change.rejected;
  if (change.quality) changed.quality = *change.quality;
  if (change.archived) changed.archived = *change.archived;
  PANDORA_CHECK(check_row(changed));
  *turn = changed;
  memory_rows::enqueue_turn(state_, changed.uid);
  return changed;
}

Status MemoryTurnStore::rewrite(const Turn& turn, const Principal& who, const Deadline& deadline, const Turn* was) {
  PANDORA_CHECK(check_row(turn));
  PANDORA_CHECK(deadline.check("rewriting a turn"));
  const std::lock_guard lock(state_.mutex);
  PANDORA_TRY(old, visible(turn.uid, who));
  if (old->number != turn.number || old->session != turn.session || old->user != turn.user)
    return fail(ErrorCode::kConflict, fmt::format("turn {} is not number {} of that session and user",
                                                  turn.uid.to_string(), turn.number.value));
  PANDORA_CHECK(check_unchanged(*old, was));
  *old = turn;
  state_.drop_vectors(turn.uid);
  memory_rows::enqueue_turn(state_, turn.uid);
  return {};
}

Result<RemovedTurn> MemoryTurnStore::remove(TurnNumber number, const Principal& who, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("removing a turn"));
  const std::lock_guard lock(state_.mutex);
  PANDORA_TRY(turn, visible(number, who));
  RemovedTurn removed;
  removed.turn = *turn;
  const Uuid uid = turn->uid;
  for (const auto& [id, memory] : state_.memories)
    if (memory.source_turn == uid) removed.memories.push_back(id);
  for (const auto& [id, research] : state_.research)
    if (research.source_turn == uid) removed.research.push_back(id);
  for (const Uuid& id : removed.memories) {
    state_.memories.erase(id);
    memory_rows::enqueue_memory(state_, id);
  }
  for (const Uuid& id : removed.research) {
    state_.research.erase(id);
    memory_rows::enqueue_research(state_, id);
  }
  removed.observations = static_cast<std::int64_t>(
      std::erase_if(state_.observations, [&](const auto& row) { return row.second.observation.turn_uid == uid; }));
  removed.neighbours = enqueue_neighbours(removed.turn);
  state_.drop_vectors(uid);
  state_.numbers.erase(uid);
  state_.turns.erase(number);
  memory_rows::enqueue_turn(state_, uid);
  return removed;
}

// ── vectors ──

Status MemoryTurnStore::put_vector(const Uuid& uid, const EmbedderIdentity& embedder, std::span<const float> vector,
                                   const Deadline& deadline, const Turn* of) {
  if (vector.size() != embedder.dimension)
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("a vector of {} values from an embedder of {}", vector.size(), embedder.dimension));
  PANDORA_CHECK(deadline.check("keeping a vector"));
  const std::lock_guard lock(state_.mutex);
  const Turn* row = state_.find_turn(uid);
  if (!row) return no_turn(uid.to_string());
  PANDORA_CHECK(check_words(*row, of));
  state_.vectors[{uid, key_of(embedder)}].assign(vector.begin(), vector.end());
  return {};
}

Result<std::vector<TurnVector>> MemoryTurnStore::vectors_around(const Uuid& uid, int radius,
                                                                const EmbedderIdentity& embedder,
                                                                const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("finding vectors"));
  const std::lock_guard lock(state_.mutex);
  PANDORA_TRY(turn, visible(uid, Principal::system()));
  std::vector<TurnVector> found;
  for (const auto& [distance, other] : around(*turn, radius))
    if (const auto own = state_.vectors.find({other.uid, key_of(embedder)});
        own != state_.vectors.end() && own->second.size() == embedder.dimension)
      found.push_back({other.uid, distance, own->second});
  return found;
}

Result<std::optional<Uuid>> MemoryTurnStore::drop_other_vectors(const EmbedderIdentity& kept,
                                                                const std::optional<Uuid>& after, std::size_t limit,
                                                                const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("dropping vectors"));
  const std::lock_guard lock(state_.mutex);
  std::optional<Uuid> last;
  limit = std::min(limit, kMaxPage);
  for (auto at = state_.vectors.begin(); at != state_.vectors.end();) {
    const auto& [uid, embedder] = at->first;
    const bool is_new = last != uid;
    if (after && uid <= *after) {
      ++at;
      continue;
    }
    if (is_new && limit == 0) break;
    if (is_new) --limit;
    last = uid;
    at = embedder == key_of(kept) ? std::next(at) : state_.vectors.erase(at);
  }
  return last;
}

}  // namespace pandora
