// What asks for points: query, search, scroll, count, retrieve.
#pragma once
#include "wire/qdrant_filter.h"
#include "wire/qdrant_vectors.h"

namespace pandora::qdrant {

inline constexpr std::size_t kDefaultLimit = 10;
inline constexpr std::size_t kMaxPrefetches = 64;  // of one list
inline constexpr std::size_t kMaxPrefetchDepth = 64;
inline constexpr std::size_t kMaxBatchQueries = 1'000;
inline constexpr float kDefaultRrfK = 2;

struct PayloadSelector {
  enum class Kind { kNone, kAll, kInclude, kExclude } kind = Kind::kNone;
  std::vector<PayloadPath> paths;
};
struct VectorSelector {
  enum class Kind { kNone, kAll, kNamed } kind = Kind::kNone;
  std::vector<std::string> names;
};

struct Nearest {
  std::variant<VectorInput, PointId> target;
};
struct OrderBy {
  PayloadPath path;
  bool descending = false;
  std::variant<std::monostate, double, Timestamp> start_from;
};
// Reciprocal ranks: Σ 1 / ((rank + 1) / weight + k − 1), ranks from 0.
struct RankFusion {
  float k = kDefaultRrfK;
  std::optional<std::vector<float>> weights;  // of each prefetch; a list of none above 0 adds nothing
};
// Scores from mean − 3σ … mean + 3σ of their list as 0 … 1, added.
struct DistributionFusion {};
using QueryKind = std::variant<std::monostate, Nearest, OrderBy, RankFusion, DistributionFusion>;

// A step whose results the one above it ranks again.
struct QueryStep {
  std::vector<QueryStep> prefetch;
  QueryKind query;  // none: by id
  std::string vector_name;
  std::optional<Filter> filter;
  std::optional<float> score_threshold;
  std::size_t limit = kDefaultLimit;
};
struct QueryRequest {
  QueryStep step;
  std::size_t offset = 0;
  PayloadSelector payload;
  VectorSelector vectors;
};

struct ScrollRequest {
  std::optional<PointId> offset;  // the first one, if it is there
  std::size_t limit = kDefaultLimit;
  std::optional<Filter> filter;
  std::optional<OrderBy> order_by;
  PayloadSelector payload{PayloadSelector::Kind::kAll, {}};
  VectorSelector vectors;
};
struct RetrieveRequest {
  std::vector<PointId> ids;
  PayloadSelector payload;
  VectorSelector vectors;
};

Outcome<QueryRequest> read_query(JsonNode body);
Outcome<std::vector<QueryRequest>> read_query_batch(JsonNode body);
Outcome<QueryRequest> read_search(JsonNode body);  // the old form
Outcome<std::vector<QueryRequest>> read_search_batch(JsonNode body);
Outcome<ScrollRequest> read_scroll(JsonNode body);
Outcome<RetrieveRequest> read_retrieve(JsonNode body);
Outcome<std::optional<Filter>> read_count(JsonNode body);  // which to count

}  // namespace pandora::qdrant
