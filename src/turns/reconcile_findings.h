// What the parts of one run share: what was found, what is to be brought up to date, and how what cannot be read is set
// aside. Internal to the reconciler.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "turns/reconciler.h"

namespace pandora {

class ReconcileFindings {
 public:
  ReconcileFindings(Stores stores, Apply apply, const Reconciler::Progress& progress, const Deadline& deadline)
      : stores_(stores), apply_(apply), progress_(progress), deadline_(deadline) {}

  bool applying() const { return apply_ == Apply::kApply; }
  ReconcileReport& report() { return report_; }

  void differs(std::string kind, std::string what, std::string repair);
  void bring_up_to_date(OutboxKind kind, std::string key);
  Status progress(std::string_view stage, std::int64_t done);
  // Asks for what is to be brought up to date, once there is so much of it.
  Status ask_for_repairs(std::size_t many = kMaxPage);
  // A file or a folder, which is told. false: it could not be moved, and is left.
  Result<bool> set_aside(const std::string& path, const Error& why);
  // What is wrong with one thing is told, and the others are looked at: it ends no run. What keeps a store from
  // answering at all does: then that error.
  Status leave(std::string kind, std::string what, const Error& why);

  // Is it on its way? What is not waiting has been written since it was last asked for, and can be read.
  Result<bool> is_waiting(OutboxKind kind, const Uuid& id);
  // Asked for what has no row alone: tombstones are looked at first, and whoever forgets takes the row before the
  // files.
  Result<bool> is_forgotten(const Uuid& uid);
  bool has_file(const std::string& path) { return stores_.documents.exists(path, deadline_).value_or(false); }
  // A collection that does not exist yet holds nothing.
  Result<std::vector<Point>> points_of(const std::string& collection, const std::vector<Uuid>& ids);

  static bool is_unreadable(const Error& error) {
    return error.code == ErrorCode::kDataCorrupt || error.code == ErrorCode::kNotFound ||
           error.code == ErrorCode::kTooLarge;
  }

 private:
  bool concerns_one(const Error& error);

  Stores stores_;
  const Apply apply_;
  const Reconciler::Progress& progress_;
  const Deadline& deadline_;
  ReconcileReport report_;
  std::vector<OutboxItem> repairs_;  // to be asked for
};

}  // namespace pandora
