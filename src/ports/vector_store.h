// Points: vectors with a payload, found by nearness. Embedded engine and Qdrant stand behind the same interface.
//
// A point has named dense vectors ("" is the default one), named sparse ones, and a payload. Thread-safe; a write that
// returned is durable and visible to the next query. Scores: dense by the collection's distance (cosine: the dot product
// of normalised vectors), sparse by Σ query · idf · stored with idf = ln(1 + (N − df + 0.5) / (df + 0.5)), N and df over
// the points of the whole collection that have this sparse vector. Order: score descending, then id ascending; a query
// gives min(limit, matches) points, only those with a common term for a sparse one. A filter loses no recall.
//
// Visibility: with Access::kOwn only points whose payload has user_id == who.user or scope == "global" exist. So a
// forgotten filter cannot leak. Errors: kNotFound (collection), kInvalidArgument (dimension, NaN, unknown vector name),
// kIncompatible (a collection of another shape), kDeadlineExceeded, kUnavailable, kStorageFull, kDataCorrupt.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "domain/principal.h"
#include "domain/sparse_weights.h"

namespace pandora {

using PayloadValue = std::variant<bool, std::int64_t, double, std::string, Timestamp, std::vector<std::string>>;
using Payload = std::map<std::string, PayloadValue>;

enum class PayloadType { kKeyword, kInteger, kFloat, kBool, kDatetime, kText, kUuid };

struct CollectionSpec {
  std::string name;                       // [a-z0-9_]{1,64}
  std::size_t dimension = 384;            // of the default dense vector; cosine
  std::vector<std::string> sparse;        // names, each with idf
  std::map<std::string, PayloadType> indexes;
  std::string embedder;                   // "model@revision"; another one is kIncompatible
  int analyzer_version = 0;
  bool operator==(const CollectionSpec&) const = default;
};

struct Point {
  Uuid id;
  std::int64_t version = 0;               // written only when ≥ the stored one
  std::map<std::string, std::vector<float>> dense;
  std::map<std::string, SparseVector> sparse;
  Payload payload;
};

// field value is (or an array has) one of `any`; or lies in [from, to) — numbers and timestamps; or the point's id is listed.
struct Condition {
  std::string field;
  std::vector<PayloadValue> any;
  std::optional<PayloadValue> from, to;
  std::vector<Uuid> ids;
};
struct Filter {  // all of must, none of must_not, and — when there is a should — at least one of it
  std::vector<Condition> must, should, must_not;
};
inline constexpr std::size_t kMaxConditions = 256;

struct PointQuery {
  std::string vector;                     // name; "" with a dense query is the default
  std::variant<std::vector<float>, SparseVector> nearest;
  Filter filter;
  std::size_t limit = 10;                 // at most kMaxQueryLimit
  bool with_payload = true;
};
inline constexpr std::size_t kMaxQueryLimit = 10'000;
inline constexpr std::size_t kMaxUpsert = 1'000;

struct ScoredPoint {
  Uuid id;
  float score = 0;
  Payload payload;
};

class VectorStore {
 public:
  virtual ~VectorStore() = default;
  // Idempotent. An existing collection of another shape, embedder or analyser: kIncompatible, nothing is changed.
  virtual Status ensure_collection(const CollectionSpec& spec, const Deadline& deadline) = 0;
  virtual Result<std::vector<CollectionSpec>> collections(const Deadline& deadline) = 0;
  virtual Status drop_collection(const std::string& collection, const Deadline& deadline) = 0;
  // From now on `alias` means `collection`, in one step; a query under way ends on what it began with.
  virtual Status alias_switch(const std::string& alias, const std::string& collection, const Deadline& deadline) = 0;

  // All or nothing; a point with a smaller version than the stored one is skipped. Returns how many were written.
  virtual Result<std::size_t> upsert(const std::string& collection, std::span<const Point> points,
                                     const Principal& who, const Deadline& deadline) = 0;
  virtual Result<std::size_t> remove(const std::string& collection, std::span<const Uuid> ids, const Principal& who,
                                     const Deadline& deadline) = 0;

  virtual Result<std::vector<ScoredPoint>> query(const std::string& collection, const PointQuery& query,
                                                 const Principal& who, const Deadline& deadline) = 0;
  // With vectors and payload, in the order of `ids`; what does not exist is left out.
  virtual Result<std::vector<Point>> retrieve(const std::string& collection, std::span<const Uuid> ids,
                                              const Principal& who, const Deadline& deadline) = 0;
  // Ascending ids above `after` (none: from the start), with payload, without vectors.
  virtual Result<std::vector<Point>> scroll(const std::string& collection, const Filter& filter,
                                            const std::optional<Uuid>& after, std::size_t limit, const Principal& who,
                                            const Deadline& deadline) = 0;
  virtual Result<std::int64_t> count(const std::string& collection, const Filter& filter, const Principal& who,
                                     const Deadline& deadline) = 0;  // exact
  // A consistent copy of one collection at `path`, which must not exist.
  virtual Status snapshot(const std::string& collection, const std::string& path, const Deadline& deadline) = 0;
};

}  // namespace pandora
