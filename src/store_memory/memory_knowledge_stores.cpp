#include "store_memory/memory_knowledge_stores.h"

#include <algorithm>

#include <fmt/format.h>

#include "ports/row_checks.h"

namespace pandora {
namespace {

template <class T>
bool sees(const Principal& who, const T& value) {
  return value.scope == Scope::kGlobal || who.may_see(value.user);
}

template <class T>
Result<T*> visible(std::map<Uuid, T>& rows, const Uuid& id, const Principal& who) {
  const auto found = rows.find(id);
  if (found == rows.end() || !sees(who, found->second))
    return fail(ErrorCode::kNotFound, fmt::format("there is nothing with id {}", id.to_string()));
  return &found->second;
}

Status may_write(const UserId& owner, const Principal& who) {
  if (who.may_see(owner)) return {};
  return fail(ErrorCode::kPermissionDenied, fmt::format("this belongs to {}", owner.str()));
}

// Those of `rows` above `after` that `who` sees and `matches` takes, ascending.
template <class T, class Matches>
std::vector<T> page(const std::map<Uuid, T>& rows, const std::optional<Uuid>& after, std::size_t limit,
                    const Principal& who, Matches matches) {
  std::vector<T> found;
  for (auto it = after ? rows.upper_bound(*after) : rows.begin(); it != rows.end(); ++it) {
    if (found.size() == std::min(limit, kMaxPage)) break;
    if (sees(who, it->second) && matches(it->second)) found.push_back(it->second);
  }
  return found;
}

}  // namespace

Status MemoryMemoryStore::put(const Memory& memory, std::span<const Uuid> supersedes, const Principal& who,
                              const Deadline& deadline) {
  PANDORA_CHECK(check_row(memory));
  PANDORA_CHECK(may_write(memory.user, who));
  PANDORA_CHECK(deadline.check("keeping a memory"));
  if (std::ranges::find(supersedes, memory.id) != supersedes.end())
    return fail(ErrorCode::kInvalidArgument, "a memory cannot supersede itself");
  const std::lock_guard lock(state_.mutex);
  PANDORA_CHECK(memory_rows::check_owner(state_, memory));
  for (const Uuid& id : supersedes) {
    PANDORA_TRY(old, visible(state_.memories, id, who));
    PANDORA_CHECK(may_write(old->user, who));
  }
  memory_rows::put_memory(state_, memory);
  for (const Uuid& id : supersedes) {
    state_.memories[id].superseded_by = memory.id;
    memory_rows::enqueue_memory(state_, id);
  }
  return {};
}

Result<Memory> MemoryMemoryStore::find(const Uuid& id, const Principal& who, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("finding a memory"));
  const std::lock_guard lock(state_.mutex);
  PANDORA_TRY(memory, visible(state_.memories, id, who));
  return *memory;
}

Result<std::vector<Memory>> MemoryMemoryStore::list(const MemoryQuery& query, const Principal& who,
                                                    const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("listing memories"));
  const std::lock_guard lock(state_.mutex);
  return page(state_.memories, query.after, query.limit, who, [&](const Memory& memory) {
    return (!query.kind || memory.kind == *query.kind) && (query.include_superseded || !memory.superseded_by) &&
           (!query.valid_at || !memory.expires_at || *memory.expires_at > *query.valid_at);
  });
}

Result<Memory> MemoryMemoryStore::remove(const Uuid& id, const Principal& who, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("removing a memory"));
  const std::lock_guard lock(state_.mutex);
  PANDORA_TRY(found, visible(state_.memories, id, who));
  Memory memory = *found;
  PANDORA_CHECK(may_write(memory.user, who));
  state_.memories.erase(id);
  memory_rows::enqueue_memory(state_, memory.id);
  return memory;
}

Status MemoryResearchStore::put(const Research& research, const Principal& who, const Deadline& deadline) {
  PANDORA_CHECK(check_row(research));
  PANDORA_CHECK(may_write(research.user, who));
  PANDORA_CHECK(deadline.check("keeping research"));
  const std::lock_guard lock(state_.mutex);
  PANDORA_CHECK(memory_rows::check_owner(state_, research));
  memory_rows::put_research(state_, research);
  return {};
}

