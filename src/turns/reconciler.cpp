#include "turns/reconciler.h"

#include <set>

#include <fmt/format.h>

#include "turns/documents.h"
#include "turns/reconcile_findings.h"
#include "turns/reconciled_knowledge.h"
#include "turns/reconciled_objects.h"
#include "turns/reconciled_turns.h"

namespace pandora {

class Reconciler::Run {
 public:
  Run(Reconciler& parts, Apply apply, const Progress& progress, const Deadline& deadline)
      : stores_(parts.stores_),
        space_(parts.spaces_.current()),
        saver_(parts.saver_),
        forgetting_(parts.forgetting_),
        clock_(parts.clock_),
        pages_(parts.pages_),
        found_(stores_, apply, progress, deadline),
        deadline_(deadline) {}

  Result<ReconcileReport> run() {
    PANDORA_CHECK(settle(saver_.drain(deadline_)));
    PANDORA_CHECK(tombstones());
    ReconciledTurns turns(stores_, *space_, pages_, found_, deadline_);
    PANDORA_CHECK(turns.run());
    ReconciledKnowledge knowledge(stores_, *space_, pages_, clock_, found_, deadline_);
    PANDORA_CHECK(knowledge.memories());
    PANDORA_CHECK(knowledge.research());
    PANDORA_CHECK(knowledge.sources());
    PANDORA_CHECK(points({space_->turns, "turn_uid", OutboxKind::kTurnPoint}));
    PANDORA_CHECK(points({space_->memories, "memory_id", OutboxKind::kMemoryPoint}));
    PANDORA_CHECK(points({space_->research, "research_id", OutboxKind::kResearchPoint}));
    PANDORA_CHECK(ReconciledObjects(stores_, saver_, pages_, found_, deadline_).run(turns.any_objects()));
    if (found_.applying()) {
      PANDORA_CHECK(found_.ask_for_repairs(1));
      PANDORA_CHECK(settle(saver_.checkpoint(deadline_)));
    }
    return std::move(found_.report());
  }

 private:
  // Of what follows rows one that cannot be brought up to date keeps nobody from looking at the others.
  Status settle(const Status& drained) {
    if (drained) return {};
    const SaverStatus status = saver_.status();
    if (status.pending > 0) return drained;
    return found_.leave("what waits", fmt::format("{} files and points", status.outbox), drained.error());
  }

  // What was forgotten stays so: an interrupted forgetting is completed.
  Status tombstones() {
    for (std::string after;;) {
      PANDORA_TRY(files, stores_.documents.list_after("forgotten", after, pages_.names, deadline_));
      if (files.empty()) return {};
      after = files.back().name;
      std::vector<Uuid> uids;
      for (const auto& file : files)
        if (const auto uid = Uuid::parse(file.name.substr(0, file.name.find('.')))) uids.push_back(*uid);
      for (std::size_t at = 0; at < uids.size(); at += pages_.rows)
        PANDORA_CHECK(forget_rows(std::span(uids).subspan(at, std::min(pages_.rows, uids.size() - at))));
    }
  }

  Status forget_rows(std::span<const Uuid> forgotten) {
    PANDORA_TRY(rows, stores_.turns.find_all(forgotten, system_, deadline_));
    for (const auto& turn : rows) {
      const auto forget = [&] { return forgetting_.forget_turn(turn.number, system_, deadline_); };
      PANDORA_CHECK(complete(forget, "turn", fmt::format("turn {}", turn.number.value)));
    }
    for (const Uuid& uid : forgotten) {
      if (!stores_.memories.find(uid, system_, deadline_)) continue;
      const auto forget = [&] { return forgetting_.forget_memory(uid, system_, deadline_); };
      PANDORA_CHECK(complete(forget, "memory", uid.to_string()));
    }
    return {};
  }

  template <class Forget>
  Status complete(Forget forget, std::string_view what, const std::string& which) {
    const std::string kind = fmt::format("forgotten {} with a row", what);
    const auto done = found_.applying() ? forget() : Result<ForgetReport>();
    if (!done) return found_.leave(kind, which, done.error());
    found_.differs(kind, which, "forgetting is completed");
    return {};
  }

  struct PointKind {
    const std::string& collection;
    const char* field;  // that names the row
    OutboxKind point;
  };

