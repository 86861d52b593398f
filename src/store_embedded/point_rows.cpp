#include "store_embedded/point_rows.h"

#include <fmt/format.h>

#include "ports/vector_checks.h"
#include "store_embedded/point_codec.h"

namespace pandora {
namespace {

// What a row says is checked as what a caller says is: damage must not reach the index.
Status check_row(const CollectionSpec& spec, const Point& point) {
  if (Status good = check_points(spec, {&point, 1}, Principal::system()); !good)
    return fail(ErrorCode::kDataCorrupt, good.error().message, std::string(kDamagedRemedy));
  return {};
}

Result<std::optional<Payload>> payload_of(Connection& connection, const std::string& collection, const Uuid& id) {
  PANDORA_TRY(row, connection.query("SELECT payload FROM points WHERE collection = ? AND id = ?", collection, id));
  PANDORA_TRY(there, row.next());
  if (!there) return std::optional<Payload>();
  PANDORA_TRY(payload, decode_payload(row.text(0)));
  return std::optional(std::move(payload));
}

Result<std::optional<std::int64_t>> version_of(Connection& connection, const std::string& collection, const Uuid& id) {
  PANDORA_TRY(row, connection.query("SELECT version FROM points WHERE collection = ? AND id = ?", collection, id));
  PANDORA_TRY(there, row.next());
  return there ? std::optional(row.integer(0)) : std::nullopt;
}

// He may write it, also when it is not there.
Result<bool> may_write(Connection& connection, const std::string& collection, const Uuid& id, const Principal& who) {
  if (who.access == Access::kSystem) return true;
  PANDORA_TRY(payload, payload_of(connection, collection, id));
  return !payload || writable_by(*payload, who);
}

std::int64_t number(std::uint64_t seq) { return static_cast<std::int64_t>(seq); }

}  // namespace

Result<ChangeLog> read_change_log(Connection& connection) {
  PANDORA_TRY(row, connection.query("SELECT epoch, last_seq FROM changes"));
  PANDORA_TRY(there, row.next());
  if (!there) return fail(ErrorCode::kDataCorrupt, connection.path() + " has no epoch", std::string(kDamagedRemedy));
  PANDORA_TRY(epoch, row.uuid(0));
  return ChangeLog{epoch, static_cast<std::uint64_t>(row.integer(1))};
}

Status write_last_seq(Connection& connection, std::uint64_t seq) {
  return connection.run("UPDATE changes SET last_seq = ?", number(seq));
}

Result<std::vector<CollectionRow>> read_collections(Connection& connection) {
  std::vector<CollectionRow> collections;
  PANDORA_TRY(rows, connection.query("SELECT spec, removals_since FROM collections"));
  for (;;) {
    PANDORA_TRY(more, rows.next());
    if (!more) return collections;
    PANDORA_TRY(spec, decode_spec(rows.text(0)));
    collections.push_back({std::move(spec), static_cast<std::uint64_t>(rows.integer(1))});
  }
}

Result<std::vector<std::uint64_t>> write_points(Connection& connection, const std::string& collection,
                                                std::span<const Point> points, const Principal& who,
                                                std::uint64_t& seq) {
  for (const Point& point : points) {
    PANDORA_TRY(allowed, may_write(connection, collection, point.id, who));
    if (!allowed)
      return fail(ErrorCode::kPermissionDenied, fmt::format("point {} belongs to another user", point.id.to_string()));
  }
  std::vector<std::uint64_t> written;
  for (const Point& point : points) {
    PANDORA_TRY(version, version_of(connection, collection, point.id));
    written.push_back(0);
    if (version && *version > point.version) continue;
    written.back() = ++seq;
    PANDORA_TRY(statement,
                connection.prepare(
                    "INSERT INTO points (collection, id, version, payload, vectors, seq)"
                    " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (collection, id) DO UPDATE SET version = excluded.version,"
                    " payload = excluded.payload, vectors = excluded.vectors, seq = excluded.seq"));
    const std::string vectors = encode_vectors(point);
    PANDORA_CHECK(statement
                      .bind(collection, point.id, point.version, encode_payload(point.payload),
                            Statement::as_blob(vectors), number(seq))
                      .run());
  }
  PANDORA_CHECK(write_last_seq(connection, seq));
  return written;
}

Result<std::vector<Removal>> remove_points(Connection& connection, const std::string& collection,
                                           std::span<const Uuid> ids, const Principal& who, std::uint64_t& seq) {
  std::vector<Removal> gone;
  for (const Uuid& id : ids) {
    PANDORA_TRY(allowed, may_write(connection, collection, id, who));
    if (!allowed) continue;
    PANDORA_CHECK(connection.run("DELETE FROM points WHERE collection = ? AND id = ?", collection, id));
    if (connection.changes() == 0) continue;
    gone.push_back({id, ++seq});
    PANDORA_CHECK(
        connection.run("INSERT INTO removals (collection, seq, id) VALUES (?, ?, ?)", collection, number(seq), id));
  }
  PANDORA_CHECK(write_last_seq(connection, seq));
  return gone;
}

Result<std::vector<Removal>> removals_after(Connection& connection, const std::string& collection, std::uint64_t seq) {
  std::vector<Removal> removals;
  PANDORA_TRY(rows, connection.query("SELECT id, seq FROM removals WHERE collection = ? AND seq > ? ORDER BY seq",
                                     collection, number(seq)));
  for (;;) {
    PANDORA_TRY(more, rows.next());
    if (!more) return removals;
    PANDORA_TRY(id, rows.uuid(0));
    removals.push_back({id, static_cast<std::uint64_t>(rows.integer(1))});
  }
}

Result<bool> any_removal_after(Connection& connection, const std::string& collection, std::uint64_t seq) {
  PANDORA_TRY(row, connection.query("SELECT 1 FROM removals WHERE collection = ? AND seq > ? LIMIT 1", collection,
                                    number(seq)));
  return row.next();
}

Status forget_removals(Connection& connection, const std::string& collection, std::uint64_t up_to) {
  PANDORA_CHECK(connection.run("DELETE FROM removals WHERE collection = ? AND seq <= ?", collection, number(up_to)));
  if (connection.changes() == 0) return {};
  return connection.run("UPDATE collections SET removals_since = max(removals_since, ?) WHERE name = ?", number(up_to),
                        collection);
}

Result<PointPage> points_after(Connection& connection, const CollectionSpec& spec, std::uint64_t seq, std::size_t limit,
                               const std::function<bool(const Uuid& id, std::uint64_t seq)>& wanted) {
  PointPage page{{}, seq, false};
  PANDORA_TRY(rows, connection.query("SELECT id, seq, version, payload, vectors FROM points"
                                     " WHERE collection = ? AND seq > ? ORDER BY seq LIMIT ?",
                                     spec.name, number(seq), limit));
  for (std::size_t count = 0;; ++count) {
    PANDORA_TRY(more, rows.next());
    if (!more) {
      page.end = count < limit;
      return page;
    }
    StoredPoint stored;
    PANDORA_TRY(id, rows.uuid(0));
    stored.point.id = id;
    stored.seq = page.last = static_cast<std::uint64_t>(rows.integer(1));
    if (!wanted(id, stored.seq)) continue;
    stored.point.version = rows.integer(2);
    PANDORA_TRY(payload, decode_payload(rows.text(3)));
    stored.point.payload = std::move(payload);
    PANDORA_CHECK(decode_vectors(rows.blob(4), stored.point));
    PANDORA_CHECK(check_row(spec, stored.point));
    page.points.push_back(std::move(stored));
  }
}

Result<std::int64_t> count_after(Connection& connection, const std::string& collection, std::uint64_t seq,
                                 std::int64_t most) {
  PANDORA_TRY(row, connection.query("SELECT count(*) FROM (SELECT 1 FROM points INDEXED BY points_by_seq"
                                    " WHERE collection = ? AND seq > ? LIMIT ?)",
                                    collection, number(seq), most));
  PANDORA_CHECK(row.next());
  return row.integer(0);
}

Result<std::optional<Point>> read_point(Connection& connection, const CollectionSpec& spec, const Uuid& id) {
  PANDORA_TRY(row, connection.query("SELECT version, payload, vectors FROM points WHERE collection = ? AND id = ?",
                                    spec.name, id));
  PANDORA_TRY(there, row.next());
  if (!there) return std::optional<Point>();
  Point point{.id = id, .version = row.integer(0)};
  PANDORA_TRY(payload, decode_payload(row.text(1)));
  point.payload = std::move(payload);
  PANDORA_CHECK(decode_vectors(row.blob(2), point));
  PANDORA_CHECK(check_row(spec, point));
  return std::optional(std::move(point));
}

Status scan_points(Connection& connection, const std::string& collection, const std::optional<Uuid>& after,
                   const std::function<bool(Point point)>& visit) {
  PANDORA_TRY(rows, connection.query(
                        "SELECT id, version, payload FROM points WHERE collection = ? AND id > ?"
                        " ORDER BY id",
                        collection,
                        Statement::as_blob(after ? std::string_view(reinterpret_cast<const char*>(after->bytes.data()),
                                                                    after->bytes.size())
                                                 : std::string_view())));
  for (;;) {
    PANDORA_TRY(more, rows.next());
    if (!more) return {};
    PANDORA_TRY(id, rows.uuid(0));
    Point point{.id = id, .version = rows.integer(1)};
    PANDORA_TRY(payload, decode_payload(rows.text(2)));
    point.payload = std::move(payload);
    if (!visit(std::move(point))) return {};
  }
}

}  // namespace pandora
