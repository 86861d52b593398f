#include "store_memory/memory_rows_state.h"

#include <algorithm>

#include <fmt/format.h>

namespace pandora::memory_rows {
namespace {

template <class T>
Status check_owner_in(const std::map<Uuid, T>& rows, const T& value) {
  const auto found = rows.find(value.id);
  if (found == rows.end() || found->second.user == value.user) return {};
  return fail(ErrorCode::kPermissionDenied, fmt::format("{} belongs to another user", value.id.to_string()));
}

}  // namespace

Turn* State::find_turn(const Uuid& uid) {
  const auto found = numbers.find(uid);
  return found == numbers.end() ? nullptr : &turns.at(found->second);
}

void State::drop_vectors(const Uuid& uid) {
  std::erase_if(vectors, [&](const auto& one) { return one.first.first == uid; });
}

std::int64_t next_version(State& state) {
  return state.last_version = std::max(state.last_version + 1, state.clock.now().micros);
}

void enqueue(State& state, OutboxKind kind, const std::string& key) {
  const OutboxItem item{kind, key};
  const auto found = std::ranges::find_if(state.outbox, [&](const auto& row) { return row.second.entry.item == item; });
  const std::int64_t id = found != state.outbox.end() ? found->first : ++state.last_entry;
  state.outbox[id] = {{id, item, next_version(state), 0, ""}, {}, {}, ""};
}

void enqueue_turn(State& state, const Uuid& uid) {
  enqueue(state, OutboxKind::kTurnDirectory, uid.to_string());
  enqueue(state, OutboxKind::kTurnPoint, uid.to_string());
}

void enqueue_memory(State& state, const Uuid& id) {
  enqueue(state, OutboxKind::kMemoryFile, id.to_string());
  enqueue(state, OutboxKind::kMemoryPoint, id.to_string());
}

void enqueue_research(State& state, const Uuid& id) {
  enqueue(state, OutboxKind::kResearchFile, id.to_string());
  enqueue(state, OutboxKind::kResearchPoint, id.to_string());
}

Status check_owner(const State& state, const Memory& memory) { return check_owner_in(state.memories, memory); }
Status check_owner(const State& state, const Research& research) { return check_owner_in(state.research, research); }

void put_memory(State& state, const Memory& memory) {
  state.memories[memory.id] = memory;
  enqueue_memory(state, memory.id);
}

void put_research(State& state, const Research& research) {
  state.research[research.id] = research;
  enqueue_research(state, research.id);
}

void record_fetch(State& state, const FetchAttempt& attempt) {
  Source& source = state.sources[attempt.domain];
  source.domain = attempt.domain;
  state.attempts.push_back(attempt);
  ++(attempt.ok ? source.successes : source.failures);
  auto& last = attempt.ok ? source.last_success : source.last_failure;
  last = std::max(last.value_or(attempt.at), attempt.at);
  if (!attempt.detail.empty()) {
    auto& patterns = attempt.ok ? source.worked : source.failed;
    std::erase(patterns, attempt.detail);
    patterns.insert(patterns.begin(), attempt.detail);
    if (patterns.size() > kMaxSitePatterns) patterns.resize(kMaxSitePatterns);
  }
  enqueue(state, OutboxKind::kSourceFile, attempt.domain);
}

void add_observation(State& state, const Observation& observation, const UserId& user) {
  auto& row = state.observations[++state.last_observation];
  row = {observation, user};
  row.observation.micros = std::max<std::int64_t>(0, observation.micros);
}

}  // namespace pandora::memory_rows