  // Points whose row is gone, and that nobody is about to remove.
  Status points(const PointKind& kind) {
    for (std::optional<Uuid> after;;) {
      auto page = stores_.vectors.scroll(kind.collection, {}, after, pages_.rows, system_, deadline_);
      if (!page && page.error().code == ErrorCode::kNotFound) return {};
      if (!page) return fail(page.error());
      if (page->empty()) return {};
      after = page->back().id;
      PANDORA_TRY(suspects, without_rows(*page, kind));
      std::vector<Uuid> strays;
      if (!suspects.empty()) {
        PANDORA_TRY(still_there, found_.points_of(kind.collection, suspects));
        for (const auto& point : still_there) strays.push_back(point.id);
      }
      for (const Uuid& id : strays) found_.differs("point without row", id.to_string(), "the point is removed");
      if (found_.applying() && !strays.empty())
        PANDORA_CHECK(stores_.vectors.remove(kind.collection, strays, system_, deadline_).map([](auto) {}));
      found_.report().points += static_cast<std::int64_t>(page->size());
      PANDORA_CHECK(found_.progress("points", found_.report().points));
    }
  }

  Result<std::vector<Uuid>> without_rows(const std::vector<Point>& points, const PointKind& kind) {
    std::vector<std::optional<Uuid>> ids;
    std::vector<Uuid> asked, strays;
    for (const auto& point : points) {
      const auto value = point.payload.find(kind.field);
      const auto* text = value == point.payload.end() ? nullptr : std::get_if<std::string>(&value->second);
      const auto id = text ? Uuid::parse(*text) : Result<Uuid>(fail(ErrorCode::kDataCorrupt, "no id"));
      ids.push_back(id ? std::optional(*id) : std::nullopt);
      if (id) asked.push_back(*id);
    }
    PANDORA_TRY(known, with_rows(asked, kind.collection));
    for (std::size_t i = 0; i < points.size(); ++i) {
      if (ids[i] && (known.contains(*ids[i]) || would_be_restored(*ids[i], points[i], kind.collection))) continue;
      const auto waits = ids[i] ? found_.is_waiting(kind.point, *ids[i]) : Result<bool>(false);
      if (!waits) return fail(waits.error());
      if (!*waits) strays.push_back(points[i].id);
    }
    return strays;
  }

  Result<std::set<Uuid>> with_rows(const std::vector<Uuid>& ids, const std::string& collection) {
    std::set<Uuid> known;
    if (collection == space_->turns) {
      PANDORA_TRY(rows, stores_.turns.find_all(ids, system_, deadline_));
      for (const auto& row : rows) known.insert(row.uid);
      return known;
    }
    const auto note = [&](const Uuid& id, const auto& found) -> Status {
      if (found) known.insert(id);
      return found || found.error().code == ErrorCode::kNotFound ? Status() : Status(fail(found.error()));
    };
    for (const Uuid& id : ids)
      PANDORA_CHECK(collection == space_->memories ? note(id, stores_.memories.find(id, system_, deadline_))
                                                   : note(id, stores_.research.find(id, system_, deadline_)));
    return known;
  }

  // A run that applies has made the row of it before it comes to the points.
  bool would_be_restored(const Uuid& id, const Point& point, const std::string& collection) {
    if (found_.applying() || found_.has_file(tombstone_path(id))) return false;
    if (collection == space_->memories) return found_.has_file(memory_path(id));
    if (collection == space_->research) return found_.has_file(research_path(id));
    const auto value = point.payload.find("turn_number");
    const auto* number = value == point.payload.end() ? nullptr : std::get_if<std::int64_t>(&value->second);
    if (!number || *number < 1 || *number > kMaxTurnNumber) return false;
    for (const auto& folder : {turn_folder({*number}), archived_turn_folder({*number})})
      if (const auto record = read_turn_folder(stores_.documents, folder, deadline_); record && record->turn.uid == id)
        return true;
    return false;
  }

  Stores stores_;
  const std::shared_ptr<const PointSpace> space_;  // that answers; another that is being made is made of the rows
  TurnSaver& saver_;
  Forgetting& forgetting_;
  const Clock& clock_;
  const ReconcilePages pages_;
  ReconcileFindings found_;
  const Deadline& deadline_;
  const Principal system_ = Principal::system();
};

Result<ReconcileReport> Reconciler::run(Apply apply, const Progress& progress, const Deadline& deadline) {
  return Run(*this, apply, progress, deadline).run();
}

}  // namespace pandora
