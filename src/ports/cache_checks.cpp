#include "ports/cache_checks.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"

namespace pandora {
namespace {

constexpr std::size_t kKeyDigits = 64, kMaxShown = 80;

tl::unexpected<Error> wrong(std::string_view text, std::string_view what) {
  return fail(ErrorCode::kInvalidArgument, fmt::format("\"{}\" is no {}", one_line(ellipsize(text, kMaxShown)), what));
}

}  // namespace

Status check_cache_key(const std::string& key) {
  if (key.empty()) return wrong(key, "key of a cache");
  if (key.size() <= kMaxCacheKey) return {};
  return fail(ErrorCode::kTooLarge, fmt::format("a key of {} bytes, at most {}", key.size(), kMaxCacheKey));
}

Status check_cache_value(const std::string& value) {
  if (value.size() <= kMaxCacheValue) return {};
  return fail(ErrorCode::kTooLarge, fmt::format("a value of {} bytes, at most {}", value.size(), kMaxCacheValue));
}

Status check_cache_lifetime(Duration lifetime) {
  if (lifetime >= kMinCacheLifetime && lifetime <= kMaxCacheLifetime) return {};
  return fail(ErrorCode::kInvalidArgument, fmt::format("a lifetime of {} µs is out of bounds", lifetime.count()));
}

Status check_cache_quotas(std::span<const CacheQuota> quotas, Duration window) {
  PANDORA_CHECK(check_cache_lifetime(window));
  if (quotas.empty() || quotas.size() > kMaxCacheQuotas)
    return fail(ErrorCode::kInvalidArgument, fmt::format("{} quotas, from 1 to {}", quotas.size(), kMaxCacheQuotas));
  for (std::size_t i = 0; i < quotas.size(); ++i) {
    const CacheQuota& quota = quotas[i];
    PANDORA_CHECK(check_cache_key(quota.key));
    for (const std::int64_t number : {quota.limit, quota.needs, quota.counts})
      if (number < 0 || number > kMaxCacheCount)
        return fail(ErrorCode::kInvalidArgument, fmt::format("{} is out of a quota's bounds", number));
    for (std::size_t other = 0; other < i; ++other)
      if (quotas[other].key == quota.key) return wrong(quota.key, "quota of its own: it stands twice");
  }
  return {};
}

Duration whole_milliseconds(Duration lifetime) { return std::chrono::ceil<std::chrono::milliseconds>(lifetime); }

Status check_object_key(const std::string& key) {
  const bool good = key.size() == kKeyDigits &&
                    std::ranges::all_of(key, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  return good ? Status() : Status(wrong(key, "key of an object"));
}

Status check_object(std::string_view bytes, const std::string& media_type) {
  const auto slash = media_type.find('/');
  const bool good = media_type.size() <= kMaxMediaType && slash != std::string::npos && slash > 0 &&
                    slash + 1 < media_type.size() && slash == media_type.rfind('/') &&
                    std::ranges::all_of(media_type, [](char c) { return c >= ' ' && c <= '~'; });
  if (!good) return wrong(media_type, "media type");
  if (bytes.size() <= kMaxObjectBytes) return {};
  return fail(ErrorCode::kTooLarge, fmt::format("an object of {} bytes, at most {}", bytes.size(), kMaxObjectBytes));
}

Status check_object_list(const std::string& after, std::size_t limit) {
  if (!after.empty()) PANDORA_CHECK(check_object_key(after));
  if (limit <= kMaxObjectList) return {};
  return fail(ErrorCode::kTooLarge, fmt::format("{} objects asked for, at most {}", limit, kMaxObjectList));
}

}  // namespace pandora
