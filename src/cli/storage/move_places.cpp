#include "cli/storage/move_places.h"

#include <fmt/format.h>

#include "cli/storage/postgres_settings.h"
#include "cli/storage/served_points.h"
#include "store_embedded/sqlite_attempt_log.h"
#include "store_embedded/sqlite_stores.h"
#include "store_embedded/sqlite_turn_vector_log.h"
#include "store_embedded/sqlite_vector_store.h"
#include "store_server/postgres_attempt_log.h"
#include "store_server/postgres_stores.h"
#include "store_server/postgres_turn_vector_log.h"

namespace pandora {
namespace {

constexpr Duration kPatience = std::chrono::seconds(10);

class Places final : public MovePlaces {
 public:
  Places(Stores stores, Storage& from) : here_(stores), from_(from), points_(&stores.vectors) {}

  Status open_rows(const Config& config, const DataPaths& paths, const Clock& clock, bool served) {
    const auto receipts = static_cast<std::size_t>(config.integer("recall.receipts"));
    if (served) {
      postgres_ = PostgresStores::open(postgres_options(config), clock, receipts);
      attempts_ = std::make_unique<PostgresAttemptLog>(postgres_->pool());
      vectors_ = std::make_unique<PostgresTurnVectorLog>(postgres_->pool());
      return postgres_->pool().take(Deadline::after(clock, kPatience)).map([](auto&&) {});
    }
    PANDORA_TRY(rows, SqliteStores::open(paths.database, "", clock, receipts, IntegrityCheck::kThorough));
    sqlite_ = std::move(rows);
    attempts_ = std::make_unique<SqliteAttemptLog>(sqlite_->database());
    vectors_ = std::make_unique<SqliteTurnVectorLog>(sqlite_->database());
    return {};
  }
  Status open_points(FileSystem& files, const Config& config, const DataPaths& paths, const Clock& clock, bool served) {
    if (served) {
      PANDORA_TRY(points, open_served_points(config, files, clock));
      served_ = std::move(points);
      points_ = &served_->store();
      return {};
    }
    const VectorStoreOptions indexed{.files = &files, .every_row = true};
    PANDORA_TRY(points, SqliteVectorStore::open(paths.vectors, "", clock, indexed));
    embedded_ = std::move(points);
    points_ = embedded_.get();
    return {};
  }

  MoveSide from() override { return {here_, from_.keys(), from_.attempts(), from_.turn_vectors()}; }
  MoveSide to() override { return postgres_ ? side(*postgres_) : side(*sqlite_); }
  bool carries_points() const override { return served_ != nullptr || embedded_ != nullptr; }

 private:
  template <class Rows>
  MoveSide side(Rows& rows) {
    return {{rows.turns(), rows.memories(), rows.research(), rows.sources(), rows.observations(), rows.instance(),
             rows.outbox(), *points_, here_.documents, here_.objects, rows.receipts()},
            rows.keys(),
            *attempts_,
            *vectors_};
  }

  Stores here_;
  Storage& from_;
  std::unique_ptr<PostgresStores> postgres_;  // one of these two
  std::unique_ptr<SqliteStores> sqlite_;
  std::unique_ptr<AttemptLog> attempts_;
  std::unique_ptr<TurnVectorLog> vectors_;
  std::unique_ptr<ServedPoints> served_;  // at most one of these two
  std::unique_ptr<SqliteVectorStore> embedded_;
  VectorStore* points_;
};

}  // namespace

Result<std::unique_ptr<MovePlaces>> open_move_places(FileSystem& files, const Config& config, const DataPaths& paths,
                                                     const Clock& clock, Stores stores, Storage& from,
                                                     const std::string& to, const std::string& points) {
  if (to != "embedded" && to != "server")
    return fail(ErrorCode::kInvalidArgument, fmt::format("--to is \"{}\"", to), "say embedded or server");
  if (!points.empty() && points != "embedded" && points != "qdrant")
    return fail(ErrorCode::kInvalidArgument, fmt::format("--points is \"{}\"", points), "say embedded or qdrant");
  PANDORA_TRY(rows_served, rows_are_served(config));
  PANDORA_TRY(points_served, points_are_served(config));
  if (rows_served == (to == "server"))
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("the rows are there already: rows.store is {}", config.string("rows.store")),
                "a move goes from the stores that the settings name to the other ones");
  auto places = std::make_unique<Places>(stores, from);
  PANDORA_CHECK(places->open_rows(config, paths, clock, to == "server"));
  if (!points.empty() && (points == "qdrant") != points_served)
    PANDORA_CHECK(places->open_points(files, config, paths, clock, points == "qdrant"));
  return std::unique_ptr<MovePlaces>(std::move(places));
}

}  // namespace pandora
