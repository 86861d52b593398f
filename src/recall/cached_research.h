// Research read through the cache: a ResearchStore before the one that keeps the rows.
//
// One row by its id, and the ids of a topic's, are kept there for kResearchCached at most. Rows are the truth: every
// write goes to them first and drops its copies then. Who found nothing in the cache leaves a mark there before it
// reads the rows, and its copy takes the place of that mark alone; a write takes the mark away as well. So a copy that
// is older than a write is not put there after it, and when the cache has lost all there is no mark to be replaced.
//
// What was removed must not come back. When the cache cannot be told of a removal, `remove` and `written_elsewhere`
// return once every copy has ended by itself, within kResearchForgotten, or fail with kDeadlineExceeded before: the row
// is gone then, and the copies end all the same. Other writes wait for nothing: a copy is then too old by
// kResearchCached. With the cache away all is read from the rows. Thread-safe.
#pragma once
#include "ports/cache.h"
#include "ports/knowledge_stores.h"

namespace pandora {

inline constexpr Duration kResearchCached = std::chrono::seconds(10);
inline constexpr Duration kResearchMarked = std::chrono::seconds(5);  // who reads the rows for longer keeps no copy
inline constexpr Duration kResearchForgotten = kResearchCached + kResearchMarked;
inline constexpr std::size_t kMaxCachedOfTopic = 32;  // a topic with more is read from the rows

class CachedResearch final : public ResearchStore {
 public:
  // All of it outlives this.
  CachedResearch(ResearchStore& rows, Cache& cache, const Clock& clock) : rows_(rows), cache_(cache), clock_(clock) {}
  Status put(const Research& research, const Principal& who, const Deadline& deadline) override;
  Result<Research> find(const Uuid& id, const Principal& who, const Deadline& deadline) override;
  // Of one topic, and its first page, through the cache; any other list from the rows.
  Result<std::vector<Research>> list(const ResearchQuery& query, const Principal& who,
                                     const Deadline& deadline) override;
  Result<Research> change(const Uuid& id, const std::function<void(Research&)>& how, const Principal& who,
                          const Deadline& deadline) override;
  Result<Research> remove(const Uuid& id, const Principal& who, const Deadline& deadline) override;
  Status written_elsewhere(std::span<const Uuid> removed, std::span<const std::string> topics,
                           const Deadline& deadline) override;

 private:
  // What the cache says: a copy; or nothing, and whether this caller has left the mark that its copy may replace.
  struct Looked {
    std::optional<std::string> copy;
    std::string mark;  // empty: somebody else reads the rows, or the cache is away
  };
  Looked look(const std::string& key, const Deadline& deadline);
  void keep(const std::string& key, const std::string& mark, const std::string& copy, const Deadline& deadline);
  void drop(const std::string& key, const Deadline& deadline);
  Status forget(const std::string& key, SteadyTime removed_at, const Deadline& deadline);
  Result<std::optional<std::vector<Uuid>>> ids_of_topic(const std::string& topic_key, const Deadline& deadline);
  Deadline soon(const Deadline& deadline) const;

  ResearchStore& rows_;
  Cache& cache_;
  const Clock& clock_;
};

}  // namespace pandora
