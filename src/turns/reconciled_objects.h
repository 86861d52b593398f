// Objects beside the rows that name them: which are lost or damaged, and which nobody names. Internal to the
// reconciler.
//
// Both are walked through by key, a page of keys at a time (ReconcilePages::objects); the rows once for each page.
#pragma once
#include <map>
#include <optional>
#include <string>

#include "turns/reconcile_findings.h"

namespace pandora {

class ReconciledObjects {
 public:
  ReconciledObjects(Stores stores, TurnSaver& saver, const ReconcilePages& pages, ReconcileFindings& found,
                    const Deadline& deadline)
      : stores_(stores), saver_(saver), pages_(pages), found_(found), deadline_(deadline) {}
  // `any_named`: whether a turn names one at all.
  Status run(bool any_named);

 private:
  using Page = std::map<std::string, ObjectInfo>;
  Status take_named(Page& page, const std::string& after, const std::optional<std::string>& through);
  Status look_at(const std::string& key, const std::string& what);
  Status remove_unnamed(const Page& page);
  Status leave_all(std::size_t unnamed, const Error& why);

  Stores stores_;
  TurnSaver& saver_;
  const ReconcilePages& pages_;
  ReconcileFindings& found_;
  const Deadline& deadline_;
};

}  // namespace pandora
