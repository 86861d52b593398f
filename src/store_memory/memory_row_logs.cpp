#include "store_memory/memory_row_logs.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

namespace pandora {

Result<std::vector<SourceAttempt>> MemoryAttemptLog::list(const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("listing attempts"));
  const std::lock_guard lock(state_.mutex);
  std::vector<SourceAttempt> all;
  for (const auto& one : state_.attempts) all.push_back({one.domain, one.at, one.ok});
  std::ranges::sort(all);
  return all;
}

Status MemoryAttemptLog::replace(const std::vector<SourceAttempt>& attempts, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("replacing attempts"));
  const std::lock_guard lock(state_.mutex);
  for (const auto& one : attempts)
    if (!state_.sources.contains(one.domain))
      return fail(ErrorCode::kConflict, fmt::format("nothing is known of {}", one.domain));
  state_.attempts.clear();
  for (const auto& one : attempts) state_.attempts.push_back({one.domain, one.at, one.ok, ""});
  return {};
}

Result<std::vector<KeptVector>> MemoryTurnVectorLog::list(const std::optional<std::pair<Uuid, std::string>>& after,
                                                          std::size_t limit, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("listing vectors"));
  const std::lock_guard lock(state_.mutex);
  std::vector<KeptVector> page;
  for (auto it = after ? state_.vectors.upper_bound(*after) : state_.vectors.begin();
       it != state_.vectors.end() && page.size() < limit; ++it) {
    const auto& [key, vector] = *it;
    std::string bytes(vector.size() * sizeof(float), '\0');
    std::memcpy(bytes.data(), vector.data(), bytes.size());
    page.push_back({key.first, key.second, std::move(bytes)});
  }
  return page;
}

Status MemoryTurnVectorLog::put(std::span<const KeptVector> vectors, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("keeping vectors"));
  const std::lock_guard lock(state_.mutex);
  for (const auto& one : vectors) {
    if (!state_.find_turn(one.turn)) continue;
    std::vector<float> values(one.values.size() / sizeof(float));
    std::memcpy(values.data(), one.values.data(), values.size() * sizeof(float));
    state_.vectors[one.key()] = std::move(values);
  }
  return {};
}

}  // namespace pandora
