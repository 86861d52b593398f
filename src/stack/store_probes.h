// One probe a kind of store. Not for use outside of stack.
#pragma once
#include <memory>

#include "base/clock.h"
#include "stack/services.h"

namespace pandora {

std::unique_ptr<HealthProbe> make_postgres_probe(std::string name, StoreAddress address);
std::unique_ptr<HealthProbe> make_redis_probe(std::string name, StoreAddress address);
std::unique_ptr<HealthProbe> make_qdrant_probe(std::string name, StoreAddress address, HttpClient& http);
std::unique_ptr<HealthProbe> make_http_probe(std::string name, std::string path, StoreAddress address,
                                             HttpClient& http);

Health health_of(const Clock& clock, SteadyTime asked, const Status& answer);
// Until the descriptor can be read (or written), or the deadline; kDeadlineExceeded.
Status wait_for_socket(int descriptor, short events, const Deadline& deadline);

}  // namespace pandora
