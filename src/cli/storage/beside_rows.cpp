#include "cli/storage/beside_rows.h"

#include "cli/storage/database_quarantine.h"
#include "cli/storage/postgres_settings.h"
#include "cli/storage/served_bucket.h"
#include "cli/storage/served_points.h"
#include "store_embedded/directory_document_store.h"
#include "store_embedded/directory_object_store.h"
#include "store_embedded/sqlite_vector_store.h"

namespace pandora {
namespace {

class ConfiguredBesideRows final : public BesideRows {
 public:
  Status open(FileSystem& files, const Config& config, const DataPaths& paths, const StorageOptions& options,
              const Clock& clock) {
    PANDORA_CHECK(open_files(files, config, paths, options, clock));
    return open_points(files, config, paths, options, clock);
  }
  DocumentStore& documents() override { return documents_ ? *documents_ : bucket_->documents(); }
  ObjectStore& objects() override { return objects_ ? *objects_ : bucket_->objects(); }
  VectorStore& points() override { return served_points_ ? served_points_->store() : *points_; }
  Status overwrite_deleted(const Deadline& deadline) override {
    if (served_points_) return {};
    PANDORA_CHECK(points_->database().checkpoint(deadline));
    return points_->purge(deadline);
  }

 private:
  Status open_files(FileSystem& files, const Config& config, const DataPaths& paths, const StorageOptions& options,
                    const Clock& clock) {
    PANDORA_TRY(documents_served, documents_are_served(config));
    PANDORA_TRY(objects_served, objects_are_served(config));
    if (documents_served || objects_served) {
      PANDORA_TRY(bucket, open_served_bucket(config, clock));
      bucket_ = std::move(bucket);
    }
    if (!documents_served) {
      PANDORA_TRY(shared, rows_are_served(config));  // then other processes may write into the same directory
      PANDORA_TRY(documents,
                  DirectoryDocumentStore::open(files, paths.documents, clock, shared ? options.journal_id : ""));
      documents_ = std::move(documents);
    }
    if (!objects_served) {
      PANDORA_TRY(objects, DirectoryObjectStore::open(files, paths.objects));
      objects_ = std::move(objects);
    }
    return {};
  }
  Status open_points(FileSystem& files, const Config& config, const DataPaths& paths, const StorageOptions& options,
                     const Clock& clock) {
    PANDORA_TRY(served, points_are_served(config));
    if (served) {
      PANDORA_TRY(points, open_served_points(config, files, clock));
      served_points_ = std::move(points);
      return {};
    }
    return open_database(files, paths, paths.vectors, options.damage, clock, [&]() -> Status {
      const bool thorough = options.thorough || options.damage == Damage::kSetAside;
      const VectorStoreOptions indexed{.files = &files, .every_row = thorough};
      PANDORA_TRY(points, SqliteVectorStore::open(paths.vectors, "", clock, indexed));
      points_ = std::move(points);
      return {};
    });
  }

  std::unique_ptr<DocumentStore> documents_;  // null: in the bucket
  std::unique_ptr<ObjectStore> objects_;      // likewise
  std::unique_ptr<ServedBucket> bucket_;
  std::unique_ptr<SqliteVectorStore> points_;  // one of these two
  std::unique_ptr<ServedPoints> served_points_;
};

}  // namespace

Result<std::unique_ptr<BesideRows>> open_beside_rows(FileSystem& files, const Config& config, const DataPaths& paths,
                                                     const StorageOptions& options, const Clock& clock) {
  auto beside = std::make_unique<ConfiguredBesideRows>();
  PANDORA_CHECK(beside->open(files, config, paths, options, clock));
  return std::unique_ptr<BesideRows>(std::move(beside));
}

}  // namespace pandora
