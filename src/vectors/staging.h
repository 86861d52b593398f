// What a group of operations makes of the points, before it is committed.
//
// Each request's operations are applied in order to what memory and the requests before it say; a request that fails
// leaves nothing behind. The outcome is the last state of every point that changed, which goes to the file in one
// transaction, and to memory after that. For the one thread that changes the memory.
#pragma once
#include <unordered_map>

#include "vectors/collection_memory.h"
#include "wire/qdrant_operations.h"

namespace pandora::qdrant {

inline constexpr std::uint64_t kMaxGroupPoints = 50'000;  // changed in one transaction; a request may exceed it alone

class Staging {
 public:
  explicit Staging(const CollectionMemory& memory) : memory_(memory) {}

  // `number`: of its first operation.
  Outcome<void> apply(const std::vector<Operation>& request, std::uint64_t number, const Deadline& deadline);
  // By id; nothing: it is gone.
  using Changes = std::unordered_map<PointId, std::optional<StoredPoint>>;
  const Changes& changed() const { return changed_; }

 private:
  Outcome<void> apply_one(const Operation& operation, const Deadline& deadline);
  Outcome<void> upsert(const UpsertPoints& operation);
  Outcome<void> set_payload(const SetPayload& operation, const Deadline& deadline);
  Outcome<void> update_vectors(const UpdateVectors& operation);
  Outcome<void> delete_vectors(const DeleteVectors& operation, const Deadline& deadline);

  Outcome<std::pair<std::size_t, StoredVector>> take_vector(const std::string& name, const VectorInput& input) const;
  Outcome<StoredVectors> take_vectors(const NamedVectors& given) const;
  bool exists(const PointId& id) const;
  bool passes(const PointId& id, const std::optional<Filter>& filter) const;  // one that exists
  enum class Missing { kRefused, kLeftOut };
  Outcome<std::vector<PointId>> selected(const PointSelector& selector, Missing missing,
                                         const Deadline& deadline) const;
  StoredPoint& change(const PointId& id);  // one that exists
  void set(const PointId& id, std::optional<StoredPoint> point);

  const CollectionMemory& memory_;
  std::uint64_t version_ = 0;  // number of the operation under way
  Changes changed_;
  // Of the request under way: what was there before, newest last.
  std::vector<std::pair<PointId, std::optional<std::optional<StoredPoint>>>> undo_;
};

}  // namespace pandora::qdrant
