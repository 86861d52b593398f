// Collections of any shape, as a Qdrant has them, carried to another one, or to lines of JSON and back.
//
// Points are copied as they are written there, digit by digit, in the order of their ids; each step may be done again:
// what is there already is written over by itself. A collection is made with its payload indexes before its points.
// Errors are those of QdrantApi, with the collection's name; kConflict: one of that name is of another shape.
//
// The lines: one that begins a collection, `{"format": "pandora collection", "version": 1, "collection": name,
// "create": {…}, "indexes": {field: schema}, "aliases": […]}`; one for each point, `{"id": …, "vector": …, "payload":
// …}`; one that ends it, `{"points": n}`.
#pragma once
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "store_server/qdrant_api.h"

namespace pandora {

inline constexpr std::size_t kCopiedAtOnce = 256;                    // points of one page
inline constexpr std::size_t kMaxCopiedBatchBytes = 24 << 20;        // of one write
inline constexpr std::size_t kMaxLineBytes = std::size_t{64} << 20;  // of a point

struct CollectionPicture {
  std::string name;
  std::string create;                                        // the body that makes it
  std::vector<std::pair<std::string, std::string>> indexes;  // field, schema as JSON
  std::vector<std::string> aliases;
};

Result<std::vector<std::string>> collection_names(QdrantApi& api, const Deadline& deadline);  // ascending
Result<CollectionPicture> picture_of(QdrantApi& api, const std::string& name, const Deadline& deadline);
Result<std::int64_t> count_points(QdrantApi& api, const std::string& name, const Deadline& deadline);  // exact

// Makes what is not there. Returns what the server does not serve, each in a line: payload indexes of kinds that it
// does not have; filters by these fields are slower there, or refused.
Result<std::vector<std::string>> make_collection(QdrantApi& api, const CollectionPicture& picture,
                                                 const Deadline& deadline);
// kConflict when one means another collection.
Status make_aliases(QdrantApi& api, const CollectionPicture& picture, const Deadline& deadline);

struct PointPage {
  std::vector<std::string> points;  // each as JSON
  std::string next;                 // the id that the next page begins with, as JSON; empty: this was the last
};
Result<PointPage> read_page(QdrantApi& api, const std::string& name, const std::string& from, const Deadline& deadline);
// In requests of kMaxCopiedBatchBytes, each on disk when it is answered.
Status write_points(QdrantApi& api, const std::string& name, std::span<const std::string> points,
                    const Deadline& deadline);

// Called after each page; an error ends the work.
using CopyProgress = std::function<Status(std::int64_t done, const std::string& next)>;
using LineSink = std::function<Status(std::string_view line)>;           // without its end
using LineSource = std::function<Result<std::optional<std::string>>()>;  // none: the end

Result<std::int64_t> copy_points(QdrantApi& from, QdrantApi& to, const std::string& name, const std::string& begin,
                                 const CopyProgress& progress, const Deadline& deadline);
Result<std::int64_t> export_collection(QdrantApi& api, const std::string& name, const LineSink& sink,
                                       const CopyProgress& progress, const Deadline& deadline);
struct ImportedCollection {
  std::string name;
  std::int64_t points = 0;
  std::vector<std::string> left_out;  // as make_collection
};
// The next collection of the lines; none: there is none. kDataCorrupt names the line.
class LineImporter {
 public:
  LineImporter(QdrantApi& api, LineSource source) : api_(api), source_(std::move(source)) {}
  Result<std::optional<ImportedCollection>> next(const CopyProgress& progress, const Deadline& deadline);

 private:
  Result<std::optional<std::string>> line();
  tl::unexpected<Error> wrong(std::string_view why) const;

  QdrantApi& api_;
  LineSource source_;
  std::int64_t at_ = 0;
};

}  // namespace pandora
