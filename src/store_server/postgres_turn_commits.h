// How turns come into the rows. Turns that come at the same time share a transaction: while kMostAtOnce are under way,
// each on a connection of its own, the next ones gather, and the first of them takes all of them along. So many writers
// cost the server one commit, and each turn a share of the statements. Internal to store_server; thread-safe.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "ports/turn_store.h"
#include "postgres/postgres_pool.h"

namespace pandora {

// One gathers and answers its writers while the server works on the other.
inline constexpr int kMostAtOnce = 2;

// A turn's row, as far as it must be made from the record first.
struct PostgresTurnRow {
  const TurnRecord* record;
  std::string topic_terms, keywords, document;  // `keywords`: JSON
  std::vector<std::int64_t> keyword_keys;
};

class PostgresTurnCommits {
 public:
  PostgresTurnCommits(PostgresPool& pool, const Clock& clock) : pool_(pool), clock_(clock) {}
  // As TurnStore::commit_turn, of a record that was checked.
  Result<TurnNumber> commit(const TurnRecord& record, const Deadline& deadline);

 private:
  struct Waiting {
    const PostgresTurnRow* row;
    Deadline deadline;
    std::size_t bytes;
    bool taken = false;                // it is in a transaction that is under way, or was
    bool over = false;                 // nobody else works on it any more:
    std::optional<TurnNumber> number;  // it was committed with others, or else must be by its own thread
    std::condition_variable changed;   // it is over, or may be the next
  };
  using Together = std::vector<Waiting*>;
  Result<TurnNumber> commit_alone(const PostgresTurnRow& row, const Deadline& deadline);
  Together take_together();  // under mutex_, as the next
  void wake_next();
  // The number of each that is committed now and was not before.
  std::vector<std::optional<TurnNumber>> commit_together(const Together& those);

  PostgresPool& pool_;
  const Clock& clock_;
  std::mutex mutex_;
  std::vector<Waiting*> waiting_;  // in the order in which they came
  int under_way_ = 0;              // transactions of those that were taken
};

}  // namespace pandora
