#include "store_memory/memory_rows.h"

#include <algorithm>

#include "ports/row_checks.h"
#include "store_memory/memory_knowledge_stores.h"
#include "store_memory/memory_outbox.h"
#include "store_memory/memory_row_logs.h"
#include "store_memory/memory_text_search.h"
#include "store_memory/memory_turn_store.h"

namespace pandora {
namespace {

class MemoryObservationStore final : public ObservationStore {
 public:
  explicit MemoryObservationStore(memory_rows::State& state) : state_(state) {}

  Status add(const std::vector<Observation>& observations, const Deadline& deadline) override {
    for (const auto& observation : observations) PANDORA_CHECK(check_row(observation));
    PANDORA_CHECK(deadline.check("adding observations"));
    const std::lock_guard lock(state_.mutex);
    for (const auto& observation : observations) {
      const Turn* turn = state_.find_turn(observation.turn_uid);
      memory_rows::add_observation(state_, observation, turn ? turn->user : UserId());
    }
    return {};
  }

  Result<std::vector<ObservationRow>> list(const ObservationQuery& query, const Principal& who,
                                           const Deadline& deadline) override {
    PANDORA_CHECK(deadline.check("listing observations"));
    const std::lock_guard lock(state_.mutex);
    std::vector<ObservationRow> found;
    for (auto it = state_.observations.upper_bound(query.after_row); it != state_.observations.end(); ++it) {
      if (found.size() == std::min(query.limit, kMaxPage)) break;
      const auto& [observation, user] = it->second;
      if (who.may_see(user) && matches(observation, query)) found.push_back({it->first, observation});
    }
    return found;
  }

 private:
  static bool matches(const Observation& observation, const ObservationQuery& query) {
    return (!query.kind || observation.kind == *query.kind) && (!query.turn || observation.turn_uid == *query.turn) &&
           (!query.since || observation.at >= *query.since) && (!query.until || observation.at < *query.until);
  }
  memory_rows::State& state_;
};

class MemoryInstanceStore final : public InstanceStore {
 public:
  explicit MemoryInstanceStore(memory_rows::State& state) : state_(state) {}

  Result<std::optional<std::string>> get(const std::string& name, const Deadline& deadline) override {
    PANDORA_CHECK(check_instance_name(name));
    PANDORA_CHECK(deadline.check("reading a fact"));
    const std::lock_guard lock(state_.mutex);
    const auto found = state_.instance.find(name);
    if (found == state_.instance.end()) return std::nullopt;
    return found->second;
  }

  Status put(const std::string& name, const std::string& value, const Deadline& deadline) override {
    PANDORA_CHECK(check_instance_name(name));
    PANDORA_CHECK(check_instance_value(value));
    PANDORA_CHECK(deadline.check("keeping a fact"));
    const std::lock_guard lock(state_.mutex);
    state_.instance[name] = value;
    return {};
  }

 private:
  memory_rows::State& state_;
};

class MemoryRowsImpl final : public MemoryRows {
 public:
  explicit MemoryRowsImpl(const Clock& clock) : state_(clock) {}
  TurnStore& turns() override { return turns_; }
  MemoryStore& memories() override { return memories_; }
  ResearchStore& research() override { return research_; }
  SourceStore& sources() override { return sources_; }
  ObservationStore& observations() override { return observations_; }
  InstanceStore& instance() override { return instance_; }
  Outbox& outbox() override { return outbox_; }
  AttemptLog& attempts() override { return attempts_; }
  TurnVectorLog& turn_vectors() override { return turn_vectors_; }
  TextSearch& texts() override { return texts_; }

 private:
  memory_rows::State state_;
  MemoryTurnStore turns_{state_};
  MemoryMemoryStore memories_{state_};
  MemoryResearchStore research_{state_};
  MemorySourceStore sources_{state_};
  MemoryObservationStore observations_{state_};
  MemoryInstanceStore instance_{state_};
  MemoryOutbox outbox_{state_};
  MemoryAttemptLog attempts_{state_};
  MemoryTurnVectorLog turn_vectors_{state_};
  MemoryTextSearch texts_{state_};
};

}  // namespace

std::unique_ptr<MemoryRows> make_memory_rows(const Clock& clock) { return std::make_unique<MemoryRowsImpl>(clock); }

}  // namespace pandora
