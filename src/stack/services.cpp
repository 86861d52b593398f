#include "stack/services.h"

#include <algorithm>

#include "stack/store_probes.h"

namespace pandora {

std::span<const StackService> stack_services() {
  static constexpr StackService kServices[] = {
      {"vectordb", "", "PANDORA_PORT_VECTORDB", StoreKind::kQdrant, "", "qdrant_api_key"},
      {"postgres", "", "PANDORA_PORT_POSTGRES", StoreKind::kPostgres, "", "postgres_password"},
      {"redis", "cache", "PANDORA_PORT_REDIS", StoreKind::kRedis, "", "redis_password"},
      {"objects", "objects", "PANDORA_PORT_OBJECTS", StoreKind::kHttp, "/health", ""},
      {"prometheus", "monitoring", "PANDORA_PORT_PROMETHEUS", StoreKind::kHttp, "/-/ready", ""},
      {"postgres_exporter", "monitoring", "PANDORA_PORT_POSTGRES_EXPORTER", StoreKind::kHttp, "/", ""},
      {"grafana", "monitoring", "PANDORA_PORT_GRAFANA", StoreKind::kHttp, "/api/health", ""}};
  return kServices;
}

const StackService* find_stack_service(std::string_view name) {
  const auto all = stack_services();
  const auto found = std::ranges::find(all, name, &StackService::name);
  return found == all.end() ? nullptr : &*found;
}

std::unique_ptr<HealthProbe> make_store_probe(const StackService& service, StoreAddress address, HttpClient& http) {
  std::string name(service.name);
  switch (service.kind) {
    case StoreKind::kQdrant:
      return make_qdrant_probe(std::move(name), std::move(address), http);
    case StoreKind::kPostgres:
      return make_postgres_probe(std::move(name), std::move(address));
    case StoreKind::kRedis:
      return make_redis_probe(std::move(name), std::move(address));
    case StoreKind::kHttp:
      break;
  }
  return make_http_probe(std::move(name), std::string(service.health_path), std::move(address), http);
}

}  // namespace pandora