Result<Research> MemoryResearchStore::find(const Uuid& id, const Principal& who, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("finding research"));
  const std::lock_guard lock(state_.mutex);
  PANDORA_TRY(research, visible(state_.research, id, who));
  return *research;
}

Result<std::vector<Research>> MemoryResearchStore::list(const ResearchQuery& query, const Principal& who,
                                                        const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("listing research"));
  const std::lock_guard lock(state_.mutex);
  return page(state_.research, query.after, query.limit, who, [&](const Research& research) {
    return (!query.topic || research_topic_key(research.primary_topic) == research_topic_key(*query.topic)) &&
           (!query.valid_at || research.expires_at > *query.valid_at);
  });
}

Result<Research> MemoryResearchStore::change(const Uuid& id, const std::function<void(Research&)>& how,
                                             const Principal& who, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("changing research"));
  const std::lock_guard lock(state_.mutex);
  PANDORA_TRY(found, visible(state_.research, id, who));
  Research research = *found;
  PANDORA_CHECK(may_write(research.user, who));
  how(research);
  PANDORA_CHECK(check_row(research));
  memory_rows::put_research(state_, research);
  return research;
}

Result<Research> MemoryResearchStore::remove(const Uuid& id, const Principal& who, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("removing research"));
  const std::lock_guard lock(state_.mutex);
  PANDORA_TRY(found, visible(state_.research, id, who));
  Research research = *found;
  PANDORA_CHECK(may_write(research.user, who));
  state_.research.erase(id);
  memory_rows::enqueue_research(state_, research.id);
  return research;
}

Source MemorySourceStore::counted(Source source, Timestamp now) const {
  source.recent_successes = source.recent_failures = 0;
  for (const auto& attempt : state_.attempts)
    if (attempt.domain == source.domain && attempt.at > now - kRecentAttempts && attempt.at <= now)
      ++(attempt.ok ? source.recent_successes : source.recent_failures);
  return source;
}

Status MemorySourceStore::record(const FetchAttempt& attempt, const Deadline& deadline) {
  PANDORA_CHECK(check_row(attempt));
  PANDORA_CHECK(deadline.check("counting a fetch"));
  const std::lock_guard lock(state_.mutex);
  memory_rows::record_fetch(state_, attempt);
  return {};
}

Result<Source> MemorySourceStore::find(const std::string& domain, Timestamp now, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("finding a source"));
  const std::lock_guard lock(state_.mutex);
  const auto found = state_.sources.find(domain);
  if (found == state_.sources.end()) return fail(ErrorCode::kNotFound, fmt::format("nothing is known of {}", domain));
  return counted(found->second, now);
}

Result<std::vector<Source>> MemorySourceStore::list(Timestamp now, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("listing sources"));
  const std::lock_guard lock(state_.mutex);
  std::vector<Source> found;
  for (const auto& [domain, source] : state_.sources) found.push_back(counted(source, now));
  return found;
}

Result<Source> MemorySourceStore::set_override(const std::string& domain, SourceOverride value, Timestamp now,
                                               const Deadline& deadline) {
  PANDORA_CHECK(check_domain(domain));
  PANDORA_CHECK(deadline.check("changing a source"));
  const std::lock_guard lock(state_.mutex);
  Source& source = state_.sources[domain];
  source.domain = domain;
  source.manual = value;
  memory_rows::enqueue(state_, OutboxKind::kSourceFile, domain);
  return counted(source, now);
}

Status MemorySourceStore::restore(const Source& source, const Deadline& deadline) {
  PANDORA_CHECK(check_row(source));
  PANDORA_CHECK(deadline.check("restoring a source"));
  const std::lock_guard lock(state_.mutex);
  state_.sources[source.domain] = source;
  memory_rows::enqueue(state_, OutboxKind::kSourceFile, source.domain);
  return {};
}

}  // namespace pandora
