// Points: vectors with a payload, found by nearness. Embedded engine and Qdrant stand behind the same interface.
//
// A point has at most one dense vector (named ""), named sparse ones, and a payload; each may be missing. Thread-safe;
// a write that returned is durable and visible to the next query. An alias stands for its collection in every call that
// takes a collection, unless said otherwise.
//
// Scores. Dense: the cosine. The store normalises what it is given, points and queries, when the square of the length
// is off 1 by more than 1e-6; a zero vector stays and scores 0. Sparse: Σ query · idf · stored over the terms of both,
// with idf = ln(1 + (N − df + 0.5) / (df + 0.5)), N and df over the points of the whole collection that have this
// sparse vector, whoever asks and whatever the filter; a sparse vector without terms is none. Order: score descending,
// then id ascending, also where `limit` cuts. A query gives min(limit, matches) points: those that have the vector, for
// a sparse one those with a common term. A filter loses no recall.
//
// Visibility: with Access::kOwn only points whose payload has user_id == who.user or scope == "global" exist, and only
// those with user_id == who.user can be written or removed. So a forgotten filter cannot leak. Access::kSystem:
// everything.
//
// Errors: kNotFound (collection), kInvalidArgument (names, dimension, NaN, unknown vector, malformed sparse vector,
// payload or condition), kTooLarge (past a maximum below), kIncompatible, kConflict, kPermissionDenied (a point of
// somebody else's), kDeadlineExceeded (also a deadline that had passed before: nothing is done), kUnavailable,
// kStorageFull, kDataCorrupt. What every implementation refuses is checked by ports/vector_checks.h.
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

// Names of collections, aliases, sparse vectors and payload fields: [a-z0-9_]{1,64}. Texts are UTF-8, numbers finite.
using PayloadValue = std::variant<bool, std::int64_t, double, std::string, Timestamp, std::vector<std::string>>;
using Payload = std::map<std::string, PayloadValue>;

enum class PayloadType { kKeyword, kInteger, kFloat, kBool, kDatetime, kText, kUuid };

struct CollectionSpec {
  std::string name;
  std::size_t dimension = 384;                 // of the dense vector, 1 to kMaxDimension
  std::vector<std::string> sparse;             // names, at most kMaxSparseVectors, no two alike
  std::map<std::string, PayloadType> indexes;  // fields that filters name: makes them quick, changes no result
  std::string embedder;                        // "model@revision"; another one is kIncompatible
  int analyzer_version = 0;
  bool operator==(const CollectionSpec&) const = default;
};

inline constexpr std::size_t kMaxDimension = 65'536;
inline constexpr std::size_t kMaxSparseVectors = 16;
inline constexpr std::size_t kMaxPayloadBytes = 1024 * 1024;  // of one point: payload_bytes()

struct Point {
  Uuid id;
  std::int64_t version = 0;  // written only when ≥ the stored one
  std::map<std::string, std::vector<float>> dense;
  std::map<std::string, SparseVector> sparse;  // as domain/sparse_weights.h says: ascending, values finite and > 0
  Payload payload;
};

// One of three kinds, more or none is kInvalidArgument. `any`: the field's value is one of these, or an array has it; a
// value equals only its own kind (3 is neither 3.0 nor "3"); no arrays here. `from`, `to`: it lies in [from, to),
// either may be missing; numbers (compared as double) or timestamps, both of one kind. `ids`: the point's own id is one
// of these. A field that is missing, or of another kind, satisfies nothing.
struct Condition {
  std::string field;              // not looked at for `ids`
  std::vector<PayloadValue> any;  // at most kMaxConditionValues
  std::optional<PayloadValue> from, to;
  std::vector<Uuid> ids;  // at most kMaxConditionValues
};
struct Filter {  // all of must, none of must_not, and — when there is a should — at least one of it
  std::vector<Condition> must, should, must_not;
};
inline constexpr std::size_t kMaxConditions = 256;  // of the three lists together
inline constexpr std::size_t kMaxConditionValues = 1'000;

struct PointQuery {
  std::string vector;  // "" for a dense query, a sparse vector's name for a sparse one
  std::variant<std::vector<float>, SparseVector> nearest;
  Filter filter;
  std::size_t limit = 10;  // at most kMaxQueryLimit
  bool with_payload = true;
  std::vector<std::string> fields;  // of the payload only these, at most kMaxConditions; none: all of it
};
inline constexpr std::size_t kMaxQueryLimit = 10'000;
inline constexpr std::size_t kMaxUpsert = 1'000;  // points, or ids, of one call

struct ScoredPoint {
  Uuid id;
  float score = 0;
  Payload payload;
};

class VectorStore {
 public:
  virtual ~VectorStore() = default;
  // Idempotent. An existing collection whose spec differs in anything: kIncompatible; the name of an alias: kConflict;
  // nothing is changed.
  virtual Status ensure_collection(const CollectionSpec& spec, const Deadline& deadline) = 0;
  virtual Result<std::vector<CollectionSpec>> collections(const Deadline& deadline) = 0;  // by name, without aliases
  // By its own name, with its points and aliases. Missing is fine.
  virtual Status drop_collection(const std::string& collection, const Deadline& deadline) = 0;
  // From now on `alias` means `collection` (its own name), in one step; a query under way ends on what it began with.
  // kConflict when a collection has that name.
  virtual Status alias_switch(const std::string& alias, const std::string& collection, const Deadline& deadline) = 0;

  // All or nothing, as if one after the other. A point replaces the stored one as a whole; with a smaller version it is
  // skipped. A version is forgotten with its point. Returns how many were written.
  virtual Result<std::size_t> upsert(const std::string& collection, std::span<const Point> points, const Principal& who,
                                     const Deadline& deadline) = 0;
  // What does not exist, or is not `who`'s to remove, is left alone. Returns how many are gone.
  virtual Result<std::size_t> remove(const std::string& collection, std::span<const Uuid> ids, const Principal& who,
                                     const Deadline& deadline) = 0;

  virtual Result<std::vector<ScoredPoint>> query(const std::string& collection, const PointQuery& query,
                                                 const Principal& who, const Deadline& deadline) = 0;
  // With vectors (normalised) and payload, in the order of `ids`; what does not exist is left out.
  virtual Result<std::vector<Point>> retrieve(const std::string& collection, std::span<const Uuid> ids,
                                              const Principal& who, const Deadline& deadline) = 0;
  // Ascending ids above `after` (none: from the start), at most `limit` (up to kMaxQueryLimit), without vectors.
  virtual Result<std::vector<Point>> scroll(const std::string& collection, const Filter& filter,
                                            const std::optional<Uuid>& after, std::size_t limit, const Principal& who,
                                            const Deadline& deadline) = 0;
  virtual Result<std::int64_t> count(const std::string& collection, const Filter& filter, const Principal& who,
                                     const Deadline& deadline) = 0;  // exact
  // Points that queries do not see yet, about: not 0 while what searches them is being built, after it was lost or
  // found damaged. Everything else is whole meanwhile.
  virtual Result<std::int64_t> unsearched(const std::string&, const Deadline&) { return 0; }
  // A consistent copy of this collection, and of nothing else, at `path`, that the same implementation opens. kConflict
  // when `path` exists; after another error nothing is left there.
  virtual Status snapshot(const std::string& collection, const std::string& path, const Deadline& deadline) = 0;
};

}  // namespace pandora
