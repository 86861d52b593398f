// Files, rows and points of memories, research and sources. Internal to the reconciler.
#pragma once
#include "turns/reconcile_findings.h"

namespace pandora {

class ReconciledKnowledge {
 public:
  ReconciledKnowledge(Stores stores, const PointSpace& space, const ReconcilePages& pages, const Clock& clock,
                      ReconcileFindings& found, const Deadline& deadline)
      : stores_(stores), space_(space), pages_(pages), clock_(clock), found_(found), deadline_(deadline) {}
  Status memories();
  Status research();
  Status sources();

 private:
  template <class T>
  struct Kind;
  template <class T>
  Status run(const Kind<T>& kind);
  template <class T>
  Result<bool> look_at_file(const Kind<T>& kind, const std::string& path, const T* row);
  template <class T>
  Status without_file(const Kind<T>& kind, const Uuid& id);
  template <class T>
  Status look_at_points(const Kind<T>& kind, const std::vector<T>& page);
  Status look_at_source(const std::string& path);
  Result<bool> set_aside(const std::string& path, const Error& why);

  Stores stores_;
  const PointSpace& space_;
  const ReconcilePages& pages_;
  const Clock& clock_;
  ReconcileFindings& found_;
  const Deadline& deadline_;
  const Principal system_ = Principal::system();
};

}  // namespace pandora
