#include "vectors/collection_file.h"

#include <bit>
#include <cstring>

#include <fmt/format.h>

#include "base/hash.h"

namespace pandora::qdrant {
namespace {

static_assert(std::endian::native == std::endian::little, "rows are written as they lie in memory");

constexpr const char* kSchema =
    "CREATE TABLE facts (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE points (number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, version INTEGER NOT NULL,"
    " payload TEXT NOT NULL, vectors BLOB NOT NULL) STRICT;";
constexpr std::string_view kIndexPrefix = "index ";
constexpr std::string_view kRemedy = "delete the collection and fill it again, or restore its file from a backup";

template <class T>
void append(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : bytes_(bytes) {}
  template <class T>
  bool take(T& value) {
    return take(&value, 1);
  }
  template <class T>
  bool take(T* values, std::size_t count) {
    if (count > bytes_.size() / sizeof(T)) return false;
    std::memcpy(values, bytes_.data(), count * sizeof(T));
    bytes_.remove_prefix(count * sizeof(T));
    return true;
  }
  std::size_t left() const { return bytes_.size(); }

 private:
  std::string_view bytes_;
};

std::string encode_id(const PointId& id) {
  const auto& bytes = id.bytes().bytes;
  return std::string(reinterpret_cast<const char*>(bytes.data()) + (id.is_uuid() ? 0 : 8), id.is_uuid() ? 16 : 8);
}

std::optional<PointId> decode_id(std::string_view bytes) {
  Uuid uuid;
  if (bytes.size() != 8 && bytes.size() != 16) return std::nullopt;
  std::memcpy(uuid.bytes.data() + (16 - bytes.size()), bytes.data(), bytes.size());
  if (bytes.size() == 16) return PointId::of(uuid);
  std::uint64_t number = 0;
  for (std::size_t i = 8; i < 16; ++i) number = number << 8 | uuid.bytes[i];
  return PointId::of(number);
}

std::uint32_t checksum(const StoredPoint& point, std::string_view vectors) {
  std::uint32_t sum = crc32c(encode_id(point.id));
  sum = crc32c(std::string_view(reinterpret_cast<const char*>(&point.version), sizeof point.version), sum);
  return crc32c(vectors, crc32c(point.payload, sum));
}

Error damaged(const std::string& path, const std::string& what) {
  return {ErrorCode::kDataCorrupt, fmt::format("{} is damaged: {}", path, what), std::string(kRemedy)};
}

}  // namespace

std::string encode_row(const StoredPoint& point) {
  std::string out;
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
  append(out, checksum(point, out));
  return out;
}

Result<StoredVectors> decode_row(const StoredPoint& point, std::string_view bytes, std::size_t name_count) {
  const auto torn = [] { return fail(ErrorCode::kDataCorrupt, "its vectors do not parse"); };
  std::uint32_t sum = 0;
  if (bytes.size() < sizeof sum) return torn();
  const std::string_view vectors = bytes.substr(0, bytes.size() - sizeof sum);
  std::memcpy(&sum, bytes.data() + vectors.size(), sizeof sum);
  if (sum != checksum(point, vectors)) return fail(ErrorCode::kDataCorrupt, "its checksum is wrong");
  StoredVectors all;
  for (Bytes rest(vectors); rest.left() > 0;) {
    std::uint8_t number = 0, kind = 0;
    std::uint32_t size = 0;
    if (!rest.take(number) || !rest.take(kind) || !rest.take(size) || number >= name_count) return torn();
    if (size > rest.left() / sizeof(float)) return torn();
    if (kind == 0) {
      std::vector<float> dense(size);
      if (!rest.take(dense.data(), size)) return torn();
      all[number] = std::move(dense);
    } else {
      SparseVector sparse{std::vector<std::uint32_t>(size), std::vector<float>(size)};
      if (!rest.take(sparse.indices.data(), size) || !rest.take(sparse.values.data(), size)) return torn();
      all[number] = std::move(sparse);
    }
  }
  return all;
}

Result<std::unique_ptr<CollectionFile>> CollectionFile::create(const std::string& path,
                                                               const CollectionParams& params) {
  if (Connection::file_exists(path, "")) return fail(ErrorCode::kConflict, path + " is there already");
  PANDORA_TRY(connection, Connection::open(path, ""));
  std::unique_ptr<CollectionFile> file(new CollectionFile(std::move(connection)));
  PANDORA_CHECK(file->in_transaction([&]() -> Status {
    PANDORA_CHECK(file->connection_->script(kSchema));
    PANDORA_CHECK(file->set_fact("format", std::to_string(kCollectionFormat)));
    PANDORA_CHECK(file->set_fact("operations", "0"));
    return file->set_fact("params", params_to_json(params));
  }));
  PANDORA_CHECK(file->connection_->script("PRAGMA wal_checkpoint(TRUNCATE)"));  // an empty one is small
  return file;
}

Result<std::unique_ptr<CollectionFile>> CollectionFile::open(const std::string& path) {
  if (!Connection::file_exists(path, "")) return fail(ErrorCode::kNotFound, path + " is missing", std::string(kRemedy));
  auto connection = Connection::open(path, "");
  if (!connection) return fail(std::move(connection).error().with_remedy(kRemedy));
  return std::unique_ptr<CollectionFile>(new CollectionFile(*std::move(connection)));
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
    } else if (name == "operations") {
      facts.operations = static_cast<std::uint64_t>(rows->integer(1));
    } else {
      const auto tape = JsonTape::parse(value);
      if (!tape) return fail(damaged(path, fmt::format("\"{}\" does not parse", name)));
      if (name == "params") {
        auto params = read_create_collection(tape->root());
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
  if (!has_params || format == 0) return fail(damaged(path, "it does not say what it holds"));
  return facts;
}

Status CollectionFile::load(std::size_t name_count, const std::function<void(StoredPoint)>& take) {
  PANDORA_TRY(rows, connection_->query("SELECT id, version, payload, vectors FROM points"));
  for (;;) {
    PANDORA_TRY(more, rows.next());
    if (!more) return {};
    const auto id = decode_id(rows.blob(0));
    if (!id) return fail(damaged(connection_->path(), "a point's id is none"));
    StoredPoint point{*id, static_cast<std::uint64_t>(rows.integer(1)), std::string(rows.text(2)), {}};
    auto vectors = decode_row(point, rows.blob(3), name_count);
    if (!vectors)
      return fail(damaged(connection_->path(), fmt::format("point {}: {}", id->to_text(), vectors.error().message)));
    point.vectors = *std::move(vectors);
    take(std::move(point));
  }
}

Status CollectionFile::in_transaction(const std::function<Status()>& work) {
  PANDORA_CHECK(connection_->script("BEGIN IMMEDIATE"));
  Status done = work();
  if (done) done = connection_->script("COMMIT");
  if (!done && connection_->in_transaction()) (void)connection_->script("ROLLBACK");
  return done;
}

Status CollectionFile::set_fact(const std::string& name, const std::string& value) {
  return connection_->run("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)", name, value);
}

Status CollectionFile::write(const Change& change) {
  return in_transaction([&]() -> Status {
    for (const StoredPoint* point : change.put)
      PANDORA_CHECK(connection_->run(
          "INSERT INTO points (id, version, payload, vectors) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
          "version = excluded.version, payload = excluded.payload, vectors = excluded.vectors",
          Statement::as_blob(encode_id(point->id)), static_cast<std::int64_t>(point->version), point->payload,
          Statement::as_blob(encode_row(*point))));
    for (const PointId& id : change.removed)
      PANDORA_CHECK(connection_->run("DELETE FROM points WHERE id = ?", Statement::as_blob(encode_id(id))));
    return set_fact("operations", std::to_string(change.operations));
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
