// A turn store that does as another does; a test changes one thing of it.
#pragma once
#include "ports/turn_store.h"

namespace pandora::testing {

class ForwardingTurnStore : public TurnStore {
 public:
  explicit ForwardingTurnStore(TurnStore& turns) : turns_(turns) {}
  Result<TurnNumber> reserve_number(const Principal& who, const Deadline& deadline) override {
    return turns_.reserve_number(who, deadline);
  }
  Status reserve_through(TurnNumber number, const Principal& who, const Deadline& deadline) override {
    return turns_.reserve_through(number, who, deadline);
  }
  Result<TurnNumber> commit_turn(const TurnRecord& record, const Principal& who, const Deadline& deadline) override {
    return turns_.commit_turn(record, who, deadline);
  }
  Result<Turn> find(TurnNumber number, const Principal& who, const Deadline& deadline) override {
    return turns_.find(number, who, deadline);
  }
  Result<std::vector<Turn>> find_all(std::span<const Uuid> uids, const Principal& who,
                                     const Deadline& deadline) override {
    return turns_.find_all(uids, who, deadline);
  }
  Result<std::vector<Turn>> list(const TurnQuery& query, const Principal& who, const Deadline& deadline) override {
    return turns_.list(query, who, deadline);
  }
  Result<std::vector<Turn>> scan(TurnNumber after, std::size_t limit, const Principal& who,
                                 const Deadline& deadline) override {
    return turns_.scan(after, limit, who, deadline);
  }
  Result<std::vector<std::pair<int, Turn>>> neighbours(const Uuid& uid, int radius, const Principal& who,
                                                       const Deadline& deadline) override {
    return turns_.neighbours(uid, radius, who, deadline);
  }
  Result<std::optional<TurnNumber>> find_content(const std::string& content_sha256, const SessionId& session,
                                                 const Principal& who, const Deadline& deadline) override {
    return turns_.find_content(content_sha256, session, who, deadline);
  }
  Result<std::vector<SessionSummary>> sessions(const Principal& who, const Deadline& deadline) override {
    return turns_.sessions(who, deadline);
  }
  Result<std::int64_t> count(const Principal& who, const Deadline& deadline) override {
    return turns_.count(who, deadline);
  }
  Result<std::vector<std::int64_t>> keyword_counts(std::span<const std::string> terms, const Principal& who,
                                                   const Deadline& deadline) override {
    return turns_.keyword_counts(terms, who, deadline);
  }
  Result<Turn> change(TurnNumber number, const TurnChange& change, const Principal& who,
                      const Deadline& deadline) override {
    return turns_.change(number, change, who, deadline);
  }
  Status rewrite(const Turn& turn, const Principal& who, const Deadline& deadline, const Turn* was) override {
    return turns_.rewrite(turn, who, deadline, was);
  }
  Result<RemovedTurn> remove(TurnNumber number, const Principal& who, const Deadline& deadline) override {
    return turns_.remove(number, who, deadline);
  }
  Status put_vector(const Uuid& uid, const EmbedderIdentity& embedder, std::span<const float> vector,
                    const Deadline& deadline, const Turn* of) override {
    return turns_.put_vector(uid, embedder, vector, deadline, of);
  }
  Result<std::vector<TurnVector>> vectors_around(const Uuid& uid, int radius, const EmbedderIdentity& embedder,
                                                 const Deadline& deadline) override {
    return turns_.vectors_around(uid, radius, embedder, deadline);
  }
  Result<std::optional<Uuid>> drop_other_vectors(const EmbedderIdentity& kept, const std::optional<Uuid>& after,
                                                 std::size_t limit, const Deadline& deadline) override {
    return turns_.drop_other_vectors(kept, after, limit, deadline);
  }

 protected:
  TurnStore& turns_;
};

}  // namespace pandora::testing
