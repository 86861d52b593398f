// Finds and repairs every difference between files, rows and points; the journal is replayed before.
//
// Truth is in this order: journal, files, rows, points. A dry run only reports; `apply` repairs, and a second run then
// finds nothing. What cannot be read, or what no row may hold (ports/row_checks.h), is set aside in quarantine with its
// reason, never deleted. Deleting the databases and reconciling brings everything back from the files. One bad thing
// ends no run: it is told, and the others are looked at. What cannot be repaired is left, and said at every run: a
// turn's object whose bytes are missing or damaged, files that this process may not read or that a newer program wrote.
// A store that does not answer ends the run.
//
// Rows, files and points are read side by side in the order of their ids, a page of each at a time, so memory does not
// grow with their number (ReconcilePages), nor what is asked of the stores for each of those that are as they should
// be: a page of rows, of points or of names is one question, and each folder is read. At most kMaxDifferences are told,
// and what is to be brought up to date is asked for page by page. Sources alone, one for each site, are listed as a
// whole.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "ports/stores.h"
#include "turns/archiver.h"
#include "turns/forgetting.h"
#include "turns/turn_saver.h"

namespace pandora {

struct Difference {
  std::string kind;    // "turn without row", "row without files", "damaged files", "point without row",
                       // "turn without its object", "object without a turn", …
  std::string what;    // "turn 12", "memory 0190…", "example.com"
  std::string repair;  // what is done about it
};
inline constexpr std::size_t kMaxDifferences = 10'000;
struct ReconcileReport {
  std::vector<Difference> differences;  // the first kMaxDifferences
  std::int64_t more = 0;                // that there are besides
  std::int64_t turns = 0, memories = 0, research = 0, sources = 0, points = 0, objects = 0;  // looked at
};

// How much of each is held at a time.
struct ReconcilePages {
  std::size_t rows = kMaxPage;   // turns, memories, research, points
  std::size_t names = 65'536;    // of files and folders: a directory is read from end to end for each page of them
  std::size_t objects = 65'536;  // keys: the rows are read once for each page of them
};

class Reconciler {
 public:
  using Progress = std::function<Status(std::string_view stage, std::int64_t done)>;  // an error ends the run
  Reconciler(Stores stores, const PointSpaces& spaces, TurnSaver& saver, Forgetting& forgetting, const Clock& clock,
             ReconcilePages pages = {})
      : stores_(stores), spaces_(spaces), saver_(saver), forgetting_(forgetting), clock_(clock), pages_(pages) {}
  Result<ReconcileReport> run(Apply apply, const Progress& progress, const Deadline& deadline);

 private:
  class Run;
  Stores stores_;
  const PointSpaces& spaces_;
  TurnSaver& saver_;
  Forgetting& forgetting_;
  const Clock& clock_;
  const ReconcilePages pages_;
};

}  // namespace pandora
