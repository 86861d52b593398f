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

Status ReconcileFindings::set_aside(const std::string& path, const Error& why) {
  differs("damaged files", path, "set aside in quarantine: " + why.to_line());
  if (!applying()) return {};
  return stores_.documents.quarantine(path, why.to_line(), deadline_).map([](auto&&) {});
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
