// What the in-memory rows share, and the writes that several of them make. Internal to store_memory.
//
// Everything is under `mutex`; whoever calls a function of this file holds it. A call of a port is one transaction
// because it holds the mutex from beginning to end and refuses before it changes anything.
#pragma once
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "ports/knowledge_stores.h"
#include "ports/observation_store.h"
#include "ports/outbox.h"
#include "ports/turn_store.h"

namespace pandora::memory_rows {

struct OwnedObservation {
  Observation observation;
  UserId user;  // empty: of the installation
};

struct OutboxRow {
  OutboxEntry entry;
  Timestamp due_at, leased_until;
  std::string owner;
};

struct State {
  explicit State(const Clock& a_clock) : clock(a_clock) {}

  const Clock& clock;
  std::mutex mutex;

  TurnNumber last_number;
  std::map<TurnNumber, Turn> turns;
  std::map<Uuid, TurnNumber> numbers;                                  // of `turns`, by uid
  std::map<std::pair<Uuid, std::string>, std::vector<float>> vectors;  // by turn and "model@revision"

  std::map<Uuid, Memory> memories;
  std::map<Uuid, Research> research;
  std::map<std::string, Source> sources;  // recent_* are counted from `attempts` when asked for
  std::vector<FetchAttempt> attempts;

  std::int64_t last_observation = 0;
  std::map<std::int64_t, OwnedObservation> observations;
  std::map<std::string, std::string> instance;

  std::int64_t last_entry = 0, last_version = 0;
  std::map<std::int64_t, OutboxRow> outbox;

  Turn* find_turn(const Uuid& uid);
  void drop_vectors(const Uuid& uid);
};

std::int64_t next_version(State& state);
void enqueue(State& state, OutboxKind kind, const std::string& key);
void enqueue_turn(State& state, const Uuid& uid);  // directory and point
void enqueue_memory(State& state, const Uuid& id);
void enqueue_research(State& state, const Uuid& id);

// An id keeps its owner.
Status check_owner(const State& state, const Memory& memory);
Status check_owner(const State& state, const Research& research);

void put_memory(State& state, const Memory& memory);
void put_research(State& state, const Research& research);
void record_fetch(State& state, const FetchAttempt& attempt);
void add_observation(State& state, const Observation& observation, const UserId& user);

}  // namespace pandora::memory_rows
