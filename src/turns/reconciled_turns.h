// Folders, rows and points of turns, side by side by number. Internal to the reconciler.
#pragma once
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "turns/reconcile_findings.h"
#include "turns/turn_folders.h"

namespace pandora {

class ReconciledTurns {
 public:
  ReconciledTurns(Stores stores, const PointSpace& space, const ReconcilePages& pages, ReconcileFindings& found,
                  const Deadline& deadline)
      : stores_(stores), space_(space), pages_(pages), found_(found), deadline_(deadline) {}
  Status run();
  bool any_objects() const { return any_objects_; }  // whether a turn names one

 private:
  TurnFolders folders_of(const std::string& area);
  Result<std::vector<Turn>> next_rows(TurnNumber after);
  Result<bool> look_at_folder(const std::string& path, TurnNumber number, const Turn* row, bool in_archive);
  Result<bool> unlike_its_row(const TurnRecord& record, const std::string& path);
  Result<bool> row_unlike_files(const std::string& path, const Uuid& uid);
  Result<bool> set_aside(const std::string& path, TurnNumber number, const Error& why);
  Status renumber(TurnRecord record, const std::string& path, const Turn& row);
  Status restore(const TurnRecord& record, const std::string& path);
  Status without_folder(const Turn& listed);
  using Unlike = std::vector<std::pair<const Turn*, bool>>;  // whether it has a point at all
  Result<Unlike> unlike_points(const std::vector<Turn>& rows);
  Status look_at_points(const std::vector<Turn>& page);
  void name_objects(const Turn& turn) { any_objects_ |= !turn.objects.empty(); }

  Stores stores_;
  const PointSpace& space_;
  const ReconcilePages& pages_;
  ReconcileFindings& found_;
  const Deadline& deadline_;
  const Principal system_ = Principal::system();
  std::int64_t rows_ = 0;  // looked at
  TurnNumber damaged_;     // the last one whose folder was set aside
  bool any_objects_ = false;
};

}  // namespace pandora
