#include "store_embedded/kept_collection.h"

#include <algorithm>
#include <limits>

#include "base/log.h"

namespace pandora {
namespace {

constexpr std::size_t kPutAtOnce = 32;     // points; well below a millisecond of encoding: a query waits for these
constexpr std::size_t kFedAtOnce = 128;    // points; some milliseconds, for which a writer waits
constexpr std::size_t kMovedAtOnce = 32;   // points
constexpr std::int64_t kCounted = 10'000;  // missing rows; when there are more, all rows are counted
constexpr std::int64_t kNoMost = std::numeric_limits<std::int64_t>::max();

}  // namespace

KeptCollection::KeptCollection(const CollectionRow& row, ThreadPool* pool, std::optional<IndexFiles> files)
    : points_(row.spec, pool), files_(std::move(files)), removals_since_(row.removals_since) {}

Status KeptCollection::load(Connection& connection, std::uint64_t last_seq) {
  bool whole = false;
  std::string why;
  if (files_) {
    const auto loaded = files_->load(points_.index(), last_seq, removals_since_);
    whole = loaded.whole;
    why = loaded.why;
  }
  PointIndex& index = points_.index();
  PANDORA_TRY(missing, count_after(connection, spec().name, index.applied(), kCounted));
  PANDORA_TRY(removed, any_removal_after(connection, spec().name, index.removals_applied()));
  behind_ = missing > 0 || removed;
  if (!behind_) index.set_applied(last_seq, last_seq);
  if (behind_ && !whole && files_) log_info("index.rebuild", {{"collection", spec().name}, {"why", why}});
  rows_ = static_cast<std::int64_t>(index.size()) + missing;
  if (!whole || missing == kCounted) {
    PANDORA_TRY(rows, count_after(connection, spec().name, 0, kNoMost));
    rows_ = rows;
  }
  return {};
}

std::int64_t KeptCollection::unsearched() const {
  if (!behind_) return 0;
  return std::max<std::int64_t>(rows_ - static_cast<std::int64_t>(points_.index().size()), 0);
}

Result<bool> KeptCollection::feed(SqliteDatabase& database, StoreLocks& locks) {
  const std::lock_guard writing(locks.writing);
  if (!behind_) return false;
  PointIndex& index = points_.index();
  std::vector<Removal> removals;
  std::uint64_t rows_in = 0, removals_in = 0;
  std::size_t healed = 0;
  {
    const std::shared_lock memory(locks.memory);
    rows_in = index.applied();
    removals_in = index.removals_applied();
    healed = healed_;
  }
  PANDORA_TRY(page, database.read(
                        [&](Connection& connection) -> Result<PointPage> {
                          if (!removals_fed_) {
                            PANDORA_TRY(all, removals_after(connection, spec().name, removals_in));
                            removals = std::move(all);
                          }
                          return points_after(connection, spec(), rows_in, kFedAtOnce,
                                              [&](const Uuid& id, std::uint64_t seq) {
                                                const std::shared_lock memory(locks.memory);
                                                const auto slot = index.find(id);
                                                return !slot || index.seq(*slot) < seq;
                                              });
                        },
                        Deadline::never()));
  Status good;
  for (std::size_t first = 0; good && first < removals.size(); first += kFedAtOnce) {
    const std::unique_lock memory(locks.memory);
    for (std::size_t i = first; good && i < std::min(removals.size(), first + kFedAtOnce); ++i)
      good = points_.remove(removals[i].id, removals[i].seq);
  }
  for (std::size_t first = 0; good && first < page.points.size(); first += kPutAtOnce) {
    const std::unique_lock memory(locks.memory);
    for (std::size_t i = first; good && i < std::min(page.points.size(), first + kPutAtOnce); ++i)
      good = points_.put(page.points[i].point, page.points[i].seq);
  }
  const std::unique_lock memory(locks.memory);
  if (!good) {
    if (good.error().code == ErrorCode::kDataCorrupt && heal()) return true;
    return fail(good.error());
  }
  removals_fed_ = true;
  if (healed_ != healed) return true;  // a search has let go of something meanwhile: from the beginning
  index.set_applied(page.end ? locks.last_seq : page.last, locks.last_seq);
  if (!page.end) return true;
  behind_ = false;
  return false;
}

Status KeptCollection::checkpoint(SqliteDatabase& database, StoreLocks& locks, std::size_t least,
                                  IndexFiles::Scope scope) {
  const std::lock_guard checkpointing(checkpointing_);
  if (!files_) return {};
  std::unique_ptr<IndexFiles::Checkpoint> checkpoint;
  {
    const std::lock_guard writing(locks.writing);  // what `applied` says is in, and nothing is half done
    const std::unique_lock memory(locks.memory);
    if (scope == IndexFiles::Scope::kTail && points_.index().unsaved() < least) return {};
    checkpoint = files_->begin(points_.index(), scope);
  }
  if (!checkpoint) return {};
  PANDORA_CHECK(checkpoint->write());
  {
    const std::unique_lock memory(locks.memory);
    files_->end(points_.index(), *checkpoint);
  }
  log_debug("index.checkpoint", {{"collection", spec().name}, {"bytes", std::to_string(checkpoint->bytes())}});
  return database.write(
      [&](Connection& connection) { return forget_removals(connection, spec().name, checkpoint->removals_applied()); },
      Deadline::never());
}

Result<bool> KeptCollection::move_some(StoreLocks& locks) {
  const std::lock_guard writing(locks.writing);
  const std::unique_lock memory(locks.memory);
  const auto moved = points_.move_some(kMovedAtOnce);
  if (moved) return *moved == kMovedAtOnce;
  if (moved.error().code == ErrorCode::kDataCorrupt && heal()) return false;
  return fail(moved.error());
}

bool KeptCollection::heal() {
  if (!points_.index().damaged()) return false;
  rows_ = std::max(rows_, static_cast<std::int64_t>(points_.index().size()));
  const std::size_t lost = points_.index().drop_damaged();
  behind_ = true;
  ++healed_;
  log_warn("index.damaged", {{"collection", spec().name}, {"points", std::to_string(lost)}});
  return true;
}

void KeptCollection::applied(std::uint64_t seq) {
  PointIndex& index = points_.index();
  if (!behind_) index.set_applied(seq, seq);
  // While behind, `feed` says how far it is.
}

Status KeptCollection::remove_files() {
  const std::lock_guard checkpointing(checkpointing_);
  Status removed = files_ ? files_->remove_all() : Status();
  files_.reset();
  return removed;
}

Status KeptCollection::begin_anew() { return files_ ? files_->remove_all() : Status(); }

}  // namespace pandora
