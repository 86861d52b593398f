// The rows of vectors.db: points, and the numbers of their changes. Internal to store_embedded.
//
// Statements of one connection, inside a transaction of the caller's.
#pragma once
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ports/vector_store.h"
#include "sqlite/connection.h"

namespace pandora {

struct ChangeLog {
  Uuid epoch;
  std::uint64_t last_seq = 0;
};
struct CollectionRow {
  CollectionSpec spec;
  std::uint64_t removals_since = 0;  // removals up to it are not known any more
};
struct StoredPoint {
  Point point;
  std::uint64_t seq = 0;
};
struct Removal {
  Uuid id;
  std::uint64_t seq = 0;
};

Result<ChangeLog> read_change_log(Connection& connection);
Status write_last_seq(Connection& connection, std::uint64_t seq);
Result<std::vector<CollectionRow>> read_collections(Connection& connection);

// `seq` is the last number given out, and goes up with each point that is written. Returns the numbers: 0 for those
// that were not, because a newer version is there. kPermissionDenied: one is somebody else's.
Result<std::vector<std::uint64_t>> write_points(Connection& connection, const std::string& collection,
                                                std::span<const Point> points, const Principal& who,
                                                std::uint64_t& seq);
// Returns what is gone.
Result<std::vector<Removal>> remove_points(Connection& connection, const std::string& collection,
                                           std::span<const Uuid> ids, const Principal& who, std::uint64_t& seq);
Result<std::vector<Removal>> removals_after(Connection& connection, const std::string& collection, std::uint64_t seq);
Result<bool> any_removal_after(Connection& connection, const std::string& collection, std::uint64_t seq);
Status forget_removals(Connection& connection, const std::string& collection, std::uint64_t up_to);

// By rising numbers, at most `limit` after `seq`; those that `wanted` does not want are told apart from the end by
// `last`, the number of the last one looked at.
struct PointPage {
  std::vector<StoredPoint> points;
  std::uint64_t last = 0;
  bool end = false;
};
Result<PointPage> points_after(Connection& connection, const CollectionSpec& spec, std::uint64_t seq, std::size_t limit,
                               const std::function<bool(const Uuid& id, std::uint64_t seq)>& wanted);
// At most `most`.
Result<std::int64_t> count_after(Connection& connection, const std::string& collection, std::uint64_t seq,
                                 std::int64_t most);

// As it was given; none when there is none.
Result<std::optional<Point>> read_point(Connection& connection, const CollectionSpec& spec, const Uuid& id);
// Calls visit(point, without vectors) by ascending id after `after`, until it says false.
Status scan_points(Connection& connection, const std::string& collection, const std::optional<Uuid>& after,
                   const std::function<bool(Point point)>& visit);

}  // namespace pandora
