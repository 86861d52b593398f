#include "vectors/routes.h"

#include <array>
#include <vector>

#include "net/http_types.h"

namespace pandora::qdrant {
namespace {

struct Pattern {
  std::string_view method, path;
  Api api;
};

// {name} is a collection, {item} a point or an index.
constexpr auto kPatterns = std::to_array<Pattern>({
    {"GET", "/", Api::kRoot},
    {"GET", "/healthz", Api::kHealth},
    {"GET", "/livez", Api::kHealth},
    {"GET", "/readyz", Api::kReady},
    {"GET", "/metrics", Api::kMetrics},
    {"GET", "/telemetry", Api::kTelemetry},
    {"GET", "/cluster", Api::kCluster},
    {"GET", "/issues", Api::kIssues},
    {"DELETE", "/issues", Api::kClearIssues},
    {"GET", "/collections", Api::kListCollections},
    {"GET", "/aliases", Api::kAliases},
    {"POST", "/collections/aliases", Api::kChangeAliases},
    {"GET", "/collections/{name}", Api::kCollection},
    {"PUT", "/collections/{name}", Api::kCreateCollection},
    {"PATCH", "/collections/{name}", Api::kUpdateCollection},
    {"DELETE", "/collections/{name}", Api::kDeleteCollection},
    {"GET", "/collections/{name}/exists", Api::kCollectionExists},
    {"GET", "/collections/{name}/aliases", Api::kCollectionAliases},
    {"PUT", "/collections/{name}/index", Api::kCreateIndex},
    {"DELETE", "/collections/{name}/index/{item}", Api::kDeleteIndex},
    {"PUT", "/collections/{name}/points", Api::kUpsert},
    {"POST", "/collections/{name}/points", Api::kRetrieve},
    {"GET", "/collections/{name}/points/{item}", Api::kPoint},
    {"POST", "/collections/{name}/points/delete", Api::kDeletePoints},
    {"PUT", "/collections/{name}/points/vectors", Api::kUpdateVectors},
    {"POST", "/collections/{name}/points/vectors/delete", Api::kDeleteVectors},
    {"POST", "/collections/{name}/points/payload", Api::kSetPayload},
    {"PUT", "/collections/{name}/points/payload", Api::kOverwritePayload},
    {"POST", "/collections/{name}/points/payload/delete", Api::kDeletePayload},
    {"POST", "/collections/{name}/points/payload/clear", Api::kClearPayload},
    {"POST", "/collections/{name}/points/batch", Api::kBatch},
    {"POST", "/collections/{name}/points/scroll", Api::kScroll},
    {"POST", "/collections/{name}/points/count", Api::kCount},
    {"POST", "/collections/{name}/points/query", Api::kQuery},
    {"POST", "/collections/{name}/points/query/batch", Api::kQueryBatch},
    {"POST", "/collections/{name}/points/search", Api::kSearch},
    {"POST", "/collections/{name}/points/search/batch", Api::kSearchBatch},
});

struct NotServed {
  std::string_view path, what;  // {*}: anything, any number of parts
};
constexpr auto kNotServed = std::to_array<NotServed>({
    {"/collections/{name}/points/query/groups", "results in groups"},
    {"/collections/{name}/points/search/groups", "results in groups"},
    {"/collections/{name}/points/recommend", "recommendations"},
    {"/collections/{name}/points/recommend/{*}", "recommendations"},
    {"/collections/{name}/points/discover", "discovery"},
    {"/collections/{name}/points/discover/{*}", "discovery"},
    {"/collections/{name}/points/search/matrix/{*}", "distance matrices"},
    {"/collections/{name}/facet", "facets"},
    {"/collections/{name}/snapshots", "snapshots"},
    {"/collections/{name}/snapshots/{*}", "snapshots"},
    {"/collections/{name}/shards", "shards"},
    {"/collections/{name}/shards/{*}", "shards"},
    {"/collections/{name}/cluster", "clusters"},
    {"/collections/{name}/optimizations", "optimizations: there are none to wait for"},
    {"/collections/{name}/vectors/{*}", "vectors that are added to a collection later"},
    {"/snapshots", "snapshots"},
    {"/snapshots/{*}", "snapshots"},
    {"/cluster/{*}", "clusters"},
    {"/quotas", "quotas"},
    {"/logger", "changing the log while it runs"},
    {"/locks", "locks"},
});

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> parts;
  while (path.ends_with('/')) path.remove_suffix(1);
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::size_t end = std::min(path.find('/'), path.size());
    parts.push_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return parts;
}

bool fits(std::string_view pattern, const std::vector<std::string_view>& parts, Route& route) {
  std::size_t i = 0;
  for (const std::string_view wanted : split(pattern)) {
    if (wanted == "{*}") return i < parts.size();
    if (i == parts.size()) return false;
    const std::string_view part = parts[i++];
    if (wanted == "{name}" || wanted == "{item}") {
      if (part.empty()) return false;
      auto decoded = percent_decode(part);
      // An escape that is none, or one for a NUL, stays as it is or becomes the character that no name may have.
      std::string text = decoded ? *std::move(decoded) : part == "%00" ? std::string(1, '\0') : std::string(part);
      (wanted == "{name}" ? route.collection : route.item) = std::move(text);
    } else if (part != wanted) {
      return false;
    }
  }
  return i == parts.size();
}

}  // namespace

Route match_route(std::string_view method, std::string_view path) {
  const auto parts = split(path);
  if (method == "HEAD") method = "GET";
  Route route;
  for (const Pattern& pattern : kPatterns)
    if (pattern.method == method && fits(pattern.path, parts, route)) {
      // A point's id never is one of these words; an index' name may be.
      route.api = pattern.api;
      route.pattern = pattern.path;
      return route;
    }
  for (const NotServed& one : kNotServed)
    if (fits(one.path, parts, route)) {
      route.api = Api::kNotServed;
      route.pattern = one.what;
      return route;
    }
  return Route();
}

bool changes_something(Api api) {
  switch (api) {
    case Api::kClearIssues:
    case Api::kCreateCollection:
    case Api::kUpdateCollection:
    case Api::kDeleteCollection:
    case Api::kChangeAliases:
    case Api::kCreateIndex:
    case Api::kDeleteIndex:
      return true;
    default:
      return api >= Api::kUpsert && api <= Api::kBatch;
  }
}

bool is_open(Api api) { return api == Api::kRoot || api == Api::kHealth || api == Api::kReady; }

}  // namespace pandora::qdrant
