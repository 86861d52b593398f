#include "vectors/collection_file.h"

#include <bit>
#include <cstring>
#include <thread>

#include <fmt/format.h>

#include "base/byte_reader.h"
#include "base/hash.h"

namespace pandora::qdrant {
namespace {

static_assert(std::endian::native == std::endian::little, "rows are written as they lie in memory");

constexpr const char* kSchema =
    "CREATE TABLE facts (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE changes (row INTEGER PRIMARY KEY, number INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT;";
// What was forgotten lies in parts, not here: its pages need not be written over.
// Whoever writes says when the log is brought into the file. What a large group changes goes into the log while it is
// being written, not all in one piece with its end.
constexpr const char* kSettings =
    "PRAGMA secure_delete = FAST; PRAGMA locking_mode = EXCLUSIVE; PRAGMA wal_autocheckpoint = 0;"
    "PRAGMA cache_spill = 64";
constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kPagesBeside = 3;  // that a small change writes besides its own: those that lead to it
constexpr std::string_view kIndexPrefix = "index ";
constexpr std::string_view kRemedy = "delete the collection and fill it again, or restore its file from a backup";

template <class T>
void append(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

enum class ChangeKind : std::uint8_t { kPutNumber = 1, kPutUuid = 2, kRemoveNumber = 3, kRemoveUuid = 4 };

void append_head(std::string& out, const PointId& id, std::uint64_t version, bool put) {
  append(out, id.is_uuid() ? put ? ChangeKind::kPutUuid : ChangeKind::kRemoveUuid
              : put        ? ChangeKind::kPutNumber
                           : ChangeKind::kRemoveNumber);
  append(out, id.bytes());
  append(out, version);
}

void append_put(std::string& out, const StoredPoint& point) {
  append_head(out, point.id, point.version, true);
  append(out, static_cast<std::uint32_t>(point.payload.size()));
  out += point.payload;
  append(out, static_cast<std::uint8_t>(point.vectors.size()));
  for (const auto& [number, vector] : point.vectors) {
    append(out, static_cast<std::uint8_t>(number));
    if (const auto* dense = std::get_if<std::vector<float>>(&vector)) {
      append(out, std::uint8_t{0});
      append(out, static_cast<std::uint32_t>(dense->size()));
      out.append(reinterpret_cast<const char*>(dense->data()), dense->size() * sizeof(float));
    } else {
      const auto& sparse = std::get<SparseVector>(vector);
      append(out, std::uint8_t{1});
      append(out, static_cast<std::uint32_t>(sparse.indices.size()));
      out.append(reinterpret_cast<const char*>(sparse.indices.data()), sparse.indices.size() * sizeof(std::uint32_t));
      out.append(reinterpret_cast<const char*>(sparse.values.data()), sparse.values.size() * sizeof(float));
    }
  }
}

void take_vectors(ByteReader& in, StoredVectors& vectors) {
  for (auto left = in.take<std::uint8_t>(); left > 0 && in.ok(); --left) {
    const auto number = in.take<std::uint8_t>(), kind = in.take<std::uint8_t>();
    const auto size = in.take<std::uint32_t>();
    if (kind == 0) {
      vectors[number] = in.take_array<float>(size);
    } else {
      auto indices = in.take_array<std::uint32_t>(size);
      vectors[number] = SparseVector{std::move(indices), in.take_array<float>(size)};
    }
  }
}

// False: what is left makes no sense.
bool take_change(ByteReader& in, std::size_t name_count, const CollectionFile::Take& take) {
  const auto kind = in.take<ChangeKind>();
  const auto bytes = in.take<Uuid>();
  StoredPoint point;
  point.version = in.take<std::uint64_t>();
  if (kind == ChangeKind::kPutUuid || kind == ChangeKind::kRemoveUuid) {
    point.id = PointId::of(bytes);
  } else {
    std::uint64_t number = 0;
    for (std::size_t i = 8; i < 16; ++i) number = number << 8 | bytes.bytes[i];
    point.id = PointId::of(number);
  }
  if (kind == ChangeKind::kRemoveNumber || kind == ChangeKind::kRemoveUuid) {
    if (in.ok()) take.remove(point.id, point.version);
    return in.ok();
  }
  if (kind != ChangeKind::kPutNumber && kind != ChangeKind::kPutUuid) return false;
  point.payload = in.take_sized<std::uint32_t>();
  take_vectors(in, point.vectors);
  const bool known = point.vectors.empty() || point.vectors.rbegin()->first < name_count;
  if (in.ok() && known) take.put(point);
  return in.ok() && known;
}

Error damaged(const std::string& path, const std::string& what) {
  return {ErrorCode::kDataCorrupt, fmt::format("{} is damaged: {}", path, what), std::string(kRemedy)};
}

}  // namespace

Result<std::unique_ptr<CollectionFile>> CollectionFile::create(const std::string& path, const CollectionParams& params,
                                                               const std::string& vfs) {
  if (Connection::file_exists(path, vfs)) return fail(ErrorCode::kConflict, path + " is there already");
  PANDORA_TRY(connection, Connection::open(path, vfs));
  std::unique_ptr<CollectionFile> file(new CollectionFile(std::move(connection)));
  PANDORA_CHECK(file->connection_->script(kSettings));
  PANDORA_CHECK(file->in_transaction([&]() -> Status {
    PANDORA_CHECK(file->connection_->script(kSchema));
    PANDORA_CHECK(file->set_fact("format", std::to_string(kCollectionFormat)));
    PANDORA_CHECK(file->set_fact("kept", "0"));
    PANDORA_CHECK(file->connection_->run("INSERT INTO facts (name, value) VALUES ('epoch', hex(randomblob(16)))"));
    return file->set_fact("params", params_to_json(params));
  }));
  PANDORA_CHECK(file->connection_->script("PRAGMA wal_checkpoint(TRUNCATE)"));  // an empty one is small
  return file;
}

Result<std::unique_ptr<CollectionFile>> CollectionFile::open(const std::string& path, const std::string& vfs) {
  if (!Connection::file_exists(path, vfs))
    return fail(ErrorCode::kNotFound, path + " is missing", std::string(kRemedy));
  auto connection = Connection::open(path, vfs);
  if (!connection) return fail(std::move(connection).error().with_remedy(kRemedy));
  std::unique_ptr<CollectionFile> file(new CollectionFile(*std::move(connection)));
  PANDORA_CHECK(file->connection_->script(kSettings));
  return file;
}

Result<CollectionFacts> CollectionFile::facts() {
  const std::string& path = connection_->path();
  CollectionFacts facts;
  bool has_params = false;
  int format = 0;
  auto rows = connection_->query("SELECT name, value FROM facts");
  if (!rows) return fail(damaged(path, rows.error().message));
  for (;;) {
    PANDORA_TRY(more, rows->next());
    if (!more) break;
    const std::string name(rows->text(0)), value(rows->text(1));
    if (name == "format") {
      format = static_cast<int>(rows->integer(1));
    } else if (name == "kept") {
      facts.kept = static_cast<std::uint64_t>(rows->integer(1));
    } else if (name == "epoch") {
      const auto epoch = parse_uuid(value);
      if (!epoch) return fail(damaged(path, "\"epoch\" does not parse"));
      facts.epoch = *epoch;
    } else {
      const auto tape = JsonTape::parse(value);
      if (!tape) return fail(damaged(path, fmt::format("\"{}\" does not parse", name)));
      if (name == "params") {
        auto params = read_kept_collection(tape->root());
        if (!params) return fail(damaged(path, params.error().text));
        facts.params = *std::move(params);
        has_params = true;
      } else if (name.starts_with(kIndexPrefix)) {
        auto index_path = PayloadPath::parse(std::string_view(name).substr(kIndexPrefix.size()));
        auto schema = read_field_schema(tape->root());
        if (!index_path || !schema) return fail(damaged(path, fmt::format("\"{}\" does not parse", name)));
        facts.indexes.push_back({*std::move(index_path), *std::move(schema)});
      }
    }
  }
  if (format > kCollectionFormat)
    return fail(ErrorCode::kIncompatible, fmt::format("{} was written by a newer version", path), "use that version");
  if (format == 1)
    return fail(ErrorCode::kIncompatible, fmt::format("{} is of a form that was never released", path),
                "create the collection and fill it again");
  if (!has_params || format == 0) return fail(damaged(path, "it does not say what it holds"));
  PANDORA_TRY(last, connection_->query("SELECT max(number) FROM changes"));
  PANDORA_TRY(there, last.next());
  facts.operations = std::max(facts.kept, there && !last.is_null(0) ? static_cast<std::uint64_t>(last.integer(0)) : 0);
  return facts;
}

Status CollectionFile::load(std::uint64_t number, std::size_t name_count, const Take& take) {
  PANDORA_TRY(rows, connection_->query("SELECT row, bytes FROM changes WHERE number > ? ORDER BY row",
                                       static_cast<std::int64_t>(number)));
  for (;;) {
    PANDORA_TRY(more, rows.next());
    if (!more) return {};
    std::string_view bytes = rows.blob(1);
    const auto damage = [&] {
      return fail(damaged(connection_->path(), fmt::format("row {} of its changes", rows.integer(0))));
    };
    std::uint32_t sum = 0;
    if (bytes.size() < sizeof sum) return damage();
    std::memcpy(&sum, bytes.data() + bytes.size() - sizeof sum, sizeof sum);
    bytes.remove_suffix(sizeof sum);
    if (crc32c(bytes) != sum) return damage();
    for (ByteReader in(bytes); in.left() > 0;)
      if (!take_change(in, name_count, take)) return damage();
  }
}

Status CollectionFile::in_transaction(const std::function<Status()>& work) {
  PANDORA_CHECK(connection_->run("BEGIN IMMEDIATE"));
  Status done = work();
  if (done) done = connection_->run("COMMIT");
  if (!done && connection_->in_transaction()) (void)connection_->script("ROLLBACK");
  return done;
}

Status CollectionFile::set_fact(const std::string& name, const std::string& value) {
  return connection_->run("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)", name, value);
}

Status CollectionFile::add_row(std::uint64_t number, std::string& bytes) {
  append(bytes, crc32c(bytes));
  const Status added = connection_->run("INSERT INTO changes (number, bytes) VALUES (?, ?)",
                                        static_cast<std::int64_t>(number), Statement::as_blob(bytes));
  bytes.clear();
  std::this_thread::yield();  // whoever waits for this processor has his turn
  return added;
}

Result<std::size_t> CollectionFile::write(const Change& change) {
  std::size_t written = 0;
  const Status done = in_transaction([&]() -> Status {
    std::string bytes;
    const auto next = [&](bool last) -> Status {
      if (bytes.empty() || (!last && bytes.size() < kChangeRowBytes)) return {};
      written += bytes.size();
      return add_row(change.number, bytes);
    };
    for (const StoredPoint* point : change.put) {
      append_put(bytes, *point);
      PANDORA_CHECK(next(false));
    }
    for (const PointId& id : change.removed) {
      append_head(bytes, id, change.number, false);
      PANDORA_CHECK(next(false));
    }
    return next(true);
  });
  PANDORA_CHECK(done);
  logged_pages_ += written / kPageBytes + kPagesBeside;
  return written;
}

// Tried again after as much again when it fails: on a full disk the log is where everything is safe.
Status CollectionFile::checkpoint() {
  logged_pages_ = 0;
  return connection_->script("PRAGMA wal_checkpoint(PASSIVE)");
}

Status CollectionFile::forget(std::uint64_t number) {
  logged_pages_ += kPagesBeside;
  return in_transaction([&]() -> Status {
    PANDORA_CHECK(connection_->run("DELETE FROM changes WHERE number <= ?", static_cast<std::int64_t>(number)));
    return set_fact("kept", std::to_string(number));
  });
}

Status CollectionFile::write_params(const CollectionParams& params) {
  return in_transaction([&] { return set_fact("params", params_to_json(params)); });
}

Status CollectionFile::write_index(const IndexRequest& index) {
  return in_transaction([&]() -> Status {
    const std::string schema =
        index.schema.given.empty() ? fmt::format("\"{}\"", to_string(index.schema.type)) : index.schema.given;
    return set_fact(std::string(kIndexPrefix) + index.path.to_text(), schema);
  });
}

Status CollectionFile::remove_index(const std::string& path) {
  return in_transaction(
      [&] { return connection_->run("DELETE FROM facts WHERE name = ?", std::string(kIndexPrefix) + path); });
}

}  // namespace pandora::qdrant
