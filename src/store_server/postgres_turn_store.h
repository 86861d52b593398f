// TurnStore over PostgreSQL. See ports/turn_store.h.
#pragma once
#include "base/thread_pool.h"
#include "ports/turn_store.h"
#include "store_server/postgres_turn_commits.h"

namespace pandora {

class PostgresTurnStore final : public TurnStore {
 public:
  PostgresTurnStore(PostgresPool& pool, const Clock& clock) : pool_(pool), clock_(clock), commits_(pool, clock) {}
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
  Result<std::optional<TurnNumber>> find_content(const std::string& content, const SessionId& session,
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
  PostgresPool& pool_;
  const Clock& clock_;
  PostgresTurnCommits commits_;
  ThreadPool readers_{ThreadPool::threads_that_help()};  // they take rows apart
};

namespace postgres_rows {

// As they stand in its row.
std::string topic_terms(const Turn& turn);
std::int64_t keyword_key(const UserId& user, std::string_view term);  // as 0009_keywords_of_a_turn.sql has it
std::vector<std::int64_t> keyword_keys(const Turn& turn);             // each once

// Of columns "turn_number, document".
Result<Turn> read_turn(const PostgresRows& rows, int row, int column = 0);
Result<std::vector<Turn>> read_turns(const PostgresRows& rows);
tl::unexpected<Error> no_turn(TurnNumber number);
tl::unexpected<Error> no_turn(const Uuid& uid);

}  // namespace postgres_rows
}  // namespace pandora
