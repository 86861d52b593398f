// What every Cache and every ObjectStore refuses before it looks at its data (ports/cache.h, ports/object_store.h).
#pragma once
#include "ports/cache.h"
#include "ports/object_store.h"

namespace pandora {

Status check_cache_key(const std::string& key);  // of a value, a counter, a lock; a channel
Status check_cache_value(const std::string& value);
Status check_cache_lifetime(Duration lifetime);
Status check_cache_quotas(std::span<const CacheQuota> quotas, Duration window);
Duration whole_milliseconds(Duration lifetime);  // rounded up

Status check_object_key(const std::string& key);
Status check_object(std::string_view bytes, const std::string& media_type);
Status check_object_list(const std::string& after, std::size_t limit);

}  // namespace pandora
