#include "turns/reconcile_findings.h"

#include "turns/documents.h"

namespace pandora {

void ReconcileFindings::differs(std::string kind, std::string what, std::string repair) {
  if (report_.differences.size() < kMaxDifferences)
    report_.differences.push_back({std::move(kind), std::move(what), std::move(repair)});
  else
    ++report_.more;
}

void ReconcileFindings::bring_up_to_date(OutboxKind kind, std::string key) {
  if (applying()) repairs_.push_back({kind, std::move(key)});
}

Status ReconcileFindings::ask_for_repairs(std::size_t many) {
  if (repairs_.size() < many) return {};
  PANDORA_CHECK(stores_.outbox.enqueue(repairs_, deadline_));
  repairs_.clear();
  return {};
}

Status ReconcileFindings::progress(std::string_view stage, std::int64_t done) {
  PANDORA_CHECK(ask_for_repairs());
  return progress_(stage, done);
}

Result<bool> ReconcileFindings::set_aside(const std::string& path, const Error& why) {
  const auto moved = applying() ? stores_.documents.quarantine(path, why.to_line(), deadline_) : Result<std::string>();
  if (!moved && moved.error().code == ErrorCode::kNotFound) return true;  // it went while we looked
  if (!moved) PANDORA_CHECK(leave("damaged files", path, moved.error()));
  if (moved) differs("damaged files", path, "set aside in quarantine: " + why.to_line());
  return moved.has_value();
}

Status ReconcileFindings::leave(std::string kind, std::string what, const Error& why) {
  if (!concerns_one(why)) return fail(why);
  differs(std::move(kind), std::move(what), "it is left as it is: " + why.to_line());
  return {};
}

// A file that this process may not read, or that its disk cannot give, says what a store says that is away: so that one
// is asked for something else.
bool ReconcileFindings::concerns_one(const Error& error) {
  switch (error.code) {
    case ErrorCode::kPermissionDenied:
    case ErrorCode::kUnavailable:
      return stores_.documents.list_after("turns", "", 1, deadline_).has_value();
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kNotFound:
    case ErrorCode::kConflict:
    case ErrorCode::kTooLarge:
    case ErrorCode::kDataCorrupt:
    case ErrorCode::kIncompatible:
      return true;
    default:
      return false;
  }
}

Result<bool> ReconcileFindings::is_waiting(OutboxKind kind, const Uuid& id) {
  return stores_.outbox.is_waiting({kind, id.to_string()}, deadline_);
}

Result<bool> ReconcileFindings::is_forgotten(const Uuid& uid) {
  return stores_.documents.exists(tombstone_path(uid), deadline_);
}

Result<std::vector<Point>> ReconcileFindings::points_of(const std::string& collection, const std::vector<Uuid>& ids) {
  auto points = stores_.vectors.retrieve(collection, ids, Principal::system(), deadline_);
  if (!points && points.error().code == ErrorCode::kNotFound) return std::vector<Point>();
  return points;
}

}  // namespace pandora
