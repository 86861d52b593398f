#include "recall/cached_research.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>

#include <fmt/format.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"
#include "ports/turn_store.h"
#include "wire/turn_json.h"

namespace pandora {
namespace {

constexpr Duration kGlance = std::chrono::seconds(5);        // at the cache, whose own limit is lower
constexpr Duration kAgain = std::chrono::milliseconds(100);  // between attempts to tell it of a removal
constexpr char kCopy = '=', kMark = '?';                     // what a value begins with

std::string key_of(const Uuid& id) { return "research:" + id.to_string(); }
std::string key_of_topic(const std::string& topic_key) { return "research-topic:" + sha256_hex(topic_key); }

tl::unexpected<Error> none(const Uuid& id) {
  return fail(ErrorCode::kNotFound, fmt::format("there is no research {}", id.to_string()));
}
bool is_visible(const Research& research, const Principal& who) {
  return research.scope == Scope::kGlobal || who.may_see(research.user);
}

}  // namespace

Deadline CachedResearch::soon(const Deadline& deadline) const { return deadline.at_most(clock_, kGlance); }

CachedResearch::Looked CachedResearch::look(const std::string& key, const Deadline& deadline) {
  const auto value = cache_.get(key, soon(deadline));
  if (!value) return {};
  if (*value) return {(*value)->starts_with(kCopy) ? std::optional((*value)->substr(1)) : std::nullopt, ""};
  // No two marks are the same, also of several processes.
  static std::atomic<std::uint64_t> count = 0;
  const std::string mark = fmt::format("{}{} {} {}", kMark, ::getpid(), clock_.now().micros, ++count);
  const auto left = cache_.replace(key, std::nullopt, mark, kResearchMarked, soon(deadline));
  return {std::nullopt, left && *left ? mark : ""};
}

void CachedResearch::keep(const std::string& key, const std::string& mark, const std::string& copy,
                          const Deadline& deadline) {
  if (!mark.empty() && copy.size() < kMaxCacheValue)
    (void)cache_.replace(key, mark, kCopy + copy, kResearchCached, soon(deadline));
}

void CachedResearch::drop(const std::string& key, const Deadline& deadline) {
  if (const Status dropped = cache_.erase(key, soon(deadline)); !dropped)
    log_debug("research.copy_stays",
              {{"for_ms", kResearchCached / std::chrono::milliseconds(1)}, {"why", dropped.error().to_line()}});
}

// Until the cache has dropped it, or no copy of that time can be there any more.
Status CachedResearch::forget(const std::string& key, SteadyTime removed_at, const Deadline& deadline) {
  std::mutex mutex;
  std::condition_variable pause;
  for (;;) {
    const Status dropped = cache_.erase(key, Deadline::after(clock_, kGlance));
    if (dropped || clock_.steady() - removed_at >= kResearchForgotten) return {};
    if (deadline.expired())
      return fail(ErrorCode::kDeadlineExceeded,
                  fmt::format("the research is removed, but the cache may show it for {} s more: {}",
                              kResearchForgotten / std::chrono::seconds(1), dropped.error().message));
    std::unique_lock lock(mutex);
    pause.wait_for(lock, kAgain);
  }
}

Status CachedResearch::put(const Research& research, const Principal& who, const Deadline& deadline) {
  PANDORA_CHECK(rows_.put(research, who, deadline));
  drop(key_of(research.id), Deadline::never());
  drop(key_of_topic(research_topic_key(research.primary_topic)), Deadline::never());
  return {};
}

Result<Research> CachedResearch::change(const Uuid& id, const std::function<void(Research&)>& how, const Principal& who,
                                        const Deadline& deadline) {
  PANDORA_TRY(changed, rows_.change(id, how, who, deadline));
  drop(key_of(id), Deadline::never());
  return changed;
}

Result<Research> CachedResearch::remove(const Uuid& id, const Principal& who, const Deadline& deadline) {
  PANDORA_TRY(removed, rows_.remove(id, who, deadline));
  PANDORA_CHECK(forget(key_of(id), clock_.steady(), deadline));
  return removed;
}

Status CachedResearch::written_elsewhere(std::span<const Uuid> removed, std::span<const std::string> topics,
                                         const Deadline& deadline) {
  for (const auto& topic : topics) drop(key_of_topic(research_topic_key(topic)), Deadline::never());
  const SteadyTime now = clock_.steady();
  for (const Uuid& id : removed) PANDORA_CHECK(forget(key_of(id), now, deadline));
  return {};
}

Result<Research> CachedResearch::find(const Uuid& id, const Principal& who, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("finding research"));
  const Looked looked = look(key_of(id), deadline);
  if (looked.copy) {
    const auto json = parse_json(*looked.copy, kMaxCacheValue, "cached research");
    auto research = json ? research_from_json(*json, "cached research") : Result<Research>(fail(json.error()));
    if (research && research->id == id) {
      if (!is_visible(*research, who)) return none(id);
      return research;
    }
  }
  PANDORA_TRY(research, rows_.find(id, who, deadline));
  keep(key_of(id), looked.mark, dump_json(to_json(research)), deadline);
  return research;
}

// None: they are more than are kept, or the cache is away.
Result<std::optional<std::vector<Uuid>>> CachedResearch::ids_of_topic(const std::string& topic_key,
                                                                      const Deadline& deadline) {
  const std::string key = key_of_topic(topic_key);
  const Looked looked = look(key, deadline);
  std::vector<Uuid> ids;
  if (looked.copy) {
    const auto json = parse_json(*looked.copy, kMaxCacheValue, "cached ids");
    if (!json || !json->is_array()) return std::optional<std::vector<Uuid>>();
    for (const auto& text : *json) {
      const auto id = text.is_string() ? Uuid::parse(text.get<std::string>()) : none({});
      if (!id) return std::optional<std::vector<Uuid>>();
      ids.push_back(*id);
    }
    return std::optional(std::move(ids));
  }
  if (looked.mark.empty()) return std::optional<std::vector<Uuid>>();
  ResearchQuery all;
  all.topic = topic_key;
  all.limit = kMaxCachedOfTopic + 1;
  PANDORA_TRY(found, rows_.list(all, Principal::system(), deadline));
  Json json = Json::array();
  for (const auto& one : found) ids.push_back(one.id), json.push_back(one.id.to_string());
  if (ids.size() > kMaxCachedOfTopic) return std::optional<std::vector<Uuid>>();
  keep(key, looked.mark, dump_json(json), deadline);
  return std::optional(std::move(ids));
}

Result<std::vector<Research>> CachedResearch::list(const ResearchQuery& query, const Principal& who,
                                                   const Deadline& deadline) {
  if (!query.topic || query.after) return rows_.list(query, who, deadline);
  PANDORA_CHECK(deadline.check("listing research"));
  const std::string topic_key = research_topic_key(*query.topic);
  PANDORA_TRY(ids, ids_of_topic(topic_key, deadline));
  if (!ids) return rows_.list(query, who, deadline);
  std::vector<Research> all;
  for (const Uuid& id : *ids) {
    if (all.size() == std::min(query.limit, kMaxPage)) break;
    auto research = find(id, who, deadline);
    if (!research && research.error().code == ErrorCode::kNotFound) continue;  // removed since, or another's
    if (!research) return fail(std::move(research).error());
    if (research_topic_key(research->primary_topic) != topic_key) continue;
    if (query.valid_at && research->expires_at <= *query.valid_at) continue;
    all.push_back(*std::move(research));
  }
  return all;
}

}  // namespace pandora
