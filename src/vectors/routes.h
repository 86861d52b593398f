// Which operation of the API a request names.
#pragma once
#include <string>
#include <string_view>

#include "wire/qdrant_fault.h"

namespace pandora::qdrant {

enum class Api {
  // the service
  kRoot,
  kHealth,
  kReady,
  kMetrics,
  kTelemetry,
  kCluster,
  kIssues,
  kClearIssues,
  // collections
  kListCollections,
  kCollection,
  kCreateCollection,
  kUpdateCollection,
  kDeleteCollection,
  kCollectionExists,
  kCollectionAliases,
  kAliases,
  kChangeAliases,
  kCreateIndex,
  kDeleteIndex,
  // points that change
  kUpsert,
  kDeletePoints,
  kUpdateVectors,
  kDeleteVectors,
  kSetPayload,
  kOverwritePayload,
  kDeletePayload,
  kClearPayload,
  kBatch,
  // points that are asked for
  kPoint,
  kRetrieve,
  kScroll,
  kCount,
  kQuery,
  kQueryBatch,
  kSearch,
  kSearchBatch,
  // neither
  kNotServed,  // a part of Qdrant's API that is not here: 501
  kUnknown,    // 404
};
inline constexpr std::size_t kApiCount = static_cast<std::size_t>(Api::kUnknown) + 1;

struct Route {
  Api api = Api::kUnknown;
  std::string_view pattern;  // "/collections/{name}/points"; of kNotServed what it is: "snapshots"
  std::string collection;    // percent-decoded
  std::string item;          // of a point or an index, percent-decoded
};

Route match_route(std::string_view method, std::string_view path);
bool changes_something(Api api);
// Needs no key.
bool is_open(Api api);

}  // namespace pandora::qdrant
