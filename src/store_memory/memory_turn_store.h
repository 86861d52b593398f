// TurnStore in memory. See ports/turn_store.h.
#pragma once
#include "store_memory/memory_rows_state.h"

namespace pandora {

class MemoryTurnStore final : public TurnStore {
 public:
  explicit MemoryTurnStore(memory_rows::State& state) : state_(state) {}

  Result<TurnNumber> reserve_number(const Principal& who, const Deadline& deadline) override;
  Status reserve_through(TurnNumber number, const Principal& who, const Deadline& deadline) override;
  Result<TurnNumber> commit_turn(const TurnRecord& record, const Principal& who, const Deadline& deadline) override;
  Result<Turn> find(TurnNumber number, const Principal& who, const Deadline& deadline) override;
  Result<std::vector<Turn>> find_all(std::span<const Uuid> uids, const Principal& who,
                                     const Deadline& deadline) override;
  Result<std::vector<Turn>> list(const TurnQuery& query, const Principal& who, const Deadline& deadline) override;
  Result<std::vector<Turn>> scan(TurnNumber after, std::size_t limit, const Principal& who,
                                 const Deadline& deadline) override;
  Result<std::vector<std::pair<int, Turn>>> neighbours(const Uuid& uid, int radius, const Principal& who,
                                                       const Deadline& deadline) override;
  Result<std::optional<TurnNumber>> find_content(const std::string& content_sha256, const SessionId& session,
                                                 const Principal& who, const Deadline& deadline) override;
  Result<std::vector<SessionSummary>> sessions(const Principal& who, const Deadline& deadline) override;
  Result<std::int64_t> count(const Principal& who, const Deadline& deadline) override;
  Result<std::vector<std::int64_t>> keyword_counts(std::span<const std::string> terms, const Principal& who,
                                                   const Deadline& deadline) override;
  Result<Turn> change(TurnNumber number, const TurnChange& change, const Principal& who,
                      const Deadline& deadline) override;
  Status rewrite(const Turn& turn, const Principal& who, const Deadline& deadline, const Turn* was) override;
  Result<RemovedTurn> remove(TurnNumber number, const Principal& who, const Deadline& deadline) override;
  Status put_vector(const Uuid& uid, const EmbedderIdentity& embedder, std::span<const float> vector,
                    const Deadline& deadline, const Turn* of) override;
  Result<std::vector<TurnVector>> vectors_around(const Uuid& uid, int radius, const EmbedderIdentity& embedder,
                                                 const Deadline& deadline) override;
  Result<std::optional<Uuid>> drop_other_vectors(const EmbedderIdentity& kept, const std::optional<Uuid>& after,
                                                 std::size_t limit, const Deadline& deadline) override;

 private:
  Result<TurnNumber> next_number();
  Result<Turn*> visible(TurnNumber number, const Principal& who);
  Result<Turn*> visible(const Uuid& uid, const Principal& who);
  std::vector<std::pair<int, Turn>> around(const Turn& turn, int radius) const;  // the turn itself first
  std::vector<Uuid> enqueue_neighbours(const Turn& turn);

  memory_rows::State& state_;
};

}  // namespace pandora
